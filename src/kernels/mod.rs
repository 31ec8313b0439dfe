//! Kernels: each is one WGSL file in `shaders/` and one Rust file here, of the same name.
//!
//! The Rust file holds the parameter struct (which *is* the kernel's uniform block), the named slots, the grid, and the
//! `reference` that says in plain loops what the kernel computes. [`ALL`] drives pipelines, shader tests, benches and `verify`.

mod args;
mod info;
pub mod real;
pub mod tracked;

mod accumulate_gradient;
mod activate;
mod activate_grad;
pub mod activation;
mod adagrad;
mod adam;
mod batch_norm;
mod batch_norm_apply;
mod batch_norm_grad;
mod batch_norm_moving;
mod batch_norm_population;
mod cell_output;
mod cell_output_grad;
mod cell_state;
mod cell_state_grad;
mod class_sums;
mod clip;
mod column_sum;
mod combinations;
mod constrain;
mod copy;
mod copy_columns;
mod cross_entropy;
mod dropout;
mod dropout_mask;
mod embed;
mod embed_grad;
mod embed_links;
mod faint;
pub mod fast;
mod fill;
mod gather;
mod grad_norm;
mod group_squares;
mod gru_sequence;
mod gru_sequence_grad;
pub mod half;
mod histogram;
mod largest;
mod layer_norm_apply;
mod layer_norm_grad;
mod layer_norm_grad_rows;
mod layer_norm_grad_sums;
mod layer_norm_statistics;
mod lion;
mod log_step;
mod loss;
mod lstm_cell;
mod lstm_sequence;
mod lstm_sequence_grad;
mod mask_rows;
mod matmul;
mod merge;
mod merge_grad;
mod metric;
mod nadam;
mod penalty;
mod penalty_grad;
mod pool_steps;
mod pool_steps_grad;
pub mod random;
mod rearrange;
mod recurrence;
mod recurrence_engine;
mod recurrence_grad;
mod renorm_correction;
mod renorm_grad;
mod renorm_moving;
mod renorm_scale;
mod rescale;
mod rmsprop;
mod row_weights;
mod sgd;
mod softmax;
mod softmax_grad;
mod step_mask;
mod sweep;
mod variable_squares;
mod variant;
mod weight_average;
mod weight_decay;

