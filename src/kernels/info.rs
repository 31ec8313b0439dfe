//! What is known of a kernel besides its code.

use super::combinations::pairs;
use super::fast::Workers;
use super::tracked::Tracked;
use super::variant::{Block, Blocks, Dispatch, Part, Variant, Variants};
use super::{Args, Kernel, Real};

/// How a kernel uses a binding. In WGSL there is only `read` and `read_write`; a write-only slot is told apart here so that
/// plans can be read and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Every element that matters later is written, none is read.
    Write,
    /// Read, then overwritten.
    ReadWrite,
    /// Room that a variant on a GPU may use within the step: what it holds before and after does not matter, and a reference
    /// leaves it alone. Comes last.
    Scratch,
}

/// What a buffer's elements are; all have four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `f32` on the GPU, the executor's number type on the CPU.
    Real,
    /// Unsigned integers.
    U32,
}

/// One storage binding of a kernel, in `@group(1)`; its number is its place in the list.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The variable's name in WGSL.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
    /// Its elements.
    pub element: Element,
}

impl Binding {
    /// A real-valued input.
    pub const fn read(name: &'static str) -> Self {
        Binding { name, access: Access::Read, element: Element::Real }
    }
    /// A real-valued output.
    pub const fn write(name: &'static str) -> Self {
        Binding { name, access: Access::Write, element: Element::Real }
    }
    /// A real-valued slot that is updated in place.
    pub const fn read_write(name: &'static str) -> Self {
        Binding { name, access: Access::ReadWrite, element: Element::Real }
    }
    /// Room for a variant.
    pub const fn scratch(name: &'static str) -> Self {
        Binding { name, access: Access::Scratch, element: Element::Real }
    }
    /// The same slot holding unsigned integers.
    pub const fn u32(self) -> Self {
        Binding { element: Element::U32, ..self }
    }
}

/// A scalar of a kernel's uniform block.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, in Rust and in WGSL.
    pub name: &'static str,
    /// Its byte offset.
    pub offset: usize,
    /// `u32` or `f32`.
    pub scalar: &'static str,
}

/// A pipeline-overridable constant and the values that the tests try.
#[derive(Clone, Copy, Debug)]
pub struct Override {
    /// Its name in WGSL.
    pub name: &'static str,
    /// Every value that it may take.
    pub values: &'static [u32],
}

/// Values for a kernel's overrides; what is not named keeps the default in WGSL, which is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options(pub Vec<(&'static str, u32)>);

impl Options {
    /// No override.
    pub fn none() -> Self {
        Options::default()
    }
    /// One override.
    pub fn one(name: &'static str, value: u32) -> Self {
        Options(vec![(name, value)])
    }
    /// The value of an override.
    pub fn get(&self, name: &str) -> u32 {
        self.0.iter().find(|(n, _)| *n == name).map_or(0, |&(_, v)| v)
    }
}

/// Combinations of overrides that are all tried.
const MOST_COMBINATIONS: usize = 40;

