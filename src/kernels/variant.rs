//! The ways in which a GPU can compute a kernel: what is computed is the kernel's, and its one reference's; how, a variant's.

use super::{Options, Precision};

/// What of a GPU decides which variants it can run, and which are likely to be fast there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// A driver that computes on the CPU, where `workgroupBarrier` costs ten to fifty times as much as elsewhere.
    pub software: bool,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Threads of a workgroup.
    pub workgroup_threads: u32,
    /// Sizes of a subgroup, smallest and largest; none where the device was opened without subgroups.
    pub subgroup: Option<(u32, u32)>,
    /// The cooperative matrices that may be used.
    pub matrices: Matrices,
}

/// Whether all of these sizes and offsets are of whole vec4s.
pub(super) fn in_vec4s(sizes: &[u32]) -> bool {
    sizes.iter().all(|size| size.is_multiple_of(4))
}

/// What matrices the threads of a subgroup can hold and multiply together; sums are in `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matrices {
    /// 16 x 16 of half precision.
    pub half_16: bool,
    /// 8 x 8 of half precision.
    pub half_8: bool,
    /// 8 x 8 of single precision.
    pub single_8: bool,
}

impl Matrices {
    /// Whether there are any.
    pub fn any(self) -> bool {
        self != Matrices::default()
    }
}

/// Where a kernel's parameters lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// In a uniform buffer, as the WGSL files say.
    Uniform,
    /// In a storage buffer: for software drivers. Mesa's lavapipe compiles a kernel anew at each dispatch, which takes milliseconds, where
    /// a loop or an `if` depends on uniforms alone and putting their values in makes it much shorter or unrolls it (22.3:
    /// `update_inline_shader_state` in lvp_execute.c).
    Storage,
}

/// One way of computing a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name, in lower case.
    pub name: &'static str,
    /// The entry points that it dispatches.
    pub entries: &'static [&'static str],
    /// Source of its own behind the kernel's, or nothing.
    pub wgsl: &'static str,
    /// `const` lines that are appended to the source: sizes of register tiles, which WGSL does not let an override set.
    pub constants: &'static [(&'static str, u32)],
    /// Whether it uses subgroup operations.
    pub subgroups: bool,
    /// The cooperative matrices that it uses.
    pub cooperative: Option<Cooperative>,
}

/// Cooperative matrices of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooperative {
    /// Rows and columns of one: 8 or 16.
    pub size: u32,
    /// What A and B hold.
    pub of: Precision,
    /// Threads of a subgroup.
    pub lanes: u32,
}

impl Cooperative {
    /// Whether such a GPU may be able to: a driver may still choose subgroups of another size than this.
    pub fn fits(self, traits: &Traits) -> bool {
        let Matrices { half_16, half_8, single_8 } = traits.matrices;
        let there = match (self.size, self.of) {
            (16, Precision::F16) => half_16,
            (8, Precision::F16) => half_8,
            (8, Precision::F32) => single_8,
            _ => false,
        };
        there && traits.subgroup.is_some_and(|(least, most)| (least..=most).contains(&self.lanes))
    }

    /// What a source of it begins with.
    fn directives(self) -> &'static str {
        match self.of {
            Precision::F16 => "enable f16; enable wgpu_cooperative_matrix;",
            Precision::F32 => "enable wgpu_cooperative_matrix;",
        }
    }

    /// Its types and sizes.
    fn declarations(self) -> String {
        let Cooperative { size, lanes, .. } = self;
        let of = if self.of == Precision::F16 { "f16" } else { "f32" };
        let matrix = |role: &str, of: &str| format!("alias Matrix{role} = coop_mat{size}x{size}<{of}, {role}>;\n");
        [
            format!("alias Number = {of};\nconst SIZE: u32 = {size}u;\nconst LANES: u32 = {lanes}u;\n"),
            matrix("A", of),
            matrix("B", of),
            matrix("C", "f32"),
        ]
        .concat()
    }
}

impl Variant {
    /// The only way: entry point `main`, the kernel's own grid.
    pub const MAIN: Variant = Variant::named("main", &["main"]);

    /// A variant whose entry points stand in the kernel's own source.
    pub const fn named(name: &'static str, entries: &'static [&'static str]) -> Self {
        Variant { name, entries, wgsl: "", constants: &[], subgroups: false, cooperative: None }
    }

    /// What its source begins with, on the first line of all.
    pub(super) fn directives(&self) -> &'static str {
        self.cooperative.map_or("", Cooperative::directives)
    }

    /// What is appended to its source.
    pub(super) fn declarations(&self) -> String {
        let constants = self.constants.iter().map(|(name, value)| format!("const {name}: u32 = {value}u;\n"));
        constants.chain(self.cooperative.map(Cooperative::declarations)).collect()
    }
}

/// One dispatch of a variant; `P` is the kernel, or the bytes of its uniform block.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch<P> {
    /// The entry point.
    pub entry: &'static str,
    /// The uniform block.
    pub params: P,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
}

impl<P> Dispatch<P> {
    /// The same of another kind of parameters.
    pub(super) fn map<Q>(self, of: impl FnOnce(P) -> Q) -> Dispatch<Q> {
        Dispatch { entry: self.entry, params: of(self.params), grid: self.grid }
    }
}

/// Part of a kernel's run that its reference can do by itself.
#[derive(Clone, Debug)]
pub struct Part<P> {
    /// The uniform block.
    pub params: P,
    /// What of which bindings no later part changes.
    pub settled: Vec<(usize, std::ops::Range<usize>)>,
}

/// The bytes of a uniform block.
pub type Block = Vec<u8>;

/// [`super::Kernel`]'s answers on variants, with its type erased.
#[derive(Clone, Copy, Debug)]
pub struct Variants {
    /// All of them; the first runs everywhere.
    pub all: &'static [Variant],
    /// The dispatches of a variant.
    pub dispatches: fn(&[u8], &Options, usize) -> Vec<Dispatch<Block>>,
    /// Whether a variant can compute this on such a GPU.
    pub fits: fn(&[u8], &Options, usize, &Traits) -> bool,
    /// The variant to take where nothing was measured.
    pub preferred: fn(&[u8], &Options, &Traits) -> usize,
    /// The parts that a reference can do one by one.
    pub parts: fn(&[u8], &Options) -> Vec<Part<Block>>,
}

impl Variants {
    /// The number of the variant of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|variant| variant.name == name)
    }
}
