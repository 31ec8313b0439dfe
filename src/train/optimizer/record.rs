//! What an optimiser records into a training step: clipping, weight decay, its update of all weights in one dispatch, their average.

use super::{Optimizer, rules};
use crate::exec::Executor;
use crate::kernels::{
    self, AccumulateGradient, AccumulateGradientSlots, AdagradSlots, AdamSlots, Clip, ClipBy, ColumnSum,
    ColumnSumSlots, Copy, CopySlots, GradNorm, GradNormSlots, LionSlots, RmspropSlots, SgdSlots, VariableSquares,
    VariableSquaresSlots, WeightAverage, WeightAverageSlots, WeightDecay, WeightDecaySlots,
};
use crate::model::{Arena, Table, Variable, buffers};
use crate::plan::{ALIGNMENT, BufferSpec, Limits, Plan, Slot};
use crate::{Error, Result};

/// Parts of the norm of one variable.
const NORM_PARTS: usize = 256;

/// Records the global gradient norm and the check that all gradients are finite.
pub(in crate::train) fn record_health(plan: &mut Plan, table: &Table) {
    let grads = plan.persistent(&buffers::trainable(buffers::GRADIENTS, table));
    let (norm, health) = (plan.persistent(&norm()), plan.persistent(&buffers::health()));
    GradNorm::record(table.arena_len(Arena::Trainable), plan, GradNormSlots { grads, norm, health });
}

fn norm() -> BufferSpec {
    BufferSpec::persistent(buffers::NORM, &[1])
}

/// The tables that say what belongs to which variable: integers that the host writes once.
struct Tables;

impl Tables {
    /// First element and elements of each trained variable.
    fn spans(table: &Table) -> (BufferSpec, Vec<u32>) {
        let values: Vec<u32> = trained(table).flat_map(|v| [v.offset as u32, v.device_len as u32]).collect();
        (BufferSpec::persistent("variable_spans", &[values.len() / 2, 2]).u32(), values)
    }

    /// For every 64 elements of the arena a number that belongs to their variable: variables begin at multiples of 64.
    fn per_block(name: &str, table: &Table, of: impl Fn(usize, &Variable) -> u32) -> (BufferSpec, Vec<u32>) {
        let mut values = vec![0; table.arena_len(Arena::Trainable) / ALIGNMENT];
        for (i, v) in trained(table).enumerate() {
            values[v.offset / ALIGNMENT..v.device_range().end.div_ceil(ALIGNMENT)].fill(of(i, v));
        }
        (BufferSpec::persistent(name, &[values.len()]).u32(), values)
    }

    /// The number of the variable.
    fn owners(table: &Table) -> (BufferSpec, Vec<u32>) {
        Self::per_block("variable_owners", table, |i, _| i as u32)
    }

    /// 1 where the variable keeps out of the weight decay.
    fn kept(table: &Table, words: &[String]) -> (BufferSpec, Vec<u32>) {
        Self::per_block("undecayed", table, |_, v| words.iter().any(|word| v.spec.name.contains(word.as_str())).into())
    }
}

fn trained(table: &Table) -> impl Iterator<Item = &Variable> {
    table.variables().iter().filter(|v| v.spec.trainable)
}

impl Optimizer {
    /// Writes what the optimiser begins with: its moments, and the tables that its kernels read.
    pub(in crate::train) fn initialize(&self, executor: &mut dyn Executor, table: &Table) -> Result<()> {
        let n = table.arena_len(Arena::Trainable);
        for moment in self.moments() {
            executor.write(&buffers::trainable(moment.buffer, table), &vec![moment.initial as f32; n])?;
        }
        let common = self.common();
        let mut tables = Vec::new();
        if common.clipnorm.is_some() {
            tables.extend([Tables::spans(table), Tables::owners(table)]);
        }
        if common.weight_decay.is_some() {
            tables.push(Tables::kept(table, &common.exclude_from_weight_decay));
        }
        // A model without trained variables has nothing to clip.
        tables.iter().filter(|(_, values)| !values.is_empty()).try_for_each(|(spec, v)| executor.write_u32(spec, v))
    }

