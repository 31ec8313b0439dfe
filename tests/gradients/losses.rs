//! Every loss, right after the activations that it goes through and after others.

use gatenorm::prelude::*;
use gatenorm::train::Reduction;

use super::{Case, check};

fn check_loss(name: &'static str, loss: Loss, activation: Activation, of_truth: usize) {
    check(&Case {
        name,
        model: Sequential::new(&[2, 2])
            .add(Dense::new(3).activation(Activation::Tanh))
            .add(Dense::new(3).activation(activation)),
        loss,
        samples: 3,
        x_shape: vec![2, 2],
        y_shape: vec![2, of_truth],
        fixed: vec![],
    });
}

#[test]
fn losses_of_single_outputs() {
    let losses = [
        Loss::MeanSquaredError,
        Loss::MeanAbsoluteError,
        Loss::MeanAbsolutePercentageError,
        Loss::MeanSquaredLogarithmicError,
        Loss::Huber,
        Loss::Huber.delta(0.25),
        Loss::LogCosh,
        Loss::Poisson,
        Loss::KlDivergence,
        Loss::BinaryCrossentropy,
        Loss::BinaryCrossentropy.label_smoothing(0.2),
        Loss::MeanSquaredError.weight(0.25),
        Loss::MeanSquaredError.reduction(Reduction::Sum),
        Loss::MeanSquaredError.reduction(Reduction::MeanWithSampleWeight),
    ];
    for loss in losses {
        check_loss(loss.name(), loss, Activation::Sigmoid, 3);
    }
    check_loss("from logits", Loss::BinaryCrossentropy.from_logits(true), Activation::Linear, 3);
    // Probabilities that no sigmoid made.
    check_loss("from probabilities", Loss::BinaryCrossentropy.label_smoothing(0.1), Activation::HardSigmoid, 3);
}

#[test]
fn cross_entropies_of_classes() {
    let (dense, sparse) = (Loss::CategoricalCrossentropy, Loss::SparseCategoricalCrossentropy);
    check_loss("dense, softmax", dense, Activation::Softmax, 3);
    check_loss("dense, smoothed", dense.label_smoothing(0.1), Activation::Softmax, 3);
    check_loss("dense, logits", dense.from_logits(true), Activation::Linear, 3);
    check_loss("dense, other probabilities", dense, Activation::Sigmoid, 3);
    check_loss("dense, logits after a softmax", dense.from_logits(true), Activation::Softmax, 3);
    check_loss("sparse, softmax", sparse, Activation::Softmax, 1);
    check_loss("sparse, logits", sparse.from_logits(true), Activation::Linear, 1);
    check_loss("sparse, other probabilities", sparse.weight(2.0), Activation::Sigmoid, 1);
}

#[test]
fn softmax_without_its_cross_entropy() {
    check_loss("softmax", Loss::MeanSquaredError, Activation::Softmax, 3);
}