pub use accumulate_gradient::{AccumulateGradient, AccumulateGradientSlots};
pub use activate::{Activate, ActivateSlots};
pub use activate_grad::{ActivateGrad, ActivateGradSlots};
pub use adagrad::{Adagrad, AdagradSlots};
pub use adam::{Adam, AdamSlots};
pub use args::{Args, Bound};
pub use batch_norm::{BatchNorm, BatchNormMask, BatchNormOutput, BatchNormSlots};
pub use batch_norm_apply::{BatchNormApply, BatchNormApplySlots};
pub use batch_norm_grad::{BatchNormGrad, BatchNormGradSlots, BatchNormTask, OfVariables, Statistics};
pub use batch_norm_moving::{BatchNormMoving, BatchNormMovingSlots};
pub use batch_norm_population::{BatchNormPopulation, BatchNormPopulationSlots};
pub use cell_output::{CellOutput, CellOutputSlots};
pub use cell_output_grad::{CellOutputGrad, CellOutputGradSlots};
pub use cell_state::{CellState, CellStateSlots};
pub use cell_state_grad::{CellStateGrad, CellStateGradSlots};
pub use class_sums::{ClassSums, ClassSumsSlots, Statistic};
pub use clip::{Clip, ClipBy};
pub use column_sum::{ColumnSum, ColumnSumSlots};
pub use constrain::{Constrain, ConstrainSlots};
pub use copy::{Copy, CopySlots};
pub use copy_columns::{Columns, CopyColumns, CopyHow, Multiply};
pub use cross_entropy::CrossEntropy;
pub use dropout::{Dropout, DropoutSlots};
pub use dropout_mask::{DropoutMask, DropoutMaskSlots};
pub use embed::{Embed, EmbedSlots};
pub use embed_grad::{EmbedGrad, EmbedGradSlots};
pub use embed_links::{EmbedLinks, EmbedLinksSlots};
pub use fill::{Fill, FillSlots};
pub use gather::{Gather, GatherSlots, MoreSlots};
pub use grad_norm::{GradNorm, GradNormSlots};
pub use group_squares::{GroupSquares, GroupSquaresSlots};
pub use gru_sequence::{GruCell, GruSequence, GruSequenceSlots};
pub use gru_sequence_grad::{GruSequenceGrad, GruSequenceGradSlots};
pub use half::Precision;
pub use histogram::{Histogram, HistogramSlots};
pub(crate) use info::ScalarBlock;
pub use info::{Access, Binding, Element, Field, KernelInfo, Options, Override, Reference, StepScalars};
pub use largest::Largest;
pub use layer_norm_apply::{LayerNormApply, LayerNormApplySlots};
pub use layer_norm_grad::{LayerNormGrad, LayerNormGradSlots};
pub use layer_norm_grad_rows::{LayerNormGradRows, LayerNormGradRowsSlots};
pub use layer_norm_grad_sums::{LayerNormGradSums, LayerNormGradSumsSlots};
pub use layer_norm_statistics::{LayerNormStatistics, LayerNormStatisticsSlots};
pub use lion::{Lion, LionSlots};
pub use log_step::{LogStep, LogStepSlots};
pub(crate) use loss::kind as loss_kind;
pub use loss::{Loss, LossSlots, RowValues};
pub use lstm_cell::CellOptions;
pub use lstm_sequence::{LstmSequence, LstmSequenceSlots};
pub use lstm_sequence_grad::{LstmSequenceGrad, LstmSequenceGradSlots};
pub use mask_rows::{MaskRows, MaskRowsSlots};
pub use matmul::{Matmul, MatmulSlots};
pub(crate) use merge::merge_op;
pub use merge::{Merge, MergeSlots};
pub use merge_grad::{MergeGrad, MergeGradSlots};
pub(crate) use metric::kind as metric_kind;
pub use metric::{Metric, MetricSlots};
pub use nadam::Nadam;
pub use penalty::{Penalty, PenaltySlots};
pub use penalty_grad::{PenaltyGrad, PenaltyGradSlots};
pub use pool_steps::{Pool, PoolSteps, PoolStepsSlots};
pub use pool_steps_grad::{PoolStepsGrad, PoolStepsGradSlots};
pub use real::Real;
pub use rearrange::{Rearrange, RearrangeSlots, Strides};
pub use recurrence::{Extras, Sequence, SequenceSlots};
pub use recurrence_grad::{GradSweep, SequenceGrad, SequenceGradSlots};
pub use renorm_correction::{RenormCorrection, RenormCorrectionSlots};
pub use renorm_grad::{RenormGrad, RenormGradSlots};
pub use renorm_moving::{RenormMoving, RenormMovingSlots};
pub use renorm_scale::{RenormScale, RenormScaleSlots};
pub use rescale::{Rescale, RescaleSlots};
pub use rmsprop::{Rmsprop, RmspropSlots};
pub use row_weights::{RowWeights, RowWeightsSlots};
pub use sgd::{Sgd, SgdSlots};
pub use softmax::{Softmax, SoftmaxSlots};
pub use softmax_grad::{SoftmaxGrad, SoftmaxGradSlots};
pub use step_mask::{StepMask, StepMaskSlots};
pub use sweep::Sweep;
pub use variable_squares::{VariableSquares, VariableSquaresSlots};
pub use variant::{Block, Blocks, Cooperative, Dispatch, Matrices, Part, Traits, Variant, Variants};
pub use weight_average::{WeightAverage, WeightAverageSlots};
pub use weight_decay::{WeightDecay, WeightDecaySlots};

use crate::plan::{Plan, Slot};

/// A GPU kernel with its CPU twin. The implementing struct is the kernel's parameters, laid out as its uniform block.
pub trait Kernel: bytemuck::Pod + Send + Sync {
    /// Name, source, bindings: what both executors need to know.
    const INFO: &'static KernelInfo;

    /// The ways in which a GPU can compute it; the first runs everywhere.
    const VARIANTS: &'static [Variant] = &[Variant::MAIN];

    /// How many workgroups of `main` run, in x, y, z.
    fn grid(&self) -> [u32; 3];

    /// What a variant dispatches, in order.
    fn dispatches(&self, options: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let _ = (options, variant);
        vec![Dispatch { entry: "main", params: *self, grid: self.grid() }]
    }

    /// Whether a variant can compute this on such a GPU. The first always can.
    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        let _ = (options, traits);
        variant < Self::VARIANTS.len()
    }

    /// The variant to take where nothing was measured.
    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        let _ = (options, traits);
        0
    }

    /// The parts, in order, in which the reference can do it, where a later part reads what an earlier one settled: a device
    /// is then judged by what it made of its own bits.
    fn parts(&self, options: &Options) -> Vec<Part<Self>> {
        let _ = options;
        vec![Part { params: *self, settled: Vec::new() }]
    }

    /// Multiplications and additions of its matrix products; 0 for a kernel that memory bounds.
    fn flops(&self, options: &Options) -> f64 {
        let _ = options;
        0.0
    }

    /// What the kernel computes, in plain loops. `args` yields the slots in the order of the bindings.
    fn reference<T: Real>(&self, options: &Options, args: Args<'_, T>);

    /// The same in `f32`, as fast as this CPU does it: within the bounds that a GPU is held to.
    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &fast::Workers) {
        let _ = workers;
        self.reference(options, args);
    }

    /// Appends a run of this kernel to the plan.
    fn push(self, plan: &mut Plan, options: Options, slots: &[&Slot]) {
        plan.push(Self::INFO, bytemuck::bytes_of(&self), options, slots, self.grid());
    }
}

