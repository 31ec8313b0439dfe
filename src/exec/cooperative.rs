//! Cooperative matrices (tensor cores, simdgroup matrices): which of them a device has, and whether it multiplies right with them.
//!
//! wgpu calls them experimental, drivers choose the size of subgroups themselves, and shaders of this kind have been translated wrong before
//! (gfx-rs/wgpu#9892). So they are used only where they are asked for, and only those variants that compute what the reference does.

use std::sync::Arc;

use super::device::Gpu;
use super::lockstep::lockstep;
use super::{Executor, GpuExecutor};
use crate::error::{Error, Result};
use crate::kernels::{Kernel, Matmul, MatmulSlots, Matrices, Precision, StepScalars, Variant};
use crate::plan::{BufferSpec, Plan, Slot};

/// What a device must be opened with.
pub(super) const FEATURES: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

/// Rows, columns and terms of the products that are tried: past the edges of every tile.
const SIZES: [[usize; 3]; 2] = [[150, 77, 91], [64, 64, 32]];

/// The cooperative matrices of an adapter that some variant of a kernel uses.
pub(super) fn matrices(adapter: &wgpu::Adapter) -> Matrices {
    use wgpu::CooperativeScalarType::{F16, F32};
    let features = adapter.features();
    if !features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        return Matrices::default();
    }
    let all = adapter.cooperative_matrix_properties();
    let has = |size: u32, of| {
        all.iter().any(|p| [p.m_size, p.n_size, p.k_size] == [size; 3] && p.ab_type == of && p.cr_type == F32)
    };
    let half = features.contains(wgpu::Features::SHADER_F16);
    Matrices { half_16: half && has(16, F16), half_8: half && has(8, F16), single_8: has(8, F32) }
}

/// The names of the variants that compute what they should on a device that was opened for them, in its precision.
///
/// Errors: a device that has no such matrices, or that computes wrong products by all of them.
pub(super) fn trusted(gpu: &Gpu, precision: Precision) -> Result<Vec<&'static str>> {
    let (traits, name) = (gpu.traits(), &gpu.info().name);
    let of_precision = match precision {
        Precision::F32 => traits.matrices.single_8,
        Precision::F16 => traits.matrices.half_16 || traits.matrices.half_8,
    };
    if !of_precision {
        let why = match (traits.matrices.any(), precision) {
            (false, _) => "no cooperative matrices (8 x 8, or 16 x 16 of half precision, with sums in f32): leave",
            (true, Precision::F32) => "cooperative matrices of half precision only: add --precision f16, or leave",
            (true, Precision::F16) => "cooperative matrices of f32 only: leave --precision f16 out, or leave",
        };
        return Err(Error::Device(format!("`{name}` has {why} --cooperative-matrices out")));
    }
    let fits = |v: &Variant| v.cooperative.is_some_and(|c| c.of == precision && c.fits(&traits));
    let fitting = Matmul::VARIANTS.iter().enumerate().filter(|(_, variant)| fits(variant));
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for (number, variant) in fitting {
        let agrees = SIZES.into_iter().map(|size| agrees(gpu, number, size));
        match agrees.collect::<Result<Vec<bool>>>() {
            Ok(all) if all.iter().all(|&agrees| agrees) => right.push(variant.name),
            Ok(_) => wrong.push(format!("{} computes wrong products", variant.name)),
            Err(error) => wrong.push(format!("{}: {error}", variant.name)),
        }
    }
    if right.is_empty() {
        let why = if wrong.is_empty() { "none for subgroups of this size".into() } else { wrong.join("; ") };
        return Err(Error::Device(format!(
            "the cooperative matrices of `{name}` cannot be used ({why}): leave --cooperative-matrices out"
        )));
    }
    Ok(right)
}

/// Whether a variant's product of this size is as near the reference's as rounding allows.
fn agrees(gpu: &Gpu, variant: usize, [m, n, k]: [usize; 3]) -> Result<bool> {
    let mut device = GpuExecutor::new(gpu)?;
    device.insist(Matmul::INFO.name, variant);
    let mut plan = Plan::new(device.limits());
    let mut holding = |name: &str, len: usize| -> Result<Slot> {
        let spec = BufferSpec::persistent(name, &[len]);
        let values: Vec<f32> = (1..=len).map(|i| (i as f32 * 0.618_034).fract() - 0.4).collect();
        device.write(&spec, &values)?;
        Ok(plan.persistent(&spec))
    };
    let (a, b, bias, c) = (holding("a", m * k)?, holding("b", k * n)?, holding("bias", n)?, holding("c", m * n)?);
    Matmul::new([m, n, k]).record(&mut plan, MatmulSlots { a, b, bias: Some(bias), c });
    device.set_scalars(&[StepScalars::default()])?;
    let found = lockstep(&mut device, &Arc::new(plan.finish()?), 0, StepScalars::default())?;
    Ok(found.disagreement.is_none())
}
