//! Layer normalisation of rows, for the layer and within recurrent ones.

use super::recorder::Recorder;
use crate::kernels::{
    BLOCK_ROWS, ColumnSum, ColumnSumSlots, Copy, CopySlots, LayerNormApply, LayerNormApplySlots, LayerNormGrad,
    LayerNormGradRows, LayerNormGradRowsSlots, LayerNormGradSlots, LayerNormGradSums, LayerNormGradSumsSlots,
    LayerNormStatistics, LayerNormStatisticsSlots,
};
use crate::plan::{Plan, Slot};
use std::ops::Range;

/// Layer normalisation of a matrix of rows, all at once or some rows at a time: rows `rows` of it are passed as slots that hold
/// just these and may begin anywhere.
pub(super) struct RowNorm {
    features: usize,
    epsilon: f32,
    /// The names of gamma and beta, where the layer has them.
    gamma_name: Option<String>,
    beta_name: Option<String>,
    gamma: Option<Slot>,
    beta: Option<Slot>,
    /// `[rows]`
    mean: Slot,
    variance: Slot,
}

impl RowNorm {
    /// For `[rows, features]`, with these variables of the layer that records.
    pub(super) fn new(
        recorder: &mut Recorder,
        [rows, features]: [usize; 2],
        gamma_name: Option<String>,
        beta_name: Option<String>,
        epsilon: f64,
    ) -> RowNorm {
        let gamma = gamma_name.as_ref().map(|name| recorder.variable(name));
        let beta = beta_name.as_ref().map(|name| recorder.variable(name));
        let (mean, variance) = (recorder.plan.scratch("mean", &[rows]), recorder.plan.scratch("variance", &[rows]));
        RowNorm { features, epsilon: epsilon as f32, gamma_name, beta_name, gamma, beta, mean, variance }
    }

    /// y (+)= LN(x).
    pub(super) fn forward(&self, plan: &mut Plan, rows: Range<usize>, x: &Slot, (y, accumulate): (&Slot, bool)) {
        let features = self.features;
        for part in plan.row_chunks(rows.len(), &[features]) {
            let row_at = (rows.start + part.start) as u32;
            let statistics =
                LayerNormStatistics { rows: part.len() as u32, features: features as u32, x_at: 0, row_at };
            let x = x.rows(part.clone(), features);
            let (mean, variance) = (self.mean.clone(), self.variance.clone());
            let slots = LayerNormStatisticsSlots { x: x.clone(), mean: mean.clone(), variance: variance.clone() };
            statistics.record(plan, slots);
            let apply = LayerNormApply {
                rows: part.len() as u32,
                features: features as u32,
                row_at,
                epsilon: self.epsilon,
                accumulate: accumulate.into(),
                x_at: 0,
                y_at: 0,
            };
            let (gamma, beta, y) = (self.gamma.clone(), self.beta.clone(), y.rows(part, features));
            apply.record(plan, LayerNormApplySlots { x, mean, variance, gamma, beta, y });
        }
    }

    /// dx (+)= the gradient of x; `sums` `[all rows, 2]` is for this alone.
    pub(super) fn backward(
        &self,
        plan: &mut Plan,
        rows: Range<usize>,
        [x, dy, sums]: [&Slot; 3],
        (dx, accumulate): (&Slot, bool),
    ) {
        let features = self.features;
        for part in plan.row_chunks(rows.len(), &[features]) {
            let row_at = (rows.start + part.start) as u32;
            let (x, dy) = (x.rows(part.clone(), features), dy.rows(part.clone(), features));
            let (mean, variance, gamma) = (self.mean.clone(), self.variance.clone(), self.gamma.clone());
            let (n, features_u32, epsilon) = (part.len() as u32, features as u32, self.epsilon);
            LayerNormGradRows { rows: n, features: features_u32, row_at, epsilon, x_at: 0, dy_at: 0 }.record(
                plan,
                LayerNormGradRowsSlots {
                    x: x.clone(),
                    dy: dy.clone(),
                    mean: mean.clone(),
                    variance: variance.clone(),
                    gamma: gamma.clone(),
                    sums: sums.clone(),
                },
            );
            let kernel = LayerNormGrad {
                rows: n,
                features: features_u32,
                row_at,
                epsilon,
                accumulate: accumulate.into(),
                x_at: 0,
                dy_at: 0,
                dx_at: 0,
            };
            let (sums, dx) = (sums.clone(), dx.rows(part, features));
            kernel.record(plan, LayerNormGradSlots { x, dy, mean, variance, gamma, sums, dx });
        }
    }

    /// The gradients of gamma and beta, from all rows of x and dy.
    pub(super) fn variable_gradients(&self, recorder: &mut Recorder, x: &Slot, dy: &Slot) {
        if !recorder.trainable || (self.gamma.is_none() && self.beta.is_none()) {
            return;
        }
        let (rows, features, block) = (self.mean.len, self.features, BLOCK_ROWS as usize);
        let plan = &mut recorder.plan;
        let blocks = rows.div_ceil(block);
        let partial = plan.scratch("block_sums", &[blocks, 2, features]);
        for part in plan.row_chunks(rows, &[features]) {
            let kernel = LayerNormGradSums {
                rows: part.len() as u32,
                features: features as u32,
                block_rows: BLOCK_ROWS,
                block_at: (part.start / block) as u32,
                row_at: part.start as u32,
                epsilon: self.epsilon,
                x_at: 0,
                dy_at: 0,
            };
            let slots = LayerNormGradSumsSlots {
                x: x.rows(part.clone(), features),
                dy: dy.rows(part, features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                sums: partial.clone(),
            };
            kernel.record(plan, slots);
        }
        let sums = plan.scratch("gradient_sums", &[2, features]);
        ColumnSum::record([blocks, 2 * features], false, plan, ColumnSumSlots { x: partial, out: sums.clone() });
        for (row, name) in [(0, &self.beta_name), (1, &self.gamma_name)] {
            if let Some((out, accumulate)) = name.as_ref().and_then(|name| recorder.variable_gradient(name)) {
                let x = sums.rows(row..row + 1, features);
                Copy::record(accumulate, &mut recorder.plan, CopySlots { x, out });
            }
        }
    }
}
