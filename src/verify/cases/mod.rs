//! Cases for every kernel; each function records one case with the kernel's public `record`.

mod batch_norm;
mod cells;
mod clipping;
mod columns;
mod constraints;
mod dropout;
mod elementwise;
mod embedding;
mod layer_norm;
mod losses;
mod masks;
mod matrix;
mod merging;
mod metrics;
mod optimizers;
mod pooling;
mod recurrent;
mod renorm;
mod rows;

use super::case::Builder;
use crate::kernels::Options;

/// Records a case of one kernel with these options.
pub(super) type Generator = fn(&mut Builder, &Options);

/// What makes a kernel's cases.
pub(super) fn generator(kernel: &str) -> Option<Generator> {
    Some(match kernel {
        "accumulate_gradient" => optimizers::accumulate_gradient,
        "activate" => elementwise::activate,
        "activate_grad" => elementwise::activate_grad,
        "adagrad" => optimizers::adagrad,
        "adam" => optimizers::adam,
        "batch_norm" => batch_norm::train,
        "batch_norm_apply" => batch_norm::apply,
        "batch_norm_grad" => batch_norm::grad,
        "batch_norm_moving" => batch_norm::moving,
        "class_sums" => metrics::class_sums,
        "batch_norm_population" => batch_norm::population,
        "cell_output" => cells::cell_output,
        "cell_output_grad" => cells::cell_output_grad,
        "cell_state" => cells::cell_state,
        "cell_state_grad" => cells::cell_state_grad,
        "clip" => clipping::clip,
        "column_sum" => matrix::column_sum,
        "constrain" => constraints::constrain,
        "copy" => elementwise::copy,
        "cross_entropy" => losses::cross_entropy,
        "dropout" => dropout::dropout,
        "dropout_mask" => dropout::dropout_mask,
        "copy_columns" => columns::copy_columns,
        "embed" => embedding::embed,
        "embed_grad" => embedding::embed_grad,
        "embed_links" => embedding::embed_links,
        "fill" => elementwise::fill,
        "rescale" => elementwise::rescale,
        "gather" => elementwise::gather,
        "grad_norm" => clipping::grad_norm,
        "histogram" => metrics::histogram,
        "gru_sequence" => recurrent::gru_sequence,
        "gru_sequence_grad" => recurrent::gru_sequence_grad,
        "group_squares" => constraints::group_squares,
        "layer_norm_apply" => layer_norm::apply,
        "layer_norm_grad" => layer_norm::grad,
        "layer_norm_grad_rows" => layer_norm::grad_rows,
        "layer_norm_grad_sums" => layer_norm::grad_sums,
        "layer_norm_statistics" => layer_norm::statistics_of_rows,
        "lion" => optimizers::lion,
        "log_step" => losses::log_step,
        "loss" => losses::loss,
        "lstm_sequence" => recurrent::lstm_sequence,
        "lstm_sequence_grad" => recurrent::lstm_sequence_grad,
        "mask_rows" => masks::mask_rows,
        "largest" => matrix::largest,
        "matmul" => matrix::matmul,
        "merge" => merging::merge,
        "merge_grad" => merging::merge_grad,
        "metric" => metrics::metric,
        "nadam" => optimizers::nadam,
        "pool_steps" => pooling::pool_steps,
        "pool_steps_grad" => pooling::pool_steps_grad,
        "rearrange" => merging::rearrange,
        "penalty" => constraints::penalty,
        "penalty_grad" => constraints::penalty_grad,
        "renorm_correction" => renorm::correction,
        "renorm_grad" => renorm::grad,
        "renorm_moving" => renorm::moving,
        "renorm_scale" => renorm::scale,
        "rmsprop" => optimizers::rmsprop,
        "row_weights" => losses::row_weights,
        "sgd" => optimizers::sgd,
        "softmax" => rows::softmax,
        "softmax_grad" => rows::softmax_grad,
        "step_mask" => masks::step_mask,
        "variable_squares" => clipping::variable_squares,
        "weight_average" => optimizers::weight_average,
        "weight_decay" => optimizers::weight_decay,
        _ => return None,
    })
}