    /// Records the update of all weights.
    pub(in crate::train) fn record(&self, plan: &mut Plan, table: &Table) {
        if trained(table).next().is_none() {
            return;
        }
        let arena = Arenas { n: table.arena_len(Arena::Trainable) as u32, table };
        let common = self.common();
        if common.gradient_accumulation_steps.is_some() {
            self.accumulate(true, plan, &arena);
            // Of the mean: it is what is clipped, and finite numbers may have an infinite sum.
            record_health(plan, table);
        }
        self.record_clipping(plan, table);
        if let Some(decay) = common.weight_decay {
            let (kept, _) = Tables::kept(table, &common.exclude_from_weight_decay);
            let (health, params) = (plan.persistent(&buffers::health()), arena.slot(plan, buffers::PARAMETERS));
            let slots = WeightDecaySlots { health, kept: plan.persistent(&kept), params };
            WeightDecay { n: arena.n, decay: decay as f32 }.record(plan, slots);
        }
        self.record_rule(plan, &arena);
        self.record_average(plan, &arena);
    }

    /// Records what a training step without an update does: it keeps the gradient. As in Keras, the weights' average takes part in
    /// each step.
    pub(in crate::train) fn record_accumulation(&self, plan: &mut Plan, table: &Table) {
        if trained(table).next().is_none() {
            return;
        }
        let arena = Arenas { n: table.arena_len(Arena::Trainable) as u32, table };
        self.accumulate(false, plan, &arena);
        self.record_average(plan, &arena);
    }

    fn accumulate(&self, mean: bool, plan: &mut Plan, arena: &Arenas<'_>) {
        let health = plan.persistent(&buffers::health());
        let [grads, accumulator] = [buffers::GRADIENTS, buffers::ACCUMULATOR].map(|name| arena.slot(plan, name));
        let steps = self.common().gradient_accumulation_steps.unwrap_or(1) as f32;
        let kernel = AccumulateGradient { n: arena.n, steps };
        kernel.record(mean, plan, AccumulateGradientSlots { health, grads, accumulator });
    }

    fn record_average(&self, plan: &mut Plan, arena: &Arenas<'_>) {
        let common = self.common();
        if !common.use_ema {
            return;
        }
        let health = plan.persistent(&buffers::health());
        let [params, average] = [buffers::PARAMETERS, buffers::AVERAGE].map(|name| arena.slot(plan, name));
        WeightAverage {
            n: arena.n,
            momentum: common.ema_momentum as f32,
            one_minus_momentum: (1.0 - common.ema_momentum) as f32,
            frequency: common.ema_overwrite_frequency.unwrap_or(0),
            accumulation: common.gradient_accumulation_steps.unwrap_or(1),
        }
        .record(plan, WeightAverageSlots { health, params, average });
    }

    fn record_clipping(&self, plan: &mut Plan, table: &Table) {
        let common = self.common();
        let (limit, by) = if let Some(limit) = common.clipnorm {
            (limit, variable_norms(plan, table))
        } else if let Some(limit) = common.global_clipnorm {
            (limit, ClipBy::GlobalNorm(plan.persistent(&norm())))
        } else if let Some(limit) = common.clipvalue {
            (limit, ClipBy::Value)
        } else {
            return;
        };
        let grads = plan.persistent(&buffers::trainable(buffers::GRADIENTS, table));
        Clip { n: grads.len as u32, limit: limit as f32 }.record(by, plan, &grads);
    }

