//! The gradients of batch normalisation.

use super::batch_norm::{self, COLUMNS, MASKED_EPSILON, variants};
use super::fast::{self, Workers};
use super::info::{info, params};
use super::variant::in_vec4s;
use super::{
    Args, Binding, Dispatch, Kernel, KernelInfo, Options, Override, Part, Real, Traits, Variant, balanced_block,
    grid_1d, sum_in_blocks,
};
use crate::kernels::BatchNormMask;
use crate::plan::{Plan, Slot};

params! {
    /// The sums over a group's rows of dy (dbeta) and of dy x̂ (dgamma), and dx = gamma / sqrt(variance + epsilon)
    /// (dy - dbeta / M - x̂ dgamma / M) (Ioffe & Szegedy 2015, section 3), less what rounding leaves of its own mean where there is
    /// one group; or the first term alone where the statistics do not depend on the row.
    pub struct BatchNormGrad {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of a group that has a mean and a variance of its own.
        pub group_rows: u32,
        /// The first row of this run.
        pub row_at: u32,
        /// The last group; rows behind it use its statistics.
        pub last_group: u32,
        /// M, all rows of a group.
        pub total_rows: u32,
        /// Rows that are added up on their own.
        pub block_rows: u32,
        /// What of it this run does; set by `record`, as all that follows but `before`, `finish`, `epsilon` and `accumulate`.
        pub task: u32,
        /// 1: the sums, or the rest, of earlier runs are there.
        pub before: u32,
        /// 1: the sums are those of all rows when this run is done.
        pub finish: u32,
        /// Whether gamma's gradient is written (1) or added (2).
        pub of_gamma: u32,
        /// The same for beta.
        pub of_beta: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// 1: add to the dx that is there.
        pub accumulate: u32,
        /// Where the mean begins in the binding of both statistics.
        pub mean_at: u32,
        /// Where the variance begins.
        pub variance_at: u32,
        /// Where gamma's gradient begins in the binding of both variables'.
        pub gamma_at: u32,
        /// Where beta's begins.
        pub beta_at: u32,
        /// Where x begins in its binding.
        pub x_at: u32,
        /// Where dy begins.
        pub dy_at: u32,
        /// Where dx begins.
        pub dx_at: u32,
    }
}

/// Whose mean and variance normalised the rows.
#[derive(Clone, Debug)]
pub enum Statistics {
    /// The batch's; with room for the sums of dy and dy x̂ over all rows and for what rounding leaves of dx's, `[3, F]`.
    OfBatch(Slot),
    /// Those of groups of the batch's rows; with room for the sums of dy and dy x̂ over a group's rows, `[groups, 2, F]`.
    OfGroups(Slot),
    /// With room for sums over all rows, `[2, F]`: those of the batch's rows, or elements, whose mask is 1; the mean slot holds
    /// their number behind the means.
    OfMasked(Slot, BatchNormMask),
    /// Others, which do not depend on the batch.
    Fixed,
}

impl Statistics {
    /// The same for some of the rows.
    pub fn of_rows(&self, rows: std::ops::Range<usize>, features: usize) -> Self {
        match self {
            Statistics::OfMasked(sums, mask) => Statistics::OfMasked(sums.clone(), mask.rows(rows, features)),
            other => other.clone(),
        }
    }
}

