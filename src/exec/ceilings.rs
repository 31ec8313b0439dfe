//! What a device reaches at best: the figures that a profile is seen against.

use std::sync::Arc;

use super::{Device, Executor};
use crate::error::Result;
use crate::kernels::{Copy, CopySlots, Matmul, MatmulSlots, StepScalars};
use crate::plan::{BufferSpec, Plan};

/// Elements that are copied: more than caches hold.
const COPIED: usize = 16 << 20;
/// Rows and columns of the square matrices that are multiplied, until a product takes long enough to be measured.
const SIZES: [usize; 3] = [512, 2048, 4096];
/// Seconds that are long enough.
const LONG_ENOUGH: f64 = 2e-3;
/// The best of so many runs counts.
const RUNS: usize = 5;

/// The best that was measured on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// 1e9 bytes a second, read and written by a copy of 64 MiB.
    pub gigabytes_per_second: f64,
    /// 1e9 multiplications and additions a second, in a product of large square matrices in `f32`.
    pub gigaflops: f64,
}

impl Ceilings {
    /// Measures a device, on buffers of its own.
    pub fn measure(device: &Device) -> Result<Ceilings> {
        let mut executor = device.executor()?;
        executor.set_scalars(&[StepScalars::default()])?;
        let copied = COPIED.min(executor.limits().max_binding / 4);
        let copy = plan(executor.as_ref(), |plan| {
            let [x, out] = ["x", "copy"].map(|name| plan.persistent(&BufferSpec::persistent(name, &[copied])));
            Copy::record(false, plan, CopySlots { x, out });
        })?;
        let seconds = best(executor.as_mut(), &copy)?;
        let gigabytes_per_second = 8.0 * copied as f64 / seconds / 1e9;
        let mut gigaflops = 0.0;
        for size in SIZES {
            let product = product(executor.as_ref(), size)?;
            let seconds = best(executor.as_mut(), &product)?;
            gigaflops = 2.0 * (size as f64).powi(3) / seconds / 1e9;
            if seconds > LONG_ENOUGH {
                break;
            }
        }
        Ok(Ceilings { gigabytes_per_second, gigaflops })
    }
}

fn plan(executor: &dyn Executor, record: impl FnOnce(&mut Plan)) -> Result<Arc<Plan>> {
    let mut plan = Plan::new(executor.limits());
    plan.set_scope("ceiling");
    record(&mut plan);
    Ok(Arc::new(plan.finish()?))
}

fn product(executor: &dyn Executor, size: usize) -> Result<Arc<Plan>> {
    plan(executor, |plan| {
        let matrix = |name: &str| BufferSpec::persistent(format!("{name}_{size}"), &[size, size]);
        let [a, b, c] = ["a", "b", "c"].map(|name| plan.persistent(&matrix(name)));
        let n = size as u32;
        let product =
            Matmul { m: n, n, k: n, a_row: n, a_col: 1, b_row: n, b_col: 1, k_part: n, ..bytemuck::Zeroable::zeroed() };
        product.record(plan, MatmulSlots { a, b, bias: None, c });
    })
}

/// Seconds of the plan's last step, in its best run.
fn best(executor: &mut dyn Executor, plan: &Arc<Plan>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..=RUNS {
        let times = executor.run_timed(plan, 0)?;
        best = times.last().map_or(best, |(start, end)| best.min(end - start));
    }
    Ok(best.max(1e-9))
}
