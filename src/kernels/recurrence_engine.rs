//! The ways in which a recurrence's time steps are dispatched, the same forwards and backwards.

use std::ops::Range;

use super::{RUN, Traits, Variant};

/// What one dispatch may cost, in multiplications and additions: about 100 ms of the slowest driver, since drivers kill what takes
/// long.
const DISPATCH_FLOPS: u64 = 400_000_000;
/// Steps of one dispatch, each of which takes some ten microseconds however small it is.
const DISPATCH_STEPS: u64 = 2000;
/// Times that a thread may go through loops in one dispatch, as far as they are counted here: half of what Mesa's software drivers do
/// before they leave a loop without a word ([`Limits::SOFTWARE_LOOPS`](crate::plan::Limits::SOFTWARE_LOOPS)).
const DISPATCH_LOOPS: u64 = 30_000;
/// What a step takes beside its products, for each unit and for itself: rows of the batch, one by one.
const OTHER_LOOPS: u64 = 24;

/// How a variant dispatches time steps.
pub(super) struct Engine {
    /// Its entry point.
    pub entry: &'static str,
    /// The rows of the batch that a workgroup takes through all steps of a dispatch; none: a dispatch is one step.
    rows: Option<u32>,
    /// The threads that share the units.
    threads: u64,
    /// The terms of a product that a round of a loop adds up.
    terms: u64,
    /// Only for drivers that compute on the CPU.
    software: bool,
}

const STEPS: usize = 0;
const LANES: usize = 1;
const SLICE_8: usize = 2;
const SLICE_64: usize = 3;
const SLICE_256: usize = 4;

/// By the number of the variant.
pub(super) const ENGINES: [Engine; 5] = [
    Engine { entry: "main", rows: None, threads: 1, terms: 1, software: false },
    Engine { entry: "lanes", rows: Some(8), threads: 8, terms: 8, software: true },
    Engine { entry: "slice", rows: Some(8), threads: 8, terms: 1, software: true },
    Engine { entry: "slice", rows: Some(4), threads: 64, terms: 1, software: false },
    Engine { entry: "slice", rows: Some(4), threads: 256, terms: 1, software: false },
];

impl Engine {
    /// The workgroups that take all units of some rows; none where a workgroup takes some units.
    pub fn grid(&self, rows: u32) -> Option<[u32; 3]> {
        self.rows.map(|of_group| [1, rows.div_ceil(of_group), 1])
    }

    /// The numbers of the steps of each dispatch.
    pub fn ranges(&self, steps: u32, [rows, units]: [u32; 2]) -> Vec<Range<u32>> {
        let most = self.rows.map_or(1, |_| {
            let by_work = DISPATCH_FLOPS / (8 * u64::from(rows) * u64::from(units).pow(2)).max(1);
            by_work.min(DISPATCH_LOOPS / self.loops(units.into())).clamp(1, DISPATCH_STEPS)
        });
        (0..steps).step_by(most as usize).map(|first| first..steps.min(first + most as u32)).collect()
    }

    /// Times that a thread goes through loops in a step.
    fn loops(&self, units: u64) -> u64 {
        let of_terms = units.div_ceil(self.terms) + units.div_ceil(RUN as u64);
        units.div_ceil(self.threads) * (of_terms + OTHER_LOOPS) + OTHER_LOOPS
    }

    /// Whether a GPU can run it, with `held` bytes of workgroup memory for the units that the variant has room for.
    pub fn fits(&self, traits: &Traits, units: u32, variant: &Variant, held: u32) -> bool {
        (traits.software || !self.software)
            && (!variant.subgroups || traits.subgroup == Some((8, 8)))
            && constant(variant, "THREADS") <= traits.workgroup_threads
            && held <= traits.workgroup_memory
            && (held == 0 || units <= constant(variant, "MOST_UNITS"))
            && (self.rows.is_none() || self.loops(units.into()) <= 2 * DISPATCH_LOOPS)
    }
}

/// A size that a variant's source is given, 0 where it has none of this name.
pub(super) fn constant(variant: &Variant, name: &str) -> u32 {
    variant.constants.iter().find(|(known, _)| *known == name).map_or(0, |&(_, value)| value)
}

/// The variant to take where nothing was measured: all steps in one dispatch while U stays close to a workgroup, which a GPU's is
/// up to some hundred units, else a dispatch for each.
pub(super) fn engine_for(units: u32, traits: &Traits, fits: impl Fn(usize) -> bool) -> usize {
    let wanted: &[usize] = match (traits.software, units) {
        (true, _) => &[LANES, SLICE_8],
        (false, ..=64) => &[SLICE_64],
        (false, ..=160) => &[SLICE_256],
        _ => &[],
    };
    wanted.iter().copied().find(|&variant| fits(variant)).unwrap_or(STEPS)
}
