//! Hand-written gradients against finite differences in double precision, for every variable and the input.

#[path = "gradients/layers.rs"]
mod layers;
#[path = "gradients/losses.rs"]
mod losses;
#[path = "gradients/normalization.rs"]
mod normalization;

use gatenorm::data::Dataset;
use gatenorm::model::Gru;
use gatenorm::prelude::*;
use gatenorm::train::Trace;

/// Half the distance of the two points of a central difference.
const STEP: f32 = 1.0 / 4096.0;

/// The nearest multiple of the step, so that both points of a difference are exact and lie evenly around it.
fn on_grid(value: f32) -> f32 {
    (value / STEP).round() * STEP
}

/// Smooth, unequal values in ±1.
fn values(len: usize, seed: f32) -> Vec<f32> {
    (0..len).map(|i| on_grid(((i as f32 + 1.0) * 0.7 + seed).sin())).collect()
}

/// A model in either form.
trait Compile {
    fn compiled(&self, loss: Loss) -> Model;
}

impl Compile for Sequential {
    fn compiled(&self, loss: Loss) -> Model {
        self.clone().compile(Device::CpuF64, loss, Sgd::new(0.0), []).unwrap()
    }
}

impl Compile for Functional {
    fn compiled(&self, loss: Loss) -> Model {
        self.clone().compile(Device::CpuF64, loss, Sgd::new(0.0), []).unwrap()
    }
}

struct Case<M = Sequential> {
    name: &'static str,
    model: M,
    loss: Loss,
    samples: usize,
    x_shape: Vec<usize>,
    y_shape: Vec<usize>,
    /// Variables that must have certain values, those that are not trained too.
    fixed: Vec<(&'static str, Vec<f32>)>,
}

impl<M> Case<M> {
    fn data(&self, x: &[f32]) -> Dataset {
        let with_samples = |shape: &[usize]| [&[self.samples], shape].concat();
        let y: Vec<f32> = values(self.samples * self.y_shape.iter().product::<usize>(), 0.3)
            .into_iter()
            .enumerate()
            .map(|(i, v)| match self.loss.name() {
                "binary_crossentropy" => f32::from(u8::from(v > 0.0)),
                "sparse_categorical_crossentropy" => (i % 3) as f32,
                "categorical_crossentropy" => v * v,
                _ => v,
            })
            .collect();
        Dataset::from_arrays(x.to_vec(), &with_samples(&self.x_shape), y, &with_samples(&self.y_shape)).unwrap()
    }

