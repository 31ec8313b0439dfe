//! The gradients of recurrent layers against finite differences in double precision: masks, directions, activations, states that
//! are handed on, shared layers.

use gatenorm::data::Dataset;
use gatenorm::model::{Bidirectional, Gru, LayerNormLstm, Masking, Merge, MergeMode, Wrapped};
use gatenorm::prelude::*;

/// Half the distance of the two points of the narrowest central difference.
const STEP: f32 = 1.0 / 4096.0;
/// As in gradients.rs: differences of sixth order leave about 1e-12.
const TOLERANCE: f64 = 1e-9;
const SAMPLES: usize = 5;
const STEPS: usize = 4;
const FEATURES: usize = 2;

/// The nearest multiple of the step, so that both points of a difference are exact.
fn on_grid(value: f32) -> f32 {
    (value / STEP).round() * STEP
}

/// Smooth, unequal values in ±1.
fn values(len: usize, seed: f32) -> Vec<f32> {
    (0..len).map(|i| on_grid(((i as f32 + 1.0) * 0.7 + seed).sin())).collect()
}

/// Sequences with holes, a row that begins late, one that ends early and one without any step: those steps are 0.
fn masked_x() -> Vec<f32> {
    let mut x = values(SAMPLES * STEPS * FEATURES, 0.1);
    for (n, t) in [(0, 1), (1, 0), (1, 1), (2, 3), (4, 0), (4, 1), (4, 2), (4, 3)] {
        x[(n * STEPS + t) * FEATURES..][..FEATURES].fill(0.0);
    }
    x
}

fn x() -> Vec<f32> {
    values(SAMPLES * STEPS * FEATURES, 0.1)
}

const X_SHAPE: [usize; 3] = [SAMPLES, STEPS, FEATURES];

fn dataset(inputs: &[(Vec<f32>, Vec<usize>)], y_shape: &[usize]) -> Dataset {
    let y = values(y_shape.iter().product(), 0.3);
    let (x, shape) = &inputs[0];
    let first = Dataset::from_arrays(x.clone(), shape, y, y_shape).unwrap();
    inputs[1..].iter().fold(first, |data, (x, shape)| data.with_input(x.clone(), shape).unwrap())
}

fn loss(model: &mut Model, data: &Dataset) -> f64 {
    model.reset_states().unwrap();
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    model.trace(data, &rows, true).unwrap().loss
}

/// Central differences at three widths, joined so that the error is of sixth order (Richardson).
fn derivative(at: f32, mut loss_at: impl FnMut(f32) -> f64) -> f64 {
    let difference = |step: f32, loss_at: &mut dyn FnMut(f32) -> f64| {
        (loss_at(at + step) - loss_at(at - step)) / (2.0 * step as f64)
    };
    let [d1, d2, d4] = [STEP, 2.0 * STEP, 4.0 * STEP].map(|step| difference(step, &mut loss_at));
    let (fine, coarse) = ((4.0 * d1 - d2) / 3.0, (4.0 * d2 - d4) / 3.0);
    (16.0 * fine - coarse) / 15.0
}

fn near(case: &str, what: &str, index: usize, gradient: f64, expected: f64) {
    let off = (gradient - expected).abs();
    assert!(
        off <= TOLERANCE * (1.0 + expected.abs()),
        "{case}: `{what}`[{index}]: gradient {gradient}, finite difference {expected}, off by {off:.2e}"
    );
}

/// Compares every gradient of every variable, and of the inputs' elements that are not 0: those of masked steps are, and moving
/// them would unmask them.
fn check(case: &str, mut model: Model, inputs: &[(Vec<f32>, Vec<usize>)], y_shape: &[usize]) {
    let weights: Vec<(String, Vec<f32>)> = (0..)
        .zip(model.weights().unwrap())
        .filter(|(_, w)| w.trainable)
        .map(|(i, w)| {
            let shift = values(w.values.len(), i as f32);
            (w.path, w.values.iter().zip(shift).map(|(v, s)| on_grid(v + 0.2 * s)).collect())
        })
        .collect();
    model.set_weights(weights.iter().map(|(path, values)| (path.as_str(), values.as_slice()))).unwrap();
    let data = dataset(inputs, y_shape);
    let rows: Vec<u32> = (0..SAMPLES as u32).collect();
    model.reset_states().unwrap();
    let trace = model.trace(&data, &rows, true).unwrap();
    assert_eq!(trace.gradients.len(), weights.len(), "{case}: a gradient for every variable");
    for (path, at) in &weights {
        let gradient = trace.gradients.iter().find(|g| g.name == *path).unwrap();
        for i in 0..at.len() {
            let expected = derivative(at[i], |value| {
                let mut moved = at.clone();
                moved[i] = value;
                model.set_weights([(path.as_str(), moved.as_slice())]).unwrap();
                loss(&mut model, &data)
            });
            near(case, path, i, gradient.values[i], expected);
        }
        model.set_weights([(path.as_str(), at.as_slice())]).unwrap();
    }
    assert_eq!(trace.input_gradients.len(), inputs.len(), "{case}: a gradient for every input");
    for (which, gradient) in trace.input_gradients.iter().enumerate() {
        for (i, &at) in inputs[which].0.iter().enumerate().filter(|(_, at)| **at != 0.0) {
            let expected = derivative(at, |value| {
                let mut moved = inputs.to_vec();
                moved[which].0[i] = value;
                loss(&mut model, &dataset(&moved, y_shape))
            });
            near(case, &gradient.name, i, gradient.values[i], expected);
        }
    }
}

