//! Normalisation with given statistics, and with a row's own.

use super::graph::{Graph, int, ints};
use super::site::Site;
use crate::formats::keras_args::Read;

/// (x - mean) scale + offset, each of a shape that spreads over x. The mean is taken off first: of large numbers with a
/// small spread a factor and an offset alone would lose it.
pub(super) fn affine(graph: &mut Graph, x: &str, mean: &str, scale: &str, offset: Option<&str>) -> String {
    let centred = graph.op("Sub", &[x, mean], vec![]);
    let scaled = graph.op("Mul", &[&centred, scale], vec![]);
    match offset {
        Some(offset) => graph.op("Add", &[&scaled, offset], vec![]),
        None => scaled,
    }
}

/// 1 / sqrt(variance + epsilon), times gamma.
pub(super) fn scales(variance: &[f32], gamma: Option<&[f32]>, epsilon: f64) -> Vec<f32> {
    let gamma = |i: usize| gamma.map_or(1.0, |gamma| f64::from(gamma[i % gamma.len()]));
    let scale = |(i, &variance): (usize, &f32)| (gamma(i) / (f64::from(variance) + epsilon).sqrt()) as f32;
    variance.iter().enumerate().map(scale).collect()
}

/// Layer normalisation over the last axis. The operator of this name is not used: runtimes take E[x²] - E[x]² for the
/// variance.
pub(super) fn of_rows(graph: &mut Graph, x: &str, epsilon: f64, gamma: Option<&str>, beta: Option<&str>) -> String {
    let over_last = || vec![ints("axes", &[-1]), int("keepdims", 1)];
    let mean = graph.op("ReduceMean", &[x], over_last());
    let centred = graph.op("Sub", &[x, &mean], vec![]);
    let squares = graph.op("Mul", &[&centred, &centred], vec![]);
    let variance = graph.op("ReduceMean", &[&squares], over_last());
    let epsilon = graph.float(epsilon as f32);
    let above_zero = graph.op("Add", &[&variance, &epsilon], vec![]);
    let deviation = graph.op("Sqrt", &[&above_zero], vec![]);
    let mut y = graph.op("Div", &[&centred, &deviation], vec![]);
    for (operator, variable) in [("Mul", gamma), ("Add", beta)] {
        if let Some(variable) = variable {
            y = graph.op(operator, &[&y, variable], vec![]);
        }
    }
    y
}

/// Batch normalisation within a recurrence: mean and scale of each step, `[T, F]`; later steps have the last one's.
pub(super) struct StepNorm {
    pub mean: String,
    pub scale: String,
    beta: Option<String>,
}

impl StepNorm {
    /// Of the variables `gamma_PART`, `moving_mean_PART` and `moving_variance_PART`, for the steps of `like`, `[N, T,
    /// F]`.
    pub fn new(site: &mut Site<'_>, part: &str, beta: Option<&str>, epsilon: f64, like: &str) -> Read<StepNorm> {
        let gamma = &site.weight(&format!("gamma_{part}"))?.values;
        let variance = site.weight(&format!("moving_variance_{part}"))?;
        let scales = scales(&variance.values, Some(gamma), epsilon);
        let mean = site.variable(&format!("moving_mean_{part}"))?;
        let scale = site.part(&format!("scale_{part}"), &variance.shape, &scales);
        let beta = beta.map(|name| site.variable(name)).transpose()?;
        let places = places(site.graph, like, variance.shape[0]);
        let mut of_steps = |table: &str| site.graph.op("Gather", &[table, &places], vec![int("axis", 0)]);
        Ok(StepNorm { mean: of_steps(&mean), scale: of_steps(&scale), beta })
    }

    /// (x - mean) scale + beta
    pub fn apply(&self, graph: &mut Graph, x: &str, [mean, scale]: [&str; 2]) -> String {
        affine(graph, x, mean, scale, self.beta.as_deref())
    }
}

/// 0, 1, ... and from `count` - 1 on always this, for each step.
fn places(graph: &mut Graph, like: &str, count: usize) -> String {
    let steps = graph.op("Shape", &[like], vec![int("start", 1), int("end", 2)]);
    let first = graph.ints(&[0]);
    let steps = graph.op("Squeeze", &[&steps, &first], vec![]);
    let (zero, one, last) = (graph.int(0), graph.int(1), graph.int(count as i64 - 1));
    let times = graph.op("Range", &[&zero, &steps, &one], vec![]);
    graph.op("Min", &[&times, &last], vec![])
}
