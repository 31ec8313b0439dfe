//! What single layers give and pass back, against values worked out by hand.

use gatenorm::prelude::*;
use gatenorm::train::Trace;

/// One training-mode pass of a model over all samples of `x`, the targets 0.
fn traced(model: Sequential, x: &[f32], shape: &[usize], y_shape: &[usize]) -> Trace {
    let y = vec![0.0; y_shape.iter().product()];
    let data = Dataset::from_arrays(x.to_vec(), shape, y, y_shape).unwrap();
    let mut model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let rows: Vec<u32> = (0..shape[0] as u32).collect();
    model.trace(&data, &rows, true).unwrap()
}

/// Must be refused when it is compiled, in these words.
fn refused(model: Sequential, words: &[&str]) {
    let error = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn masking_passes_0_on_for_masked_steps_and_no_gradient_back() {
    // Two samples of three steps of two features; a step is masked where both are -1.
    let x = [-1.0, -1.0, -1.0, 2.0, 3.0, -1.0, 0.0, 0.0, -1.0, -1.0, 5.0, 6.0];
    let model = Sequential::new(&[3, 2]).add(Masking::new().mask_value(-1.0));
    let trace = traced(model, &x, &[2, 3, 2], &[2, 3, 2]);
    let expected = [0.0, 0.0, -1.0, 2.0, 3.0, -1.0, 0.0, 0.0, 0.0, 0.0, 5.0, 6.0];
    assert_eq!(trace.outputs[0].values, expected);
    let gradient = &trace.input_gradients[0].values;
    for (i, (&gradient, &y)) in gradient.iter().zip(&expected).enumerate() {
        let masked = [0, 1, 8, 9].contains(&i);
        assert_eq!(gradient == 0.0, masked || y == 0.0, "{i}: {gradient}");
    }
}

#[test]
fn masking_takes_sequences() {
    refused(Sequential::new(&[3]).add(Masking::new()).add(Dense::new(1)), &["layer `masking`", "[steps, features]"]);
    refused(Sequential::new(&[3, 1]).add(Masking::new().mask_value(f64::NAN)), &["`masking`", "finite mask_value"]);
}
