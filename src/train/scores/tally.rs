//! From the log's rows to what is reported.

use std::sync::Arc;

use super::super::history::Scores;
use super::super::loss::Reduction;
use super::super::run::Sums;
use super::{Measured, OutputScoring, Scoring, Weights};

impl Measured {
    /// Fills the columns that the plan does not write: rows that all count 1 weigh as much as they are many.
    pub fn complete(&self, scoring: &Scoring, row: &mut [f64]) {
        for (output, &(rows, masked, weighted)) in scoring.outputs.iter().zip(&self.outputs) {
            let [mask, samples, both] =
                [Weights::Mask, Weights::Samples, Weights::Both].map(|weights| output.weights_column(weights));
            if !masked {
                row[mask] = rows as f64;
            }
            if !weighted {
                row[samples] = rows as f64;
            }
            if !masked && !weighted {
                row[both] = rows as f64;
            }
        }
        if !self.penalized {
            row[scoring.penalty_column()] = 0.0;
        }
    }
}

/// What batches add up to: their sums for the metrics, and the mean of their losses, weighted by their samples as in `History`.
#[derive(Clone, Debug)]
pub(in crate::train) struct Tally {
    scoring: Arc<Scoring>,
    sums: Vec<f64>,
    /// The whole loss and each output's, times the samples.
    losses: Vec<f64>,
    /// Rows of each output.
    rows: Vec<f64>,
    samples: f64,
}

impl Tally {
    /// Of no batch yet.
    pub fn new(scoring: &Arc<Scoring>) -> Tally {
        let outputs = scoring.outputs.len();
        Tally {
            scoring: scoring.clone(),
            sums: vec![0.0; scoring.columns],
            losses: vec![0.0; 1 + outputs],
            rows: vec![0.0; outputs],
            samples: 0.0,
        }
    }

    /// All sums by their bits.
    pub fn bits(&self) -> Vec<Vec<u64>> {
        let bits = |sums: &[f64]| sums.iter().map(|sum| sum.to_bits()).collect();
        [&self.sums, &self.losses, &self.rows, &[self.samples][..]].map(bits).to_vec()
    }

    /// Goes on from such bits, if they are a tally's of the same scores.
    pub fn set_bits(&mut self, bits: &[Vec<u64>]) -> bool {
        let samples = std::slice::from_mut(&mut self.samples);
        let sums = [&mut self.sums[..], &mut self.losses[..], &mut self.rows[..], samples];
        let fits = bits.len() == sums.len() && bits.iter().zip(&sums).all(|(bits, sums)| bits.len() == sums.len());
        if fits {
            let pairs = sums.into_iter().zip(bits).flat_map(|(sums, bits)| sums.iter_mut().zip(bits));
            pairs.for_each(|(sum, &bits)| *sum = f64::from_bits(bits));
        }
        fits
    }

    /// Adds batches.
    pub fn add_all(&mut self, batches: &[Sums]) {
        batches.iter().for_each(|batch| self.add(batch));
    }

    /// Adds a batch.
    pub fn add(&mut self, Sums { row, measured, samples }: &Sums) {
        let samples = *samples as f64;
        let mut whole = row[self.scoring.penalty_column()];
        for (i, (output, &(rows, ..))) in self.scoring.outputs.iter().zip(&measured.outputs).enumerate() {
            let loss = output.loss_of(row, rows);
            whole += output.loss.counts_for() * loss;
            self.losses[1 + i] += samples * loss;
            self.rows[i] += rows as f64;
        }
        self.losses[0] += samples * whole;
        self.samples += samples;
        self.sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }

    /// Loss, then each output's where there are several, then the metrics.
    pub fn scores(&self, prefix: &str) -> Scores {
        let scoring = &self.scoring;
        let mut scores = vec![(format!("{prefix}loss"), self.losses[0] / self.samples)];
        if scoring.outputs.len() > 1 {
            let of_output = |(output, loss): (&OutputScoring, &f64)| {
                (format!("{prefix}{}loss", output.prefix), loss / self.samples)
            };
            scores.extend(scoring.outputs.iter().zip(&self.losses[1..]).map(of_output));
        }
        // As in Keras, weighted metrics come last.
        for weighted in [false, true] {
            for (output, &rows) in scoring.outputs.iter().zip(&self.rows) {
                for (metric, column) in output.metrics().into_iter().filter(|(metric, _)| metric.weighted == weighted) {
                    let weights = metric.weights().map_or(rows, |weights| self.sums[output.weights_column(weights)]);
                    let sums = &self.sums[column..column + metric.width(output.features).0];
                    let before = format!("{prefix}{}", output.prefix);
                    let name = unique(&scores, &before, metric.name(), weighted);
                    scores.push((name, metric.finish(sums, weights)));
                }
            }
        }
        Scores(scores)
    }
}

/// Keras numbers a second metric of one name, and says of a weighted one that it is.
fn unique(scores: &[(String, f64)], before: &str, name: &str, weighted: bool) -> String {
    let taken = |name: &str| scores.iter().any(|(other, _)| other == name);
    let name = match format!("{before}{name}") {
        plain if weighted && taken(&plain) => format!("{before}weighted_{name}"),
        plain => plain,
    };
    let numbered = |i: usize| if i == 0 { name.clone() } else { format!("{name}_{i}") };
    (0..).map(numbered).find(|name| !taken(name)).unwrap_or_default()
}

impl OutputScoring {
    /// The loss of a batch, not yet weighted.
    fn loss_of(&self, row: &[f64], rows: usize) -> f64 {
        let sum = row[self.column];
        let divisor = match self.loss.reduced_by() {
            Reduction::SumOverBatchSize => row[self.weights_column(Weights::Mask)],
            Reduction::Sum => 1.0,
            Reduction::MeanWithSampleWeight => row[self.weights_column(Weights::Both)],
        };
        // Keras divides nothing by nothing to 0; what is not a number must be seen.
        if divisor == 0.0 && rows > 0 && sum == 0.0 { 0.0 } else { sum / divisor }
    }
}