    fn x(&self) -> Vec<f32> {
        values(self.samples * self.x_shape.iter().product::<usize>(), 0.1)
    }
}

fn loss(model: &mut Model, data: &Dataset) -> f64 {
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    model.trace(data, &rows, true).unwrap().loss
}

/// Central differences at three widths, joined so that the error is of sixth order (Richardson).
fn derivative(at: f32, mut loss_at: impl FnMut(f32) -> f64) -> f64 {
    let difference = |step: f32| {
        let (low, high) = (at - step, at + step);
        (loss_at(high) - loss_at(low)) / (high as f64 - low as f64)
    };
    let [d1, d2, d4] = [STEP, 2.0 * STEP, 4.0 * STEP].map(difference);
    let (fine, coarse) = ((4.0 * d1 - d2) / 3.0, (4.0 * d2 - d4) / 3.0);
    (16.0 * fine - coarse) / 15.0
}

/// Differences of sixth order leave (4 STEP)^6 ~ 1e-18 of the seventh derivative, and the loss's own rounding, some 1e-16, over
/// STEP: about 1e-12. A wrong gradient is off by far more than a thousand times that.
const TOLERANCE: f64 = 1e-9;

fn check<M: Compile>(case: &Case<M>) {
    let x = case.x();
    let (mut model, trace) = check_weights(case, &x);
    let gradient = &trace.input_gradients[0];
    for i in 0..x.len() {
        let expected = derivative(x[i], |value| {
            let mut changed = x.clone();
            changed[i] = value;
            loss(&mut model, &case.data(&changed))
        });
        near(case.name, "x", i, gradient.values[i], expected);
    }
}

/// The gradients of all variables for this input.
fn check_weights<M: Compile>(case: &Case<M>, x: &[f32]) -> (Model, Trace) {
    let mut model = case.model.compiled(case.loss);
    // Away from Keras's first values, where betas and biases are 0 and gammas 1.
    let weights: Vec<_> = model
        .weights()
        .unwrap()
        .into_iter()
        .enumerate()
        .filter(|(_, w)| w.trainable)
        .map(|(i, w)| {
            let shift = values(w.values.len(), i as f32);
            (w.path, w.values.iter().zip(shift).map(|(v, s)| on_grid(v + 0.2 * s)).collect::<Vec<f32>>())
        })
        .map(|(path, drawn)| match case.fixed.iter().find(|(fixed, _)| path == *fixed) {
            Some((_, values)) => (path, values.clone()),
            None => (path, drawn),
        })
        .collect();
    let set = |model: &mut Model, path: &str, values: &[f32]| model.set_weights([(path, values)]).unwrap();
    weights.iter().for_each(|(path, values)| set(&mut model, path, values));
    case.fixed.iter().for_each(|(path, values)| set(&mut model, path, values));
    let data = case.data(x);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    let trace = model.trace(&data, &rows, true).unwrap();
    assert_eq!(trace.gradients.len(), weights.len(), "{}: a gradient for every variable", case.name);
    for gradient in &trace.gradients {
        let largest = gradient.values.iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(largest > 1e-5, "{}: `{}` has no gradient, comparing it would say nothing", case.name, gradient.name);
    }
    for (path, initial) in &weights {
        let gradient = trace.gradients.iter().find(|g| g.name == *path).expect("listed");
        for i in 0..initial.len() {
            let expected = derivative(initial[i], |value| {
                let mut changed = initial.clone();
                changed[i] = value;
                set(&mut model, path, &changed);
                loss(&mut model, &data)
            });
            near(case.name, path, i, gradient.values[i], expected);
        }
        set(&mut model, path, initial);
    }
    (model, trace)
}

fn near(case: &str, path: &str, index: usize, gradient: f64, expected: f64) {
    let off = (gradient - expected).abs();
    assert!(
        off <= TOLERANCE * (1.0 + expected.abs()),
        "{case}: `{path}`[{index}]: gradient {gradient}, finite difference {expected}, off by {off:.2e}"
    );
}

#[test]
fn the_lessons_model() {
    check(&Case {
        name: "lesson",
        model: Sequential::new(&[4, 2])
            .add(Lstm::new(4).return_sequences(true))
            .add(BatchNormalization::new())
            .add(Lstm::new(3))
            .add(BatchNormalization::new())
            .add(Dense::new(1).activation(Activation::Sigmoid)),
        loss: Loss::BinaryCrossentropy,
        samples: 5,
        x_shape: vec![4, 2],
        y_shape: vec![1],
        fixed: vec![],
    });
}

#[test]
fn sequences_out_and_more_rows_than_one_block_of_a_reduction() {
    check(&Case {
        name: "sequences",
        model: Sequential::new(&[15, 1])
            .add(Lstm::new(2).return_sequences(true).use_bias(false))
            .add(BatchNormalization::new().epsilon(1e-2))
            .add(Dense::new(2).activation(Activation::Tanh))
            .add(Dense::new(1).use_bias(false)),
        loss: Loss::MeanSquaredError,
        samples: 5,
        x_shape: vec![15, 1],
        y_shape: vec![15, 1],
        fixed: vec![],
    });
}

#[test]
fn batch_normalization_without_gamma_and_without_beta() {
    check(&Case {
        name: "no gamma, no beta",
        model: Sequential::new(&[3])
            .add(BatchNormalization::new().scale(false))
            .add(Dense::new(4).activation(Activation::Sigmoid))
            .add(BatchNormalization::new().center(false))
            .add(Dense::new(2)),
        loss: Loss::MeanSquaredError,
        samples: 7,
        x_shape: vec![3],
        y_shape: vec![2],
        fixed: vec![],
    });
}

#[test]
fn cross_entropy_of_probabilities_that_no_sigmoid_made() {
    check(&Case {
        name: "probabilities",
        // A linear output that lies in (0, 1): a loss that cannot go through the logits.
        model: Sequential::new(&[2]).add(Dense::new(2).activation(Activation::Sigmoid)).add(Dense::new(1)),
        loss: Loss::BinaryCrossentropy,
        samples: 4,
        x_shape: vec![2],
        y_shape: vec![1],
        fixed: vec![("dense_1/kernel", vec![0.5, 0.25]), ("dense_1/bias", vec![0.125])],
    });
}

#[test]
fn relu_away_from_its_kink() {
    check(&Case {
        name: "relu",
        model: Sequential::new(&[3]).add(Dense::new(5).activation(Activation::Relu)).add(Dense::new(1)),
        loss: Loss::MeanSquaredError,
        samples: 6,
        x_shape: vec![3],
        y_shape: vec![1],
        fixed: vec![],
    });
}

/// Each at values on both sides of its bends and away from its kinks.
#[test]
fn every_activation() {
    for activation in Activation::ALL {
        check(&Case {
            name: activation.name(),
            model: Sequential::new(&[2]).add(Dense::new(4).activation(activation)).add(Dense::new(1)),
            loss: Loss::MeanSquaredError,
            samples: 6,
            x_shape: vec![2],
            y_shape: vec![1],
            fixed: vec![
                ("dense/kernel", vec![1.0, -2.0, 3.5, -0.5, 2.0, 1.5, -1.0, 4.5]),
                ("dense/bias", vec![0.25, -0.125, 0.375, 0.0625]),
            ],
        });
    }
}

#[test]
fn regularizers_of_weights_and_outputs() {
    let regularizer = Regularizer::l1_l2(0.03, 0.05);
    let dense = Dense::new(3)
        .activation(Activation::Tanh)
        .kernel_regularizer(regularizer)
        .bias_regularizer(Regularizer::l1(0.02))
        .activity_regularizer(regularizer);
    let normalization =
        BatchNormalization::new().gamma_regularizer(Regularizer::l2(0.1)).beta_regularizer(Regularizer::l1(0.1));
    let lstm = Lstm::new(2)
        .return_sequences(true)
        .kernel_regularizer(regularizer)
        .recurrent_regularizer(Regularizer::l2(0.1))
        .bias_regularizer(Regularizer::l1(0.1))
        .activity_regularizer(regularizer);
    let gru =
        Gru::new(2).recurrent_regularizer(regularizer).bias_regularizer(regularizer).activity_regularizer(regularizer);
    check(&Case {
        name: "regularizers",
        model: Sequential::new(&[4, 2])
            .add(dense)
            .add(normalization)
            .add(lstm)
            .add(gru)
            // Whose loss goes through the logits, past the output that is regularized.
            .add(Dense::new(1).activation(Activation::Sigmoid).activity_regularizer(regularizer)),
        loss: Loss::BinaryCrossentropy,
        samples: 5,
        x_shape: vec![4, 2],
        y_shape: vec![1],
        fixed: vec![],
    });
}

/// Must fail: the comparison sees an error in the eighth digit.
#[test]
#[should_panic(expected = "off by")]
fn a_gradient_that_is_off_in_the_eighth_digit_is_seen() {
    near("control", "x", 0, 0.123_456_78, 0.123_456_79);
}
