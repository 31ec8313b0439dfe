//! Losses and metrics of a batch: what is recorded on the device, where it lies in the log, and how the host finishes it.
//!
//! The device leaves sums over a batch's rows in a row of the log. For each output these are the loss, the metrics that are means of
//! rows, three sums of weights (of unmasked rows, of samples' weights, of both), and then what other metrics sum; the last column
//! is what layers add to the loss.

mod record;
mod record_loss;
mod record_metric;
mod tally;

pub(super) use record::{Judged, Measured};
pub(super) use tally::Tally;

use super::loss::Loss;
use super::metric::{Metric, Target};
use crate::error::{Error, Result};
use crate::model::Network;

/// What all outputs are scored by, and where in the log.
#[derive(Clone, Debug)]
pub(super) struct Scoring {
    pub outputs: Vec<OutputScoring>,
    /// Columns of the log.
    pub columns: usize,
}

/// One output's loss and metrics.
#[derive(Clone, Debug)]
pub(super) struct OutputScoring {
    /// Before its names in `History`, where there are several outputs.
    pub prefix: String,
    pub loss: Loss,
    /// Columns of rows, the loss first.
    pub row_metrics: Vec<Metric>,
    /// Metrics that sum blocks of rows, each with its first column.
    pub block_metrics: Vec<(Metric, usize)>,
    /// Whether a metric is one of rows, in the order in which they were given.
    order: Vec<bool>,
    /// The column of the loss.
    pub column: usize,
    features: usize,
}

/// The sums of weights behind the columns of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    Mask,
    Samples,
    Both,
}

impl OutputScoring {
    /// Columns of rows: the loss and metrics.
    pub fn row_columns(&self) -> usize {
        1 + self.row_metrics.len()
    }

    /// The column of a sum of weights.
    pub fn weights_column(&self, weights: Weights) -> usize {
        self.column + self.row_columns() + weights as usize
    }

    fn new(prefix: String, shape: &[usize], loss: Loss, metrics: &[&Metric], column: usize) -> Result<Self> {
        loss.check()?;
        let features = shape.last().copied().unwrap_or(1);
        let target = Target { outputs: features, sequence: shape.len() > 1, sparse: loss.kind().is_sparse() };
        let mut scoring = OutputScoring {
            prefix,
            loss,
            row_metrics: Vec::new(),
            block_metrics: Vec::new(),
            order: Vec::new(),
            column,
            features,
        };
        for metric in metrics {
            let metric = metric.resolve(target)?;
            let of_rows = !metric.width(features).1;
            scoring.order.push(of_rows);
            if of_rows {
                scoring.row_metrics.push(metric);
            } else {
                scoring.block_metrics.push((metric, 0));
            }
        }
        let mut at = scoring.weights_column(Weights::Both) + 1;
        for (metric, column) in &mut scoring.block_metrics {
            *column = at;
            at += metric.width(features).0;
        }
        Ok(scoring)
    }

    /// The column behind its last.
    fn end(&self) -> usize {
        let weights_end = self.weights_column(Weights::Both) + 1;
        self.block_metrics.last().map_or(weights_end, |(metric, column)| column + metric.width(self.features).0)
    }

    /// Metrics in the order in which they were given, each with its first column.
    pub fn metrics(&self) -> Vec<(&Metric, usize)> {
        let mut of_rows = self.row_metrics.iter().zip(self.column + 1..);
        let mut of_blocks = self.block_metrics.iter().map(|(metric, column)| (metric, *column));
        self.order.iter().filter_map(|&rows| if rows { of_rows.next() } else { of_blocks.next() }).collect()
    }

    /// The shape of the targets of an output of this shape.
    pub fn target_shape(&self, output: &[usize]) -> Vec<usize> {
        match output {
            [rest @ .., _] if self.loss.kind().is_sparse() => [rest, &[1]].concat(),
            shape => shape.to_vec(),
        }
    }

    /// Checks that numbers of classes are some.
    pub fn check_targets(&self, values: &[f32]) -> Result<()> {
        let classes = self.features;
        let is_class = |&v: &f32| v >= 0.0 && v.fract() == 0.0 && (v as usize) < classes;
        match values.iter().position(|v| !is_class(v)) {
            Some(at) if self.loss.kind().is_sparse() => Err(Error::usage(format!(
                "the loss {} takes the numbers 0 to {} of {classes} classes, but target {at} is {}",
                self.loss.name(),
                classes - 1,
                values[at]
            ))),
            _ => Ok(()),
        }
    }
}

impl Scoring {
    /// One loss for all outputs or one for each, and metrics by the outputs' names.
    pub fn new(network: &Network, losses: &[Loss], metrics: &[Metric]) -> Result<Scoring> {
        let (names, shapes) = (network.output_names(), network.output_shapes());
        let several = names.len() > 1;
        if losses.len() != 1 && losses.len() != names.len() {
            return Err(Error::usage(format!(
                "the model has {} outputs, but {} losses: give one for each, or one for all",
                names.len(),
                losses.len()
            )));
        }
        let of_output = |name: &str| -> Vec<&Metric> {
            metrics.iter().filter(|m| !several || m.output.as_deref() == Some(name)).collect()
        };
        let strange = metrics.iter().find(|m| match m.output.as_deref() {
            Some(output) => !names.contains(&output),
            None => several,
        });
        if let Some(metric) = strange {
            let whose =
                metric.output.as_ref().map_or("no output".to_owned(), |output| format!("the output `{output}`"));
            return Err(Error::usage(format!(
                "metric `{}` is for {whose}; the model's outputs are: {}",
                metric.name(),
                names.join(", ")
            )));
        }
        let mut outputs: Vec<OutputScoring> = Vec::with_capacity(names.len());
        for (i, (name, shape)) in names.iter().zip(shapes).enumerate() {
            let prefix = if several { format!("{name}_") } else { String::new() };
            let loss = losses[i.min(losses.len() - 1)];
            let column = outputs.last().map_or(0, OutputScoring::end);
            outputs.push(OutputScoring::new(prefix, shape, loss, &of_output(name), column)?);
        }
        let columns = outputs.last().map_or(0, OutputScoring::end) + 1;
        Ok(Scoring { outputs, columns })
    }

    /// The column of what layers add to the loss.
    pub fn penalty_column(&self) -> usize {
        self.columns - 1
    }
}
