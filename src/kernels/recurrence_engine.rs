//! The ways in which a recurrence's time steps are dispatched, the same forwards and backwards, whatever its cell.

use std::ops::Range;

use super::{Dispatch, Options, RUN, Traits, Variant};

/// What one dispatch may cost, in multiplications and additions: about 100 ms of the slowest driver, since drivers kill what takes
/// long.
const DISPATCH_FLOPS: u64 = 400_000_000;
/// Steps of one dispatch, each of which takes some ten microseconds however small it is.
const DISPATCH_STEPS: u64 = 2000;
/// Times that a thread may go through loops in one dispatch, as far as they are counted here: half of what Mesa's software drivers do
/// before they leave a loop without a word ([`Limits::SOFTWARE_LOOPS`](crate::plan::Limits::SOFTWARE_LOOPS)).
const DISPATCH_LOOPS: u64 = 30_000;
/// What a step takes beside its products, for each unit and for itself: rows of the batch, of which a workgroup has at most 16, one by one.
const OTHER_LOOPS: u64 = 24;

/// N, H and the number of directions.
pub(super) type Shape = [u32; 3];

/// How a variant dispatches time steps.
pub(super) struct Engine {
    /// Where its entry points stand.
    place: usize,
    /// The rows of the batch that a workgroup takes through all steps of a dispatch; none: a dispatch is one step.
    rows: Option<u32>,
    /// The threads that share the units.
    threads: u64,
    /// The terms of products that a round of a loop adds up, those of several units together.
    terms: u64,
    /// Only for drivers that compute on the CPU.
    software: bool,
}

const STEPS: usize = 0;
const LANES: usize = 1;
const SLICE_8: usize = 2;
const SLICE_64: usize = 3;
const SLICE_256: usize = 4;
const TILE: usize = 5;

/// By the number of the variant.
const ENGINES: [Engine; 6] = [
    Engine { place: 0, rows: None, threads: 1, terms: 1, software: false },
    Engine { place: 1, rows: Some(ROWS_OF_LANES), threads: 8, terms: 8, software: true },
    Engine { place: 2, rows: Some(8), threads: 8, terms: 1, software: true },
    Engine { place: 2, rows: Some(4), threads: 64, terms: 1, software: false },
    Engine { place: 2, rows: Some(4), threads: 256, terms: 1, software: false },
    Engine { place: 3, rows: None, threads: 1, terms: 1, software: false },
];

/// Entry points of `steps`, `lanes`, the slices and `tile`.
pub(super) type Entries = [&'static [&'static str]; 4];

/// What a dispatch is to do in each of its time steps.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    /// The entry points that do it, one dispatch behind the other.
    pub entries: Entries,
    /// Products one behind the other.
    pub products: u64,
    /// Bytes of workgroup memory for each row and unit.
    pub held: u32,
}

/// Forwards, where a cell multiplies once in a step; h of two steps is held.
pub(super) const FORWARDS: Pass =
    Pass { entries: [&["main"], &["lanes"], &["slice"], &["tile"]], products: 1, held: 8 };
/// Backwards; the gradients of one step's gates are held.
pub(super) const BACKWARDS: Pass = Pass { held: 16, ..FORWARDS };

/// Units, rows and threads of a workgroup of `tile`.
const TILE_UNITS: u32 = 16;
const TILE_ROWS: u32 = 32;
const TILE_THREADS: u32 = 256;
/// Rows of the batch that a workgroup of `lanes` holds.
const ROWS_OF_LANES: u32 = 16;
/// The size of `lanes`: as much as its loads can serve before the kernel outgrows the first-level cache.
const LANES_SIZE: &[(&str, u32)] = &[("ROWS", ROWS_OF_LANES), ("ACROSS", 4)];

/// What a kernel's variants are made of: one for each engine.
pub(super) struct Sources {
    /// Of `steps`, `lanes`, the slices and `tile`, behind the kernel's own.
    pub wgsl: [&'static str; 4],
    /// All that are dispatched.
    pub entries: Entries,
    /// The sizes of the slices.
    pub slices: [&'static [(&'static str, u32)]; 3],
}

/// The sizes of slices forwards, where a row takes little room.
pub(super) const SLICES: [&[(&str, u32)]; 3] = [
    &[("THREADS", 8), ("QUADS", 2), ("MOST_UNITS", 128)],
    &[("THREADS", 64), ("QUADS", 1), ("MOST_UNITS", 128)],
    &[("THREADS", 256), ("QUADS", 1), ("MOST_UNITS", 512)],
];
/// And backwards.
pub(super) const GRAD_SLICES: [&[(&str, u32)]; 3] =
    [SLICES[0], SLICES[1], &[("THREADS", 256), ("QUADS", 1), ("MOST_UNITS", 256)]];

