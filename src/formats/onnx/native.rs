//! LSTM and GRU as the operators of these names.

use super::Value;
use super::activation::{Word, word};
use super::graph::{floats, int, ints, text, texts};
use super::masks::{self, Together};
use super::recurrent::{Recurrent, Swept};
use super::site::Site;
use crate::formats::keras_args::Read;

/// Whether the operators have words for all of a layer.
pub(super) fn knows(layer: &Recurrent) -> bool {
    !layer.coupled_gates && word(layer.activation).is_some() && word(layer.recurrent_activation).is_some()
}

/// Keras's gates i, f, c, o in ONNX's order i, o, f, c.
const LSTM_GATES: [usize; 4] = [0, 3, 1, 2];
/// Keras's peepholes i, f, o in ONNX's order i, o, f.
const PEEPHOLES: [usize; 3] = [0, 2, 1];
/// z, r and the candidate: the order is the same.
const GRU_GATES: [usize; 3] = [0, 1, 2];

/// The operator, and what it takes to give it batch-major tensors and masks of any pattern.
pub(super) fn write(site: &mut Site<'_>, layer: &Recurrent, input: &Value, initial: &[String]) -> Read<Swept> {
    let together = input.mask.as_ref().map(|mask| Together::new(site.graph, mask, layer.go_backwards));
    let sequence = match &together {
        Some(together) => together.gather(site.graph, &input.name),
        None => input.name.clone(),
    };
    let time_major = || ints("perm", &[1, 0, 2]);
    let x = site.graph.op("Transpose", &[&sequence], vec![time_major()]);
    let [w, r, b, p] = weights(site, layer)?;
    let (first, directions) = (site.graph.ints(&[0]), site.graph.ints(&[1]));
    let states: Vec<String> =
        initial.iter().map(|state| site.graph.op("Unsqueeze", &[state, &first], vec![])).collect();
    let state = |i: usize| states.get(i).map_or("", String::as_str);
    let lengths = together.as_ref().map_or("", |together| &together.lengths);
    let mut inputs = vec![x.as_str(), &w, &r, &b, lengths, state(0)];
    if !layer.gru {
        inputs.extend([state(1), &p]);
    }
    while inputs.last().is_some_and(|name| name.is_empty()) {
        inputs.pop();
    }
    // The steps together are in the order in which they are read.
    let attributes = attributes(layer, layer.go_backwards && together.is_none());
    let mut last = Vec::with_capacity(2);
    let outputs = if layer.gru {
        let [all, h] = site.graph.op_of("GRU", &inputs, attributes);
        last.push(h);
        all
    } else {
        let [all, h, c] = site.graph.op_of("LSTM", &inputs, attributes);
        last.extend([h, c]);
        all
    };
    let outputs = site.graph.op("Squeeze", &[&outputs, &directions], vec![]);
    let outputs = site.graph.op("Transpose", &[&outputs], vec![time_major()]);
    let last = last.iter().map(|state| site.graph.op("Squeeze", &[state, &first], vec![])).collect();
    let swept = Swept { outputs, last };
    Ok(match together {
        Some(together) => put_back(site, layer, together, swept, initial),
        None => swept,
    })
}

/// Outputs where the steps were, and the states of samples of which no step counts, which are the initial ones.
fn put_back(site: &mut Site<'_>, layer: &Recurrent, together: Together, swept: Swept, initial: &[String]) -> Swept {
    let graph = &mut *site.graph;
    let first = match initial.first() {
        Some(h) => {
            let axis = graph.ints(&[1]);
            graph.op("Unsqueeze", &[h, &axis], vec![])
        }
        None => masks::zeros(graph, &swept.outputs, &[1, layer.units]),
    };
    let (outputs, h) = together.put_back(graph, &swept.outputs, &first);
    let mut last = vec![h];
    if let Some(c) = swept.last.get(1) {
        last.push(match initial.get(1) {
            // Without a length the operator gives 0.
            Some(initial) => {
                let (zero, axes) = (graph.float(0.0), graph.ints(&[-1]));
                let lengths = graph.op("Unsqueeze", &[&together.lengths, &axes], vec![]);
                let lengths = graph.op("Cast", &[&lengths], vec![int("to", super::proto::data_type::FLOAT.into())]);
                let read = graph.op("Greater", &[&lengths, &zero], vec![]);
                graph.op("Where", &[&read, c, initial], vec![])
            }
            None => c.clone(),
        });
    }
    Swept { outputs, last }
}