/// Checks layers on the masked and on the whole sequences.
fn check_layers(case: &str, layers: impl Fn(Sequential) -> Sequential, sequences: bool) {
    let y_shape = if sequences { vec![SAMPLES, STEPS, 1] } else { vec![SAMPLES, 1] };
    for (masked, x) in [(false, x()), (true, masked_x())] {
        // A masked sequence's loss leaves out masked steps; here the last layer ends the sequence.
        if masked && sequences {
            continue;
        }
        let input = Sequential::new(&[STEPS, FEATURES]);
        let input = if masked { input.add(Masking::new()) } else { input };
        let model = layers(input).add(Dense::new(1));
        let model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        let name = format!("{case}{}", if masked { ", masked" } else { "" });
        check(&name, model, &[(x, X_SHAPE.to_vec())], &y_shape);
    }
}

#[test]
fn lstms_one_after_another() {
    check_layers("two LSTMs", |m| m.add(Lstm::new(3).return_sequences(true)).add(Lstm::new(2)), false);
    check_layers("sequences", |m| m.add(Lstm::new(3).return_sequences(true)), true);
}

#[test]
fn sequences_read_backwards() {
    let layers = |m: Sequential| {
        m.add(Lstm::new(3).return_sequences(true).go_backwards(true)).add(Lstm::new(2).go_backwards(true))
    };
    check_layers("backwards", layers, false);
}

#[test]
fn masked_steps_blanked() {
    let blank = |units| Lstm::new(units).zero_output_for_mask(true);
    let layers = |m: Sequential| {
        m.add(blank(3).return_sequences(true)).add(blank(2).return_sequences(true).go_backwards(true)).add(blank(2))
    };
    check_layers("blanked", layers, false);
}

/// The same masks in every run, since the step's number is the same.
#[test]
fn dropout_of_inputs_and_of_states() {
    let alike = |m: Sequential| m.add(Lstm::new(3).dropout(0.4).return_sequences(true)).add(Lstm::new(2).dropout(0.3));
    check_layers("dropout", alike, false);
    let by_gate = |m: Sequential| {
        m.add(Lstm::new(3).dropout(0.4).recurrent_dropout(0.5).return_sequences(true))
            .add(Lstm::new(2).recurrent_dropout(0.4).go_backwards(true))
    };
    check_layers("recurrent dropout", by_gate, false);
}

#[test]
fn peepholes_and_coupled_gates() {
    let peepholes = |m: Sequential| {
        m.add(Lstm::new(3).peepholes(true).return_sequences(true)).add(Lstm::new(2).peepholes(true).go_backwards(true))
    };
    check_layers("peepholes", peepholes, false);
    check_layers("coupled gates", |m| m.add(Lstm::new(3).coupled_gates(true)), false);
    check_layers("both", |m| m.add(Lstm::new(3).peepholes(true).coupled_gates(true).use_bias(false)), false);
}

#[test]
fn grus_with_the_reset_on_either_side_of_the_product() {
    for reset_after in [true, false] {
        let gru = |units| Gru::new(units).reset_after(reset_after);
        let name = |what: &str| format!("{what}, reset after {reset_after}");
        let two = |m: Sequential| m.add(gru(3).return_sequences(true)).add(gru(2).go_backwards(true));
        check_layers(&name("two GRUs"), two, false);
        check_layers(&name("sequences"), |m| m.add(gru(3).return_sequences(true).use_bias(false)), true);
        let blanked = |m: Sequential| {
            m.add(gru(3).return_sequences(true).go_backwards(true).zero_output_for_mask(true)).add(gru(2))
        };
        check_layers(&name("blanked"), blanked, false);
        let dropped = |m: Sequential| {
            m.add(gru(3).dropout(0.4).return_sequences(true)).add(gru(3).dropout(0.3).recurrent_dropout(0.4))
        };
        check_layers(&name("dropout"), dropped, false);
        let others = |m: Sequential| m.add(gru(3).activation(Activation::Gelu).recurrent_activation(Activation::Silu));
        check_layers(&name("gelu and silu"), others, false);
        let both = |m: Sequential| m.add(Bidirectional::new(gru(2))).add(Dense::new(2));
        check_layers(&name("both directions"), both, false);
    }
}