impl Sources {
    /// The variants, by the number of the engine.
    pub const fn variants(self) -> [Variant; 6] {
        let Sources { wgsl: [steps, lanes, slice, tile], entries, slices } = self;
        [
            Variant { wgsl: steps, ..Variant::named("steps", entries[0]) },
            Variant { wgsl: lanes, constants: LANES_SIZE, subgroups: true, ..Variant::named("lanes", entries[1]) },
            Variant { wgsl: slice, constants: slices[0], ..Variant::named("slice8", entries[2]) },
            Variant { wgsl: slice, constants: slices[1], ..Variant::named("slice64", entries[2]) },
            Variant { wgsl: slice, constants: slices[2], ..Variant::named("slice256", entries[2]) },
            Variant { wgsl: tile, ..Variant::named("tile", entries[3]) },
        ]
    }
}

impl Engine {
    /// The workgroups of a dispatch that takes one step.
    pub fn step_grid([rows, units, directions]: Shape) -> [u32; 3] {
        [units.div_ceil(16), rows.div_ceil(16), directions]
    }

    /// That of a variant.
    pub fn of(variant: usize) -> &'static Engine {
        &ENGINES[variant]
    }

    /// The numbers of the steps of each dispatch.
    pub fn ranges(&self, steps: u32, [rows, units, directions]: Shape, pass: &Pass) -> Vec<Range<u32>> {
        let most = self.rows.map_or(1, |_| {
            let by_work = DISPATCH_FLOPS / (8 * u64::from(directions * rows) * u64::from(units).pow(2)).max(1);
            by_work.min(DISPATCH_LOOPS / self.loops(units.into(), pass)).clamp(1, DISPATCH_STEPS)
        });
        (0..steps).step_by(most as usize).map(|first| first..steps.min(first + most as u32)).collect()
    }

    /// Times that a thread goes through loops in a step.
    fn loops(&self, units: u64, pass: &Pass) -> u64 {
        let of_terms = units.div_ceil(self.terms) + units.div_ceil(RUN as u64);
        pass.products * (units.div_ceil(self.threads) * (of_terms + OTHER_LOOPS) + OTHER_LOOPS)
    }

    /// The dispatches of these parts of all time steps, one behind the other.
    pub fn dispatches<P: Copy>(&self, parts: impl Iterator<Item = P>, shape: Shape, pass: &Pass) -> Vec<Dispatch<P>> {
        let [rows, units, directions] = shape;
        let grid = |entry: &str| match self.rows {
            _ if entry == "tile" => [units.div_ceil(TILE_UNITS), rows.div_ceil(TILE_ROWS), directions],
            Some(of_group) => [1, rows.div_ceil(of_group), directions],
            None => Self::step_grid(shape),
        };
        let entries: Vec<_> = pass.entries[self.place].iter().map(|&entry| (entry, grid(entry))).collect();
        parts.flat_map(|params| entries.iter().map(move |&(entry, grid)| Dispatch { entry, params, grid })).collect()
    }

    /// Whether a GPU can run it as this variant.
    pub fn fits(&self, variant: &Variant, options: &Options, traits: &Traits, units: u32, pass: &Pass) -> bool {
        let constant = |name: &str| constant(variant, name);
        let (most_units, rows) = (constant("MOST_UNITS"), 4 * constant("QUADS"));
        (traits.software || !self.software)
            && (!variant.subgroups || traits.subgroup == Some((8, 8)))
            && constant("THREADS") <= traits.workgroup_threads
            && pass.held * most_units * rows <= traits.workgroup_memory
            && (most_units == 0 || units <= most_units)
            // A tile holds one h for all gates.
            && (variant.name != "tile" || options.get("DROPOUT") == 0 && traits.workgroup_threads >= TILE_THREADS)
            && (self.rows.is_none() || self.loops(units.into(), pass) <= 2 * DISPATCH_LOOPS)
    }
}

/// A size that a variant's source is given, 0 where it has none of this name.
fn constant(variant: &Variant, name: &str) -> u32 {
    variant.constants.iter().find(|(known, _)| *known == name).map_or(0, |&(_, value)| value)
}

/// The variant to take where nothing was measured: all steps in one dispatch while U stays close to a workgroup, which a GPU's is
/// up to some hundred units, else a dispatch for each, in tiles where they fit.
pub(super) fn engine_for(units: u32, traits: &Traits, fits: impl Fn(usize) -> bool) -> usize {
    let wanted: &[usize] = match (traits.software, units) {
        (true, _) => &[LANES, SLICE_8],
        (false, ..=64) => &[SLICE_64],
        (false, ..=160) => &[SLICE_256],
        _ => &[TILE],
    };
    wanted.iter().copied().find(|&variant| fits(variant)).unwrap_or(STEPS)
}