fn attributes(layer: &Recurrent, reverse: bool) -> Vec<super::proto::Attribute> {
    let words = |activations: &[crate::model::Activation]| -> Vec<Word> {
        activations.iter().filter_map(|&activation| word(activation)).collect()
    };
    let (gate, of_state) = (layer.recurrent_activation, layer.activation);
    let words = if layer.gru { words(&[gate, of_state]) } else { words(&[gate, of_state, of_state]) };
    let names: Vec<&str> = words.iter().map(|word| word.name).collect();
    let alphas: Vec<f32> = words.iter().filter_map(|word| word.alpha).collect();
    let betas: Vec<f32> = words.iter().filter_map(|word| word.beta).collect();
    let mut attributes = vec![int("hidden_size", layer.units as i64), texts("activations", &names)];
    if !alphas.is_empty() {
        attributes.push(floats("activation_alpha", &alphas));
    }
    if !betas.is_empty() {
        attributes.push(floats("activation_beta", &betas));
    }
    if reverse {
        attributes.push(text("direction", "reverse"));
    }
    if layer.gru {
        attributes.push(int("linear_before_reset", layer.reset_after.into()));
    }
    attributes
}

/// W `[1, G H, F]`, R `[1, G H, H]`, B `[1, 2 G H]` and an LSTM's P `[1, 3 H]`; an empty name for what is not there.
fn weights(site: &mut Site<'_>, layer: &Recurrent) -> Read<[String; 4]> {
    let order: &[usize] = if layer.gru { &GRU_GATES } else { &LSTM_GATES };
    let width = order.len() * layer.units;
    let kernel = |site: &mut Site<'_>, name: &str| -> Read<String> {
        let weight = site.weight(name)?;
        let rows = weight.shape[0];
        Ok(site.part(name, &[1, width, rows], &turned(&weight.values, rows, layer.units, order)))
    };
    let (w, r) = (kernel(site, "kernel")?, kernel(site, "recurrent_kernel")?);
    let b = match layer.use_bias {
        true => {
            // Of x; and of h, which a GRU with reset_after has apart.
            let bias = &site.weight("bias")?.values;
            let mut both = turned(&bias[..width], 1, layer.units, order);
            both.extend(bias.get(width..).filter(|of_h| !of_h.is_empty()).unwrap_or(&vec![0.0; width]));
            site.part("bias", &[1, 2 * width], &both)
        }
        false => String::new(),
    };
    let p = match layer.peepholes {
        true => {
            let values = turned(&site.weight("peephole_kernel")?.values, 1, layer.units, &PEEPHOLES);
            site.part("peephole_kernel", &[1, values.len()], &values)
        }
        false => String::new(),
    };
    Ok([w, r, b, p])
}

/// Keras's `[rows, gates, H]` as `[gates, H, rows]`, the gates in another order.
fn turned(values: &[f32], rows: usize, units: usize, order: &[usize]) -> Vec<f32> {
    let width = order.len() * units;
    let of_gate = |&gate: &usize| (0..units).map(move |unit| gate * units + unit);
    let column = |column: usize| (0..rows).map(move |row| values[row * width + column]);
    order.iter().flat_map(of_gate).flat_map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::turned;

    #[test]
    fn gates_come_in_the_order_of_onnx_and_weights_turned() {
        let kernel: Vec<f32> = (0..8).map(|i| i as f32).collect();
        assert_eq!(turned(&kernel, 2, 1, &super::LSTM_GATES), [0.0, 4.0, 3.0, 7.0, 1.0, 5.0, 2.0, 6.0]);
    }
}