/// Slots of [`BatchNormGrad`].
pub struct BatchNormGradSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows, F]`
    pub dy: Slot,
    /// `[groups, F]`, or masked `[2, F]`
    pub mean: Slot,
    /// `[groups, F]`, in the same buffer
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// Whose mean and variance these are
    pub statistics: Statistics,
    /// What is computed.
    pub task: BatchNormTask,
}

/// What a run of [`BatchNormGrad`] computes.
#[derive(Clone, Debug)]
pub enum BatchNormTask {
    /// Sums, rest and dx `[rows, F]`.
    All(OfVariables, Slot),
    /// The sums alone.
    Sums(OfVariables),
    /// The rest alone, from the sums over all rows.
    Rest,
    /// dx alone, `[rows, F]`, from sums and rest.
    Input(Slot),
}

/// Where the gradients of gamma and beta go, in one buffer and `[F]` each, and whether they are added to what is there.
#[derive(Clone, Debug, Default)]
pub struct OfVariables {
    /// Gamma's, if it is wanted.
    pub gamma: Option<(Slot, bool)>,
    /// Beta's, if it is wanted.
    pub beta: Option<(Slot, bool)>,
}

/// The least slot around several of one buffer, and where each of them begins in it.
fn around<const N: usize>(slots: [&Slot; N]) -> (Slot, [u32; N]) {
    let first = slots.iter().map(|slot| slot.offset).min().unwrap_or(0);
    let end = slots.iter().map(|slot| slot.offset + slot.len).max().unwrap_or(0);
    let all = Slot { buffer: slots[0].buffer, offset: first, len: end - first };
    (all, slots.map(|slot| (slot.offset - first) as u32))
}

impl BatchNormGrad {
    /// Rows `rows` of `total_rows` that have one mean and one variance.
    pub fn of_rows(rows: std::ops::Range<usize>, total_rows: usize, features: usize, epsilon: f32) -> Self {
        BatchNormGrad {
            rows: rows.len() as u32,
            features: features as u32,
            group_rows: u32::MAX,
            row_at: rows.start as u32,
            total_rows: total_rows as u32,
            block_rows: balanced_block(total_rows),
            before: 0,
            finish: 1,
            epsilon,
            ..bytemuck::Zeroable::zeroed()
        }
    }

    /// Appends this run.
    pub fn record(mut self, plan: &mut Plan, slots: BatchNormGradSlots) {
        let (statistics, sums, mask) = match slots.statistics {
            Statistics::OfBatch(sums) => (0, sums, plan.nothing()),
            Statistics::OfMasked(sums, BatchNormMask::OfRows(mask)) => (1, sums, mask),
            Statistics::OfMasked(sums, BatchNormMask::OfElements(mask)) => (4, sums, mask),
            Statistics::Fixed => (2, plan.unused(), plan.nothing()),
            Statistics::OfGroups(sums) => (3, sums, plan.nothing()),
        };
        let (task, variables, dx) = match slots.task {
            BatchNormTask::All(variables, dx) => (0, variables, Some(dx)),
            BatchNormTask::Sums(variables) => (1, variables, None),
            BatchNormTask::Rest => (2, OfVariables::default(), None),
            BatchNormTask::Input(dx) => (3, OfVariables::default(), Some(dx)),
        };
        let how = |wanted: &Option<(Slot, bool)>| wanted.as_ref().map_or(0, |(_, add)| 1 + u32::from(*add));
        (self.task, self.of_gamma, self.of_beta) = (task, how(&variables.gamma), how(&variables.beta));
        let given = |wanted: Option<(Slot, bool)>| wanted.map(|(slot, _)| slot);
        let of_variables = match (given(variables.gamma), given(variables.beta)) {
            (Some(gamma), Some(beta)) => {
                let (both, at) = around([&gamma, &beta]);
                [self.gamma_at, self.beta_at] = at;
                both
            }
            (one, other) => one.or(other).unwrap_or_else(|| plan.unused_too()),
        };
        let (both, at) = around([&slots.mean, &slots.variance]);
        if slots.mean.buffer != slots.variance.buffer {
            plan.fail("mean and variance of a batch normalisation must lie in one buffer".into());
        }
        [self.mean_at, self.variance_at] = at;
        let options = Options(vec![("SCALE", slots.gamma.is_some().into()), ("STATISTICS", statistics)]);
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let dx = dx.unwrap_or_else(|| plan.unused());
        let ((x, x_at), (dy, dy_at), (dx, dx_at)) = (slots.x.aligned(), slots.dy.aligned(), dx.aligned());
        let run = BatchNormGrad { x_at, dy_at, dx_at, ..self };
        run.push(plan, options, &[&x, &mask, &dy, &both, &gamma, &sums, &of_variables, &dx]);
    }

    fn groups(&self) -> u32 {
        self.rows.div_ceil(self.group_rows)
    }

    /// Whether `quads` can compute this: from the batch's statistics, all in one run.
    fn in_quads(&self, options: &Options) -> bool {
        let whole = [self.task, self.before] == [0; 2] && self.finish == 1 && self.rows == self.total_rows;
        let offsets = [self.mean_at, self.variance_at, self.gamma_at, self.beta_at, self.x_at, self.dy_at, self.dx_at];
        whole && options.get("STATISTICS") == 0 && in_vec4s(&offsets) && in_vec4s(&[self.features])
    }
}

/// One feature of a group.
struct Known<T> {
    /// Its dbeta among the sums.
    at: usize,
    mean: T,
    deviation: T,
}

impl Kernel for BatchNormGrad {
    const INFO: &'static KernelInfo = info!(
        BatchNormGrad,
        "batch_norm_grad",
        &[
            Binding::read("x"),
            Binding::read("mask"),
            Binding::read("dy"),
            Binding::read("statistics"),
            Binding::read("gamma"),
            Binding::read_write("sums"),
            Binding::read_write("of_variables"),
            Binding::read_write("dx"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }, Override { name: "STATISTICS", values: &[0, 1, 2, 3, 4] }]
    );
    const VARIANTS: &'static [Variant] = &variants(
        &["columns", "elements"],
        &["tree", "elements"],
        include_str!("../../shaders/batch_norm_grad_quads.wgsl"),
    );

    fn grid(&self) -> [u32; 3] {
        match self.task {
            3 => grid_1d(self.rows * self.features),
            _ => [self.features.div_ceil(COLUMNS[0]), self.groups(), 1],
        }
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let (entry, grid) = match self.task {
            3 => ("elements", self.grid()),
            _ => {
                let grid = [self.features.div_ceil(COLUMNS[variant]), self.groups(), 1];
                (Self::VARIANTS[variant].entries[0], grid)
            }
        };
        vec![Dispatch { entry, params: *self, grid }]
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        batch_norm::fits(variant, traits, self.in_quads(options))
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        batch_norm::preferred(self.rows.min(self.group_rows), traits, self.in_quads(options))
    }

    fn parts(&self, options: &Options) -> Vec<Part<Self>> {
        if self.task != 0 {
            return vec![Part { params: *self, settled: Vec::new() }];
        }
        let (kind, width) = (options.get("STATISTICS"), 2 * self.features as usize);
        let first = if kind == 3 { (self.row_at / self.group_rows) as usize } else { 0 };
        let sums = first * width..(first + self.groups() as usize) * width;
        let part = |task, settled| Part { params: BatchNormGrad { task, ..*self }, settled };
        let rest = (kind == 0).then(|| part(2, vec![(5, width..width + width / 2)]));
        std::iter::once(part(1, vec![(5, sums)])).chain(rest).chain([part(3, Vec::new())]).collect()
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::batch_norm_grad(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mask, dy, statistics, gamma) = (args.read(), args.read(), args.read(), args.read(), args.read());
        let (sums, of_variables, dx) = (args.write(), args.write(), args.write());
        let (scale, kind) = (options.get("SCALE") != 0, options.get("STATISTICS"));
        let (features, block) = (self.features as usize, self.block_rows as usize);
        let (mean, variance) = (&statistics[self.mean_at as usize..], &statistics[self.variance_at as usize..]);
        let (x, dy, dx) = (&x[self.x_at as usize..], &dy[self.dy_at as usize..], &mut dx[self.dx_at as usize..]);
        let m = T::count(self.total_rows);
        for (group, feature) in (0..self.groups()).flat_map(|g| (0..features).map(move |f| (g, f))) {
            let g = (self.row_at / self.group_rows + group).min(self.last_group) as usize;
            let s = g * features + feature;
            let width = if kind == 0 { 3 } else { 2 };
            let deviation = (variance[s] + T::decimal(self.epsilon)).sqrt();
            let k = Known { at: width * g * features + feature, mean: mean[s], deviation };
            let first = group as usize * self.group_rows as usize;
            let rows = first..(self.rows as usize).min(first + self.group_rows as usize);
            let x_hat = |row: usize| (x[row * features + feature] - k.mean) / k.deviation;
            let dy = |row: usize| dy[row * features + feature];
            let before = |sum: T| if self.before != 0 { sum } else { T::zero() };
            let (of_bias, of_scale, rest) = (k.at, k.at + features, k.at + 2 * features);
            if self.task < 2 {
                sums[of_bias] = sum_in_blocks(before(sums[of_bias]), rows.clone(), block, dy);
                let of_row = |row| dy(row) * x_hat(row);
                sums[of_scale] = sum_in_blocks(before(sums[of_scale]), rows.clone(), block, of_row);
                for (how, at, sum) in [(self.of_beta, self.beta_at, of_bias), (self.of_gamma, self.gamma_at, of_scale)]
                {
                    let (out, sum) = (at as usize + feature, sums[sum]);
                    match how * self.finish {
                        0 => {}
                        1 => of_variables[out] = sum,
                        _ => of_variables[out] = sum + of_variables[out],
                    }
                }
            }
            if kind == 0 && (self.task == 0 || self.task == 2) {
                let (of_bias, of_scale) = (sums[of_bias] / m, sums[of_scale] / m);
                let left = |row| dy(row) - of_bias - x_hat(row) * of_scale;
                sums[rest] = sum_in_blocks(before(sums[rest]), rows.clone(), block, left);
            }
            if self.task == 0 || self.task == 3 {
                for row in rows {
                    let i = row * features + feature;
                    let mut value = dy(row);
                    let counts = match kind {
                        1 => mask[row] != T::zero(),
                        4 => mask[i] != T::zero(),
                        kind => kind != 2,
                    };
                    if counts {
                        let (mut m, mut x_hat) = (m, x_hat(row));
                        if kind == 1 || kind == 4 {
                            let few = T::decimal(MASKED_EPSILON);
                            m = mean[features + feature] + few;
                            x_hat = x_hat - k.mean * (few / m) / k.deviation;
                        }
                        let mut through_scale = x_hat * (sums[of_scale] / m);
                        // The rest joins the smaller term: taken from the difference it would be rounded away.
                        if kind == 0 {
                            through_scale = through_scale + sums[rest] / m;
                        }
                        value = value - sums[of_bias] / m - through_scale;
                    }
                    value = value / k.deviation;
                    if scale {
                        value = value * gamma[feature];
                    }
                    dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
                }
            }
        }
    }
}