/// A kernel's reference with its types erased: parameter bytes, options, slots.
pub type Reference<T> = fn(&[u8], &Options, Args<'_, T>);

/// A kernel's [`Kernel::fast_f32`] with its types erased.
pub type Fast = fn(&[u8], &Options, Args<'_, f32>, &Workers);

/// A kernel as the executors, tests and benches see it.
#[derive(Debug)]
pub struct KernelInfo {
    /// The name; also that of `shaders/NAME.wgsl`.
    pub name: &'static str,
    /// The WGSL, without the common part.
    pub wgsl: &'static str,
    /// Storage bindings in order.
    pub bindings: &'static [Binding],
    /// The uniform block's scalars.
    pub fields: &'static [Field],
    /// The uniform block's size in bytes.
    pub size: usize,
    /// Pipeline-overridable constants.
    pub overrides: &'static [Override],
    /// The ways in which a GPU can compute it.
    pub variants: Variants,
    /// Multiplications and additions of its matrix products, with these parameters.
    pub flops: fn(&[u8], &Options) -> f64,
    pub(crate) fast_f32: Fast,
    pub(crate) reference_f32: Reference<f32>,
    pub(crate) reference_f64: Reference<f64>,
    pub(crate) reference_tracked: Reference<Tracked>,
}

impl KernelInfo {
    pub(crate) const fn new<K: Kernel>(
        name: &'static str,
        wgsl: &'static str,
        fields: &'static [Field],
        bindings: &'static [Binding],
        overrides: &'static [Override],
    ) -> Self {
        KernelInfo {
            name,
            wgsl,
            bindings,
            fields,
            size: size_of::<K>(),
            overrides,
            variants: Variants {
                all: K::VARIANTS,
                dispatches: dispatches::<K>,
                fits: |params, options, variant, traits| kernel::<K>(params).fits(options, variant, traits),
                preferred: |params, options, traits| kernel::<K>(params).preferred(options, traits),
                parts: parts::<K>,
            },
            flops: |params, options| kernel::<K>(params).flops(options),
            fast_f32: |params, options, args, workers| kernel::<K>(params).fast_f32(options, args, workers),
            reference_f32: call::<K, f32>,
            reference_f64: call::<K, f64>,
            reference_tracked: call::<K, Tracked>,
        }
    }

    /// Every combination of the overrides' values; where they are too many, so many that each two values of two overrides occur together.
    pub fn all_options(&self) -> Vec<Options> {
        let counts: Vec<usize> = self.overrides.iter().map(|o| o.values.len()).collect();
        if counts.iter().product::<usize>() > MOST_COMBINATIONS {
            let of_row = |row: Vec<usize>| self.overrides.iter().zip(row).map(|(o, v)| (o.name, o.values[v])).collect();
            return pairs(&counts).into_iter().map(|row| Options(of_row(row))).collect();
        }
        self.overrides.iter().fold(vec![Options::none()], |combinations, o| {
            let extended = |options: &Options, value| Options([&options.0[..], &[(o.name, value)]].concat());
            combinations.iter().flat_map(|c| o.values.iter().map(|&value| extended(c, value))).collect()
        })
    }

    /// The whole WGSL module of a variant: the kernel first, so that error lines stay right, then what kernels share.
    pub fn source(&self, variant: &Variant, blocks: Blocks) -> String {
        let own = match blocks {
            Blocks::Uniform => self.wgsl.to_owned(),
            Blocks::Storage => self.wgsl.replacen("var<uniform> p:", "var<storage, read> p:", 1),
        };
        [
            &[variant.directives(), &own].concat(),
            variant.wgsl,
            &variant.declarations(),
            include_str!("../../shaders/common.wgsl"),
            include_str!("../../shaders/activation.wgsl"),
            include_str!("../../shaders/lstm_cell.wgsl"),
            include_str!("../../shaders/random.wgsl"),
        ]
        .join("\n")
    }
}

fn kernel<K: Kernel>(params: &[u8]) -> K {
    bytemuck::pod_read_unaligned(params)
}

fn call<K: Kernel, T: Real>(params: &[u8], options: &Options, args: Args<'_, T>) {
    kernel::<K>(params).reference(options, args);
}

fn dispatches<K: Kernel>(params: &[u8], options: &Options, variant: usize) -> Vec<Dispatch<Block>> {
    let erase = |d: Dispatch<K>| d.map(|params| bytemuck::bytes_of(&params).to_vec());
    kernel::<K>(params).dispatches(options, variant).into_iter().map(erase).collect()
}

fn parts<K: Kernel>(params: &[u8], options: &Options) -> Vec<Part<Block>> {
    let erase = |p: Part<K>| Part { params: bytemuck::bytes_of(&p.params).to_vec(), settled: p.settled };
    kernel::<K>(params).parts(options).into_iter().map(erase).collect()
}

/// What changes from training step to training step; on the device a uniform block shared by all kernels.
///
/// The host keeps it in `f64`, so that the double-precision executor sees exact values; the GPU gets it as `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepScalars {
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Adam's bias-corrected rate, lr·sqrt(1 - beta_2^t) / (1 - beta_1^t).
    pub adam_rate: f64,
    /// Number of this training step, from 1.
    pub step: u32,
    /// Where this batch begins in the order of samples.
    pub first: u32,
    /// Which row of the log this step writes.
    pub log_row: u32,
    /// What Nadam's first moment counts for, lr·u' / (1 - Π u').
    pub momentum_rate: f64,
    /// What Nadam's gradient counts for, lr·(1 - u) / (1 - Π u).
    pub gradient_rate: f64,
    /// What Nadam's second moment counts for, 1 / (1 - beta_2^t).
    pub variance_rate: f64,
}

/// [`StepScalars`] as common.wgsl declares it.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct ScalarBlock {
    learning_rate: f32,
    adam_rate: f32,
    step: u32,
    first: u32,
    log_row: u32,
    momentum_rate: f32,
    gradient_rate: f32,
    variance_rate: f32,
}

impl From<&StepScalars> for ScalarBlock {
    fn from(s: &StepScalars) -> Self {
        ScalarBlock {
            learning_rate: s.learning_rate as f32,
            adam_rate: s.adam_rate as f32,
            step: s.step,
            first: s.first,
            log_row: s.log_row,
            momentum_rate: s.momentum_rate as f32,
            gradient_rate: s.gradient_rate as f32,
            variance_rate: s.variance_rate as f32,
        }
    }
}

impl StepScalars {
    /// The uniform block's scalars, for the test that compares them with common.wgsl.
    pub const FIELDS: &'static [Field] = &[
        Field { name: "learning_rate", offset: std::mem::offset_of!(ScalarBlock, learning_rate), scalar: "f32" },
        Field { name: "adam_rate", offset: std::mem::offset_of!(ScalarBlock, adam_rate), scalar: "f32" },
        Field { name: "step", offset: std::mem::offset_of!(ScalarBlock, step), scalar: "u32" },
        Field { name: "first", offset: std::mem::offset_of!(ScalarBlock, first), scalar: "u32" },
        Field { name: "log_row", offset: std::mem::offset_of!(ScalarBlock, log_row), scalar: "u32" },
        Field { name: "momentum_rate", offset: std::mem::offset_of!(ScalarBlock, momentum_rate), scalar: "f32" },
        Field { name: "gradient_rate", offset: std::mem::offset_of!(ScalarBlock, gradient_rate), scalar: "f32" },
        Field { name: "variance_rate", offset: std::mem::offset_of!(ScalarBlock, variance_rate), scalar: "f32" },
    ];
}

/// Declares a kernel's parameter struct, once: the Rust struct, its uniform layout, and its list of fields.
macro_rules! params {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $scalar:ident),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_meta])* pub $field: $scalar),* }
        impl $name {
            /// The scalars of the uniform block.
            pub const FIELDS: &'static [$crate::kernels::Field] = &[$($crate::kernels::Field {
                name: stringify!($field),
                offset: std::mem::offset_of!($name, $field),
                scalar: stringify!($scalar),
            }),*];
        }
    };
}
pub(crate) use params;

/// The `INFO` of a kernel whose shader has the same name.
macro_rules! info {
    ($kernel:ident, $name:literal, $bindings:expr, $overrides:expr) => {
        &$crate::kernels::KernelInfo::new::<$kernel>(
            $name,
            include_str!(concat!("../../shaders/", $name, ".wgsl")),
            $kernel::FIELDS,
            $bindings,
            $overrides,
        )
    };
}
pub(crate) use info;
