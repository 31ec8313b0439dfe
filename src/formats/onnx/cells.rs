//! Recurrent cells as bodies of a `Scan`: those that the operators `LSTM` and `GRU` have no words for.

use super::Value;
use super::activation::apply;
use super::graph::{Graph, int};
use super::masks;
use super::norms::{self, StepNorm};
use super::recurrent::{Recurrent, Swept};
use super::scan::Loop;
use super::site::Site;
use crate::formats::keras_args::{Args, Read};
use crate::model::Activation;

/// The activations of an LSTM's cell, what of the cell state its gates see, and whether its input gate is coupled.
struct Cell {
    activation: Activation,
    recurrent_activation: Activation,
    /// For i, f and o.
    peepholes: Option<[String; 3]>,
    coupled: bool,
}

impl Cell {
    /// h' and c' from the gates before activation, `[N, gates H]`; `norm` is of the cell state on its way out.
    fn write(
        &self,
        graph: &mut Graph,
        z: &str,
        c: &str,
        norm: impl FnOnce(&mut Graph, String) -> String,
    ) -> Vec<String> {
        let last = || vec![int("axis", -1)];
        let (z_i, [z_f, z_c, z_o]) = if self.coupled {
            (None, graph.op_of("Split", &[z], last()))
        } else {
            let [i, f, c, o] = graph.op_of("Split", &[z], last());
            (Some(i), [f, c, o])
        };
        let f = self.gate(graph, &z_f, 1, c);
        let i = match z_i {
            Some(z_i) => self.gate(graph, &z_i, 0, c),
            None => {
                let one = graph.float(1.0);
                graph.op("Sub", &[&one, &f], vec![])
            }
        };
        let candidate = apply(graph, self.activation, &z_c);
        let kept = graph.op("Mul", &[&f, c], vec![]);
        let added = graph.op("Mul", &[&i, &candidate], vec![]);
        let c = graph.op("Add", &[&kept, &added], vec![]);
        let o = self.gate(graph, &z_o, 2, &c);
        let normed = norm(graph, c.clone());
        let out = apply(graph, self.activation, &normed);
        vec![graph.op("Mul", &[&o, &out], vec![]), c]
    }

    fn gate(&self, graph: &mut Graph, z: &str, peephole: usize, c: &str) -> String {
        let seen = self.peepholes.as_ref().map(|weights| graph.op("Mul", &[c, &weights[peephole]], vec![]));
        let z = seen.map_or_else(|| z.to_owned(), |seen| graph.op("Add", &[z, &seen], vec![]));
        apply(graph, self.recurrent_activation, &z)
    }
}

/// x·kernel, and the bias, of all steps.
fn project(site: &mut Site<'_>, x: &str, bias: Option<&str>) -> Read<String> {
    let kernel = site.variable("kernel")?;
    let product = site.graph.op("MatMul", &[x, &kernel], vec![]);
    Ok(match bias {
        Some(bias) => site.graph.op("Add", &[&product, bias], vec![]),
        None => product,
    })
}

/// The given initial states, or zeros.
fn initial(graph: &mut Graph, given: Vec<String>, like: &str, units: usize, count: usize) -> Vec<String> {
    match given.is_empty() {
        true => vec![masks::zeros(graph, like, &[units]); count],
        false => given,
    }
}

/// An LSTM of any activations, with peepholes and coupled gates.
pub(super) fn lstm(site: &mut Site<'_>, layer: &Recurrent, input: &Value, given: Vec<String>) -> Read<Swept> {
    let bias = if layer.use_bias { Some(site.variable("bias")?) } else { None };
    let x = project(site, &input.name, bias.as_deref())?;
    let recurrent = site.variable("recurrent_kernel")?;
    let peepholes = match layer.peepholes {
        true => {
            let values = &site.weight("peephole_kernel")?.values;
            let rows: Vec<&[f32]> = values.chunks(layer.units).collect();
            let mut row = |i: usize, gate: &str| site.part(&format!("peephole_kernel/{gate}"), &[layer.units], rows[i]);
            // A coupled input gate sees what the forget gate does.
            let of_i = if layer.coupled_gates { String::new() } else { row(0, "i") };
            Some([of_i, row(1, "f"), row(2, "o")])
        }
        false => None,
    };
    let cell = Cell {
        activation: layer.activation,
        recurrent_activation: layer.recurrent_activation,
        peepholes,
        coupled: layer.coupled_gates,
    };
    let graph = &mut *site.graph;
    let states = initial(graph, given, &input.name, layer.units, 2);
    let mask = input.mask.as_ref().map(|mask| masks::column(graph, mask));
    let run = Loop { scanned: vec![(x, 1)], states, mask: mask.as_deref(), backwards: layer.go_backwards };
    Ok(run.write(graph, |graph, states, steps| {
        let product = graph.op("MatMul", &[&states[0], &recurrent], vec![]);
        let z = graph.op("Add", &[&steps[0], &product], vec![]);
        cell.write(graph, &z, &states[1], |_, c| c)
    }))
}