#[test]
fn a_grus_state_handed_on() {
    for reset_after in [true, false] {
        let gru = || Gru::new(3).reset_after(reset_after);
        let mut graph = Functional::new();
        let source = graph.input("source", &[STEPS, FEATURES]).unwrap();
        let target = graph.input("target", &[3, 1]).unwrap();
        let masked = graph.add(Masking::new(), &[source]).unwrap();
        let encoder = graph.layer(gru().return_state(true)).unwrap();
        let encoded = graph.call(encoder, &[masked]).unwrap();
        let decoder = graph.layer(gru().return_sequences(true)).unwrap();
        let decoded = graph.call(decoder, &[target, encoded[1]]).unwrap();
        let y = graph.add(Dense::new(2), &[decoded[0]]).unwrap();
        let model = graph.outputs(&[y]).compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        let inputs = [(masked_x(), X_SHAPE.to_vec()), (values(SAMPLES * 3, 0.8), vec![SAMPLES, 3, 1])];
        check("GRU encoder and decoder", model, &inputs, &[SAMPLES, 3, 2]);
    }
}

/// Options that the recurrence with normalisation does not have are refused, not left out.
#[test]
fn normalisation_is_an_option_of_the_lstm() {
    let compiled = |layer: fn(Lstm) -> Sequential, lstm| {
        layer(lstm)
            .compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), [])
            .map(|model| model.network().line())
    };
    let batch = |lstm: Lstm| Sequential::new(&[STEPS, FEATURES]).add(lstm.recurrent_batch_norm(STEPS));
    let layer = |lstm: Lstm| Sequential::new(&[STEPS, FEATURES]).add(lstm.layer_norm());
    assert_eq!(compiled(batch, Lstm::new(3).return_sequences(true)).unwrap(), "RecurrentBatchNormLSTM 3");
    assert_eq!(compiled(layer, Lstm::new(3)).unwrap(), "LayerNormLSTM 3");
    for lstm in [Lstm::new(3).dropout(0.5), Lstm::new(3).peepholes(true)] {
        for normalised in [batch, layer] {
            let error = compiled(normalised, lstm.clone()).unwrap_err().to_string();
            assert!(error.contains("only units and return_sequences"), "{error}");
        }
    }
}

#[test]
fn layer_normalisation_in_the_recurrence() {
    let layers =
        |m: Sequential| m.add(LayerNormLstm::new(3).return_sequences(true)).add(LayerNormLstm::new(2).epsilon(0.1));
    let model = layers(Sequential::new(&[STEPS, FEATURES])).add(Dense::new(1));
    let model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    check("layer norm", model, &[(x(), X_SHAPE.to_vec())], &[SAMPLES, 1]);
}

#[test]
fn both_directions_joined_in_every_way() {
    for mode in MergeMode::ALL.into_iter().filter(|&mode| mode != MergeMode::Separate) {
        let layers = |m: Sequential| {
            m.add(Bidirectional::new(Lstm::new(2).return_sequences(true)).merge_mode(mode))
                .add(Bidirectional::new(Lstm::new(2)).merge_mode(mode))
        };
        check_layers(&format!("{mode:?}"), layers, false);
    }
    let other = || Gru::new(2).return_sequences(true).go_backwards(true);
    let mixed = || Bidirectional::new(Lstm::new(2).return_sequences(true)).backward_layer(other());
    check_layers("an LSTM and a GRU", |m| m.add(mixed()), true);
}

/// All that the time steps of both directions can see at once.
#[test]
fn both_directions_with_dropout_and_peepholes() {
    let lstm = |units| Lstm::new(units).peepholes(true).dropout(0.3).recurrent_dropout(0.4);
    let lstms = |m: Sequential| {
        m.add(Bidirectional::new(lstm(2).return_sequences(true))).add(Bidirectional::new(lstm(3).use_bias(false)))
    };
    check_layers("peepholes and dropout", lstms, false);
    for reset_after in [true, false] {
        let gru = |units| Gru::new(units).reset_after(reset_after).recurrent_dropout(0.4);
        let grus =
            |m: Sequential| m.add(Bidirectional::new(gru(2).return_sequences(true))).add(Bidirectional::new(gru(3)));
        check_layers(&format!("GRUs with dropout, reset after {reset_after}"), grus, false);
    }
}

