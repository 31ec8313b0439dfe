//! The ways in which a recurrence's time steps are dispatched, the same forwards and backwards.

use std::ops::Range;

use super::{Traits, Variant};

/// What one dispatch may cost, in multiplications and additions: about 100 ms of the slowest driver, since drivers kill what takes
/// long.
const DISPATCH_FLOPS: u64 = 400_000_000;
/// Steps of one dispatch, each of which takes some ten microseconds however small it is.
const DISPATCH_STEPS: u32 = 2000;

/// How a variant dispatches time steps.
pub(super) struct Engine {
    /// Its entry point.
    pub entry: &'static str,
    /// The rows of the batch that a workgroup takes through all steps of a dispatch; none: a dispatch is one step.
    rows: Option<u32>,
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
    Engine { entry: "main", rows: None, software: false },
    Engine { entry: "lanes", rows: Some(8), software: true },
    Engine { entry: "slice", rows: Some(8), software: true },
    Engine { entry: "slice", rows: Some(4), software: false },
    Engine { entry: "slice", rows: Some(4), software: false },
];

impl Engine {
    /// The workgroups that take all units of some rows; none where a workgroup takes some units.
    pub fn grid(&self, rows: u32) -> Option<[u32; 3]> {
        self.rows.map(|of_group| [1, rows.div_ceil(of_group), 1])
    }

    /// The numbers of the steps of each dispatch.
    pub fn ranges(&self, steps: u32, [rows, units]: [u32; 2]) -> Vec<Range<u32>> {
        let of_step = 8 * u64::from(rows) * u64::from(units) * u64::from(units);
        let most = match self.rows {
            Some(_) => (DISPATCH_FLOPS / of_step.max(1)).clamp(1, DISPATCH_STEPS.into()) as u32,
            None => 1,
        };
        (0..steps).step_by(most as usize).map(|first| first..steps.min(first + most)).collect()
    }

    /// Whether a GPU can run it, with `held` bytes of workgroup memory for the units that the variant has room for.
    pub fn fits(&self, traits: &Traits, units: u32, variant: &Variant, held: u32) -> bool {
        (traits.software || !self.software)
            && (!variant.subgroups || traits.subgroup == Some((8, 8)))
            && constant(variant, "THREADS") <= traits.workgroup_threads
            && held <= traits.workgroup_memory
            && (held == 0 || units <= constant(variant, "MOST_UNITS"))
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