    fn record_rule(&self, plan: &mut Plan, arena: &Arenas<'_>) {
        let health = plan.persistent(&buffers::health());
        let [grads, params] = [buffers::GRADIENTS, buffers::PARAMETERS].map(|name| arena.slot(plan, name));
        let mut slot = |name| arena.slot(plan, name);
        let n = arena.n;
        match self {
            Optimizer::Adam(rules::Adam { beta_1, beta_2, epsilon, amsgrad, .. })
            | Optimizer::AdamW(rules::AdamW { beta_1, beta_2, epsilon, amsgrad, .. }) => {
                let (m, v) = (slot(buffers::MOMENT_1), slot(buffers::MOMENT_2));
                let v_hat = amsgrad.then(|| slot(buffers::MOMENT_3));
                let [one_minus_beta_1, one_minus_beta_2] = [beta_1, beta_2].map(|beta| (1.0 - beta) as f32);
                kernels::Adam { n, one_minus_beta_1, one_minus_beta_2, epsilon: *epsilon as f32 }
                    .record(plan, AdamSlots { grads, health, params, m, v, v_hat });
            }
            Optimizer::Nadam(nadam) => {
                let (m, v) = (slot(buffers::MOMENT_1), slot(buffers::MOMENT_2));
                let [one_minus_beta_1, one_minus_beta_2] = [nadam.beta_1, nadam.beta_2].map(|b| (1.0 - b) as f32);
                kernels::Nadam { n, one_minus_beta_1, one_minus_beta_2, epsilon: nadam.epsilon as f32 }
                    .record(plan, AdamSlots { grads, health, params, m, v, v_hat: None });
            }
            Optimizer::Sgd(sgd) => {
                let m = (sgd.momentum != 0.0).then(|| slot(buffers::MOMENT_1));
                let kernel = kernels::Sgd { n, momentum: sgd.momentum as f32 };
                kernel.record(sgd.nesterov, plan, SgdSlots { grads, health, params, m });
            }
            Optimizer::RmsProp(rms) => {
                let v = slot(buffers::MOMENT_2);
                let m = (rms.momentum != 0.0).then(|| slot(buffers::MOMENT_1));
                let average = rms.centered.then(|| slot(buffers::MOMENT_3));
                let [rho, momentum, epsilon] = [rms.rho, rms.momentum, rms.epsilon].map(|value| value as f32);
                kernels::Rmsprop { n, rho, one_minus_rho: (1.0 - rms.rho) as f32, epsilon, momentum }
                    .record(plan, RmspropSlots { grads, health, params, v, m, average });
            }
            Optimizer::Adagrad(adagrad) => {
                let accumulator = slot(buffers::MOMENT_2);
                kernels::Adagrad { n, epsilon: adagrad.epsilon as f32 }
                    .record(plan, AdagradSlots { grads, health, params, accumulator });
            }
            Optimizer::Lion(lion) => {
                let m = slot(buffers::MOMENT_1);
                let [beta_1, beta_2] = [lion.beta_1, lion.beta_2];
                let [one_minus_beta_1, one_minus_beta_2] = [beta_1, beta_2].map(|beta| (1.0 - beta) as f32);
                let [beta_1, beta_2] = [beta_1 as f32, beta_2 as f32];
                kernels::Lion { n, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2 }
                    .record(plan, LionSlots { grads, health, params, m });
            }
        }
    }
}

/// The buffers of an optimiser's step.
struct Arenas<'a> {
    n: u32,
    table: &'a Table,
}

impl Arenas<'_> {
    fn slot(&self, plan: &mut Plan, name: &str) -> Slot {
        plan.persistent(&buffers::trainable(name, self.table))
    }
}

/// Records each variable's sum of squares.
fn variable_norms(plan: &mut Plan, table: &Table) -> ClipBy {
    let ((spans, _), (owners, _)) = (Tables::spans(table), Tables::owners(table));
    let variables = spans.shape[0];
    let grads = plan.persistent(&buffers::trainable(buffers::GRADIENTS, table));
    let (spans, owners) = (plan.persistent(&spans), plan.persistent(&owners));
    let parts = plan.scratch("parts_of_squares", &[NORM_PARTS, variables]);
    let squares = plan.scratch("variable_squares", &[variables]);
    let slots = VariableSquaresSlots { grads, spans, squares: parts.clone() };
    VariableSquares { variables: variables as u32, parts: NORM_PARTS as u32 }.record(plan, slots);
    let slots = ColumnSumSlots { x: parts, out: squares.clone() };
    ColumnSum::record([NORM_PARTS, variables], false, plan, slots);
    ClipBy::Norms { squares, owners }
}

/// The plan that makes the average of the weights the weights.
pub(in crate::train) fn average_to_weights(table: &Table, limits: Limits) -> Result<Plan, Error> {
    let mut plan = Plan::new(limits);
    plan.set_scope("optimizer");
    let [x, out] =
        [buffers::AVERAGE, buffers::PARAMETERS].map(|name| plan.persistent(&buffers::trainable(name, table)));
    Copy::record(false, &mut plan, CopySlots { x, out });
    plan.finish()
}