/// A GRU of any activations.
pub(super) fn gru(site: &mut Site<'_>, layer: &Recurrent, input: &Value, given: Vec<String>) -> Read<Swept> {
    let (units, width) = (layer.units, 3 * layer.units);
    let biases = if layer.use_bias { site.weight("bias")?.values.as_slice() } else { &[] };
    let bias = |site: &mut Site<'_>, name: &str, values: &[f32]| match values {
        [] => None,
        values => Some(site.part(name, &[width], values)),
    };
    let of_x = bias(site, "bias", &biases[..width.min(biases.len())]);
    let of_h = bias(site, "recurrent_bias", &biases[width.min(biases.len())..]);
    let x = project(site, &input.name, of_x.as_deref())?;
    // Of z and r; of the candidate.
    let recurrent = site.weight("recurrent_kernel")?;
    let columns = |range: std::ops::Range<usize>| -> Vec<f32> {
        recurrent.values.chunks(width).flat_map(|row| row[range.clone()].to_vec()).collect()
    };
    let kernels = match layer.reset_after {
        true => [site.variable("recurrent_kernel")?, String::new()],
        false => [
            site.part("recurrent_kernel/zr", &[units, 2 * units], &columns(0..2 * units)),
            site.part("recurrent_kernel/h", &[units, units], &columns(2 * units..width)),
        ],
    };
    let graph = &mut *site.graph;
    let states = initial(graph, given, &input.name, units, 1);
    let mask = input.mask.as_ref().map(|mask| masks::column(graph, mask));
    let run = Loop { scanned: vec![(x, 1)], states, mask: mask.as_deref(), backwards: layer.go_backwards };
    Ok(run.write(graph, |graph, states, steps| {
        vec![gru_step(graph, layer, &states[0], &steps[0], &kernels, of_h.as_deref())]
    }))
}

fn gru_step(
    graph: &mut Graph,
    layer: &Recurrent,
    h: &str,
    x: &str,
    [kernel, of_candidate]: &[String; 2],
    bias: Option<&str>,
) -> String {
    let last = || vec![int("axis", -1)];
    let mut product = graph.op("MatMul", &[h, kernel], vec![]);
    if let Some(bias) = bias {
        product = graph.op("Add", &[&product, bias], vec![]);
    }
    let [x_z, x_r, x_g] = graph.op_of("Split", &[x], last());
    let (h_z, h_r, h_g) = if layer.reset_after {
        let [z, r, g] = graph.op_of("Split", &[&product], last());
        (z, r, Some(g))
    } else {
        let [z, r] = graph.op_of("Split", &[&product], last());
        (z, r, None)
    };
    let mut gate = |x: &str, h: &str| {
        let sum = graph.op("Add", &[x, h], vec![]);
        apply(graph, layer.recurrent_activation, &sum)
    };
    let (z, r) = (gate(&x_z, &h_z), gate(&x_r, &h_r));
    let seen = match h_g {
        Some(product) => graph.op("Mul", &[&r, &product], vec![]),
        None => {
            let reset = graph.op("Mul", &[&r, h], vec![]);
            graph.op("MatMul", &[&reset, of_candidate], vec![])
        }
    };
    let sum = graph.op("Add", &[&x_g, &seen], vec![]);
    let candidate = apply(graph, layer.activation, &sum);
    // h' = z h + (1 - z) g
    let one = graph.float(1.0);
    let kept = graph.op("Mul", &[&z, h], vec![]);
    let rest = graph.op("Sub", &[&one, &z], vec![]);
    let added = graph.op("Mul", &[&rest, &candidate], vec![]);
    graph.op("Add", &[&kept, &added], vec![])
}