/// Every kernel there is.
pub static ALL: &[&KernelInfo] = &[
    AccumulateGradient::INFO,
    Activate::INFO,
    ActivateGrad::INFO,
    Adagrad::INFO,
    Adam::INFO,
    BatchNorm::INFO,
    BatchNormApply::INFO,
    BatchNormGrad::INFO,
    BatchNormMoving::INFO,
    BatchNormPopulation::INFO,
    CellOutput::INFO,
    CellOutputGrad::INFO,
    CellState::INFO,
    CellStateGrad::INFO,
    ClassSums::INFO,
    Clip::INFO,
    ColumnSum::INFO,
    Constrain::INFO,
    Copy::INFO,
    CopyColumns::INFO,
    CrossEntropy::INFO,
    Dropout::INFO,
    DropoutMask::INFO,
    Embed::INFO,
    EmbedGrad::INFO,
    EmbedLinks::INFO,
    Fill::INFO,
    Gather::INFO,
    GradNorm::INFO,
    GroupSquares::INFO,
    GruSequence::INFO,
    GruSequenceGrad::INFO,
    Histogram::INFO,
    Largest::INFO,
    LayerNormApply::INFO,
    LayerNormGrad::INFO,
    LayerNormGradRows::INFO,
    LayerNormGradSums::INFO,
    LayerNormStatistics::INFO,
    Lion::INFO,
    LogStep::INFO,
    Loss::INFO,
    LstmSequence::INFO,
    LstmSequenceGrad::INFO,
    MaskRows::INFO,
    Matmul::INFO,
    Merge::INFO,
    MergeGrad::INFO,
    Metric::INFO,
    Nadam::INFO,
    Penalty::INFO,
    PenaltyGrad::INFO,
    PoolSteps::INFO,
    PoolStepsGrad::INFO,
    Rearrange::INFO,
    RenormCorrection::INFO,
    RenormGrad::INFO,
    RenormMoving::INFO,
    RenormScale::INFO,
    Rescale::INFO,
    Rmsprop::INFO,
    RowWeights::INFO,
    Sgd::INFO,
    Softmax::INFO,
    SoftmaxGrad::INFO,
    StepMask::INFO,
    VariableSquares::INFO,
    WeightAverage::INFO,
    WeightDecay::INFO,
];

/// Threads of a workgroup in kernels that give each thread one element.
pub(crate) const THREADS: u32 = 64;

/// WebGPU's limit of workgroups in one dimension.
pub(crate) const MAX_GROUPS: u32 = 65_535;

/// The grid for `n` elements, one a thread: a second dimension where one is not enough (`element` in common.wgsl undoes it).
pub(crate) fn grid_1d(n: u32) -> [u32; 3] {
    let groups = n.div_ceil(THREADS).max(1);
    [groups.min(MAX_GROUPS), groups.div_ceil(MAX_GROUPS), 1]
}

/// Terms that long sums add up on their own before they join the total: rounding errors grow with the longest chain of
/// additions. `RUN` in common.wgsl.
pub(crate) const RUN: usize = 8;

/// The sum of values in runs of [`RUN`].
pub(crate) fn sum_in_runs<T: Real>(values: impl Iterator<Item = T>) -> T {
    let (mut total, mut run, mut len) = (T::zero(), T::zero(), 0);
    for value in values {
        run = run + value;
        len += 1;
        if len == RUN {
            (total, run, len) = (total + run, T::zero(), 0);
        }
    }
    total + run
}

/// What is there and the sum of rows' terms: rows of a block are added up on their own, in runs of [`RUN`].
pub(crate) fn sum_in_blocks<T: Real>(
    before: T,
    rows: std::ops::Range<usize>,
    block: usize,
    term: impl Fn(usize) -> T,
) -> T {
    let of_block = |first: usize| sum_in_runs((first..rows.end.min(first + block)).map(&term));
    rows.clone().step_by(block).fold(before, |sum, first| sum + of_block(first))
}

/// Rows of a block for which there are about as many blocks as runs in one, so that no chain of additions is long.
pub(crate) fn balanced_block(rows: usize) -> u32 {
    let runs = (rows.div_ceil(RUN) as f64).sqrt().ceil() as usize;
    (RUN * runs.next_power_of_two()) as u32
}

/// Rows that one thread of a reduction adds up before a second kernel joins the blocks in order.
pub const BLOCK_ROWS: u32 = 64;