/// The decoder begins in both directions where the encoder ended; the loss reaches one of its outputs alone, or both.
#[test]
fn the_states_of_both_directions_handed_on() {
    let layers: [(&str, Wrapped, Wrapped); 2] = [
        ("LSTM", Lstm::new(3).return_state(true).into(), Lstm::new(3).return_sequences(true).into()),
        ("GRU", Gru::new(3).return_state(true).into(), Gru::new(3).return_sequences(true).into()),
    ];
    for (name, encoder, decoder) in layers {
        for used in [1, 2] {
            let mut graph = Functional::new();
            let source = graph.input("source", &[STEPS, FEATURES]).unwrap();
            let target = graph.input("target", &[3, 1]).unwrap();
            let masked = graph.add(Masking::new(), &[source]).unwrap();
            let encoder = graph.layer(Bidirectional::new(encoder.clone())).unwrap();
            let encoded = graph.call(encoder, &[masked]).unwrap();
            let both = Bidirectional::new(decoder.clone()).merge_mode(MergeMode::Separate);
            let decoder = graph.layer(both).unwrap();
            let decoded = graph.call(decoder, &[&[target], &encoded[1..]].concat()).unwrap();
            let joined = match used {
                1 => decoded[1],
                _ => graph.add(Merge::Multiply, &decoded[..2]).unwrap(),
            };
            let y = graph.add(Dense::new(2), &[joined]).unwrap();
            let model = graph.outputs(&[y]).compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
            let inputs = [(masked_x(), X_SHAPE.to_vec()), (values(SAMPLES * 3, 0.8), vec![SAMPLES, 3, 1])];
            check(&format!("{name}, {used} used"), model, &inputs, &[SAMPLES, 3, 2]);
        }
    }
}

/// Two steps: three of an exponential of an exponential are beyond any number.
#[test]
fn every_activation_of_the_cell() {
    for activation in Activation::ALL {
        let lstm = || Lstm::new(2);
        for (what, lstm) in
            [("cell", lstm().activation(activation)), ("gates", lstm().recurrent_activation(activation))]
        {
            let model = Sequential::new(&[2, FEATURES]).add(lstm).add(Dense::new(1));
            let model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
            let x = values(SAMPLES * 2 * FEATURES, 0.1);
            let name = format!("{} of the {what}", activation.name());
            check(&name, model, &[(x, vec![SAMPLES, 2, FEATURES])], &[SAMPLES, 1]);
        }
    }
}

/// The decoder begins where the encoder ended, and the loss reaches the encoder through the states alone.
#[test]
fn states_handed_on_from_an_encoder_to_a_decoder() {
    let mut graph = Functional::new();
    let source = graph.input("source", &[STEPS, FEATURES]).unwrap();
    let target = graph.input("target", &[3, 1]).unwrap();
    let masked = graph.add(Masking::new(), &[source]).unwrap();
    let encoder = graph.layer(Lstm::new(3).return_state(true)).unwrap();
    let encoded = graph.call(encoder, &[masked]).unwrap();
    let decoder = graph.layer(Lstm::new(3).return_sequences(true)).unwrap();
    let decoded = graph.call(decoder, &[target, encoded[1], encoded[2]]).unwrap();
    let y = graph.add(Dense::new(2), &[decoded[0]]).unwrap();
    let model = graph.outputs(&[y]).compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let inputs = [(masked_x(), X_SHAPE.to_vec()), (values(SAMPLES * 3, 0.8), vec![SAMPLES, 3, 1])];
    check("encoder and decoder", model, &inputs, &[SAMPLES, 3, 2]);
}

/// One layer reads both its own output and the input: its gradients add up.
#[test]
fn a_layer_called_twice() {
    let mut graph = Functional::new();
    let x_in = graph.input("x", &[STEPS, FEATURES]).unwrap();
    let shared = graph.layer(Lstm::new(FEATURES).return_sequences(true)).unwrap();
    let once = graph.call(shared, &[x_in]).unwrap();
    let twice = graph.call(shared, &[once[0]]).unwrap();
    let y = graph.add(Dense::new(1), &[twice[0]]).unwrap();
    let model = graph.outputs(&[y]).compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    check("shared", model, &[(x(), X_SHAPE.to_vec())], &[SAMPLES, STEPS, 1]);
}

/// Must fail: the comparison sees an error in the eighth digit.
#[test]
#[should_panic(expected = "off by")]
fn a_gradient_that_is_off_in_the_eighth_digit_is_seen() {
    near("control", "x", 0, 0.123_456_78, 0.123_456_79);
}