/// What the LSTMs that are normalised within their recurrence have in common.
struct Normed {
    units: usize,
    return_sequences: bool,
    epsilon: f64,
}

const PLAIN: Cell =
    Cell { activation: Activation::Tanh, recurrent_activation: Activation::Sigmoid, peepholes: None, coupled: false };

impl Normed {
    fn read(args: &mut Args<'_>, input: &Value) -> Read<Normed> {
        if input.mask.is_some() {
            return Err("it does not know masked steps: leave Masking out in front of it, or use an LSTM".to_owned());
        }
        Ok(Normed {
            units: args.count("units")?,
            return_sequences: args.flag("return_sequences", false)?,
            epsilon: args.number("epsilon", 1e-3)?,
        })
    }

    fn output(&self, swept: Swept) -> Value {
        Value::plain(if self.return_sequences { swept.outputs } else { swept.last[0].clone() })
    }
}

/// The LSTM with layer normalisation in its recurrence (Ba et al. 2016).
pub(super) fn layer_norm_lstm(site: &mut Site<'_>, args: &mut Args<'_>, input: &Value) -> Read<Value> {
    let layer = Normed::read(args, input)?;
    let x = project(site, &input.name, None)?;
    let mut variable = |name: &str| site.variable(name);
    let (bias, gamma_x, gamma_h) = (variable("bias")?, variable("gamma_x")?, variable("gamma_h")?);
    let (gamma_c, beta_c, recurrent) = (variable("gamma_c")?, variable("beta_c")?, variable("recurrent_kernel")?);
    let graph = &mut *site.graph;
    let x = norms::of_rows(graph, &x, layer.epsilon, Some(&gamma_x), Some(&bias));
    let states = initial(graph, Vec::new(), &input.name, layer.units, 2);
    let run = Loop { scanned: vec![(x, 1)], states, mask: None, backwards: false };
    let swept = run.write(graph, |graph, states, steps| {
        let product = graph.op("MatMul", &[&states[0], &recurrent], vec![]);
        let normed = norms::of_rows(graph, &product, layer.epsilon, Some(&gamma_h), None);
        let z = graph.op("Add", &[&steps[0], &normed], vec![]);
        PLAIN.write(graph, &z, &states[1], |graph, c| {
            norms::of_rows(graph, &c, layer.epsilon, Some(&gamma_c), Some(&beta_c))
        })
    });
    Ok(layer.output(swept))
}

/// The LSTM with batch normalisation in its recurrence (Cooijmans et al. 2016), each step with the moving statistics of
/// its own.
pub(super) fn recurrent_batch_norm_lstm(site: &mut Site<'_>, args: &mut Args<'_>, input: &Value) -> Read<Value> {
    let layer = Normed::read(args, input)?;
    let norms = [("x", Some("bias")), ("h", None), ("c", Some("beta_c"))];
    let [of_x, of_h, of_c] = norms.map(|(part, beta)| StepNorm::new(site, part, beta, layer.epsilon, &input.name));
    let (of_x, of_h, of_c) = (of_x?, of_h?, of_c?);
    let x = project(site, &input.name, None)?;
    let recurrent = site.variable("recurrent_kernel")?;
    let graph = &mut *site.graph;
    let x = of_x.apply(graph, &x, [&of_x.mean, &of_x.scale]);
    let states = initial(graph, Vec::new(), &input.name, layer.units, 2);
    let tables = [&of_h.mean, &of_h.scale, &of_c.mean, &of_c.scale].map(|table| (table.clone(), 0));
    let scanned = std::iter::once((x, 1)).chain(tables).collect();
    let run = Loop { scanned, states, mask: None, backwards: false };
    let swept = run.write(graph, |graph, states, steps| {
        let product = graph.op("MatMul", &[&states[0], &recurrent], vec![]);
        let normed = of_h.apply(graph, &product, [&steps[1], &steps[2]]);
        let z = graph.op("Add", &[&steps[0], &normed], vec![]);
        PLAIN.write(graph, &z, &states[1], |graph, c| of_c.apply(graph, &c, [&steps[3], &steps[4]]))
    });
    Ok(layer.output(swept))
}
