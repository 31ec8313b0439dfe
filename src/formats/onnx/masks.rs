//! Masks of steps: floats `[N, T]`, 1 where a step counts and else 0.

use super::graph::{Graph, int, ints, tensor};
use super::proto::data_type;

/// Where not all features of `x`, `[N, T, F]`, equal a value.
pub(super) fn differing(graph: &mut Graph, x: &str, value: f32) -> String {
    let value = graph.float(value);
    let equal = graph.op("Equal", &[x, &value], vec![]);
    let differs = graph.op("Not", &[&equal], vec![]);
    let differs = graph.op("Cast", &[&differs], vec![int("to", data_type::FLOAT.into())]);
    graph.op("ReduceMax", &[&differs], vec![ints("axes", &[-1]), int("keepdims", 0)])
}

/// The mask as a column beside the features, `[N, T, 1]`.
pub(super) fn column(graph: &mut Graph, mask: &str) -> String {
    let last = graph.ints(&[-1]);
    graph.op("Unsqueeze", &[mask, &last], vec![])
}

/// Whether steps count, as truth values, `[N, T, 1]`.
pub(super) fn truths(graph: &mut Graph, mask: &str) -> String {
    let column = column(graph, mask);
    graph.op("Cast", &[&column], vec![int("to", data_type::BOOL.into())])
}

/// Where either counts.
pub(super) fn either(graph: &mut Graph, a: &str, b: &str) -> String {
    if a == b { a.to_owned() } else { graph.op("Max", &[a, b], vec![]) }
}

/// A mask of `x`, `[N, T, F]`, by which all steps count.
pub(super) fn all(graph: &mut Graph, x: &str) -> String {
    let steps = graph.op("Shape", &[x], vec![int("start", 0), int("end", 2)]);
    graph.op("ConstantOfShape", &[&steps], vec![tensor("value", 1.0)])
}

/// Zeros, for each sample of `like` an array of this shape.
pub(super) fn zeros(graph: &mut Graph, like: &str, shape: &[usize]) -> String {
    let samples = graph.op("Shape", &[like], vec![int("start", 0), int("end", 1)]);
    let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    let shape = graph.ints(&shape);
    let shape = graph.op("Concat", &[&samples, &shape], vec![int("axis", 0)]);
    graph.op("ConstantOfShape", &[&shape], vec![tensor("value", 0.0)])
}

/// The steps that count, moved together: the operators `LSTM` and `GRU` know masks that are lengths only, so that they
/// are given these steps alone, in the order in which they are read, and what they give is put back where the steps
/// were.
pub(super) struct Together {
    /// The places of the steps that count, and behind them those of the others, `[N, T, 1]`.
    places: String,
    /// How many steps that count were read before and with each step, in the order of time, `[N, T, 1]`.
    counts: String,
    /// How many count, `[N]`, in 32 bits.
    pub lengths: String,
    /// The same as an index for each sample, `[N, 1]`.
    ends: String,
}

impl Together {
    /// Of a mask; `backwards` reads from the last step on.
    pub fn new(graph: &mut Graph, mask: &str, backwards: bool) -> Together {
        let last = graph.ints(&[-1]);
        let places = sorted(graph, mask, backwards);
        let axis = graph.int(1);
        let counts = graph.op("CumSum", &[mask, &axis], vec![int("reverse", backwards.into())]);
        let axes = graph.ints(&[1]);
        let ends = graph.op("ReduceSum", &[mask, &axes], vec![int("keepdims", 1)]);
        let lengths = graph.op("Squeeze", &[&ends, &axes], vec![]);
        let mut whole = |x: &str, to: i32| graph.op("Cast", &[x], vec![int("to", to.into())]);
        let (counts, ends) = (whole(&counts, data_type::INT64), whole(&ends, data_type::INT64));
        let lengths = whole(&lengths, data_type::INT32);
        let mut index = |x: &str| graph.op("Unsqueeze", &[x, &last], vec![]);
        let (places, counts) = (index(&places), index(&counts));
        Together { places, counts, lengths, ends }
    }

    /// The steps of `x`, `[N, T, F]`, moved together.
    pub fn gather(&self, graph: &mut Graph, x: &str) -> String {
        graph.op("GatherND", &[x, &self.places], vec![int("batch_dims", 1)])
    }

    /// For each step the state after the last one that was read, and the state after all; from the states `[N, T, H]`
    /// after each of the steps together, and the one before them, `[N, 1, H]`.
    pub fn put_back(&self, graph: &mut Graph, states: &str, first: &str) -> (String, String) {
        let states = graph.op("Concat", &[first, states], vec![int("axis", 1)]);
        let steps = graph.op("GatherND", &[&states, &self.counts], vec![int("batch_dims", 1)]);
        (steps, graph.op("GatherND", &[&states, &self.ends], vec![int("batch_dims", 1)]))
    }
}

/// The places of all steps, `[N, T]`: first those that count, in the order in which they are read.
fn sorted(graph: &mut Graph, mask: &str, backwards: bool) -> String {
    let steps = graph.op("Shape", &[mask], vec![int("start", 1), int("end", 2)]);
    let first = graph.ints(&[0]);
    let count = graph.op("Squeeze", &[&steps, &first], vec![]);
    let (zero, one) = (graph.int(0), graph.int(1));
    let times = graph.op("Range", &[&zero, &count, &one], vec![]);
    let times = graph.op("Cast", &[&times], vec![int("to", data_type::FLOAT.into())]);
    let count = graph.op("Cast", &[&count], vec![int("to", data_type::FLOAT.into())]);
    // T for a step that counts, and less than T for what sorts those that do, and those that do not.
    let counting = graph.op("Mul", &[mask, &count], vec![]);
    let ranks = graph.op(if backwards { "Add" } else { "Sub" }, &[&counting, &times], vec![]);
    let [_, places] = graph.op_of("TopK", &[&ranks, &steps], vec![]);
    places
}
