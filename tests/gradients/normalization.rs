//! Normalising layers: with masks, frozen, and behind layers that are trained.

use super::*;
use gatenorm::model::RenormClipping;

#[test]
fn batch_normalization_over_the_steps_that_are_not_masked() {
    // Rows that the first layer's relu makes 0, for which both features are below 0, are masked, and stay so under the steps of
    // the differences. The second layer's bias sees the gradients of masked rows.
    for (scale, steps) in [(true, 3), (false, 17)] {
        check(&Case {
            name: "masked",
            model: Sequential::new(&[steps, 2])
                .add(Dense::new(2).activation(Activation::Relu).use_bias(false))
                .add(Masking::new())
                .add(Dense::new(3).activation(Activation::Tanh))
                .add(BatchNormalization::new().scale(scale))
                .add(Dense::new(2).activation(Activation::Tanh)),
            loss: Loss::MeanSquaredError,
            samples: 5,
            x_shape: vec![steps, 2],
            y_shape: vec![steps, 2],
            fixed: vec![("dense/kernel", vec![1.0, 0.5, 0.25, 1.5])],
        });
    }
}

#[test]
fn layers_that_are_not_trained_pass_gradients_on() {
    check(&Case {
        name: "frozen",
        model: Sequential::new(&[3, 2])
            .add(Dense::new(3).activation(Activation::Tanh))
            .add_frozen(BatchNormalization::new())
            .add(Normalization::new())
            .add_frozen(Lstm::new(3))
            .add_frozen(BatchNormalization::new().scale(false))
            .add(Dense::new(2)),
        loss: Loss::MeanSquaredError,
        samples: 4,
        x_shape: vec![3, 2],
        y_shape: vec![2],
        fixed: vec![
            ("batch_normalization/gamma", vec![0.5, 2.0, -1.5]),
            ("batch_normalization/moving_mean", vec![0.5, -1.0, 0.25]),
            ("batch_normalization/moving_variance", vec![0.25, 2.0, 1.5]),
            ("normalization/mean", vec![0.125, 0.5, -0.25]),
            ("normalization/variance", vec![3.0, 0.5, 1.25]),
            ("batch_normalization_1/moving_variance", vec![0.01, 0.0625, 0.125]),
        ],
    });
}

#[test]
fn recurrent_batch_normalization() {
    for sequences in [true, false] {
        check(&Case {
            name: "recurrent batch normalization",
            model: Sequential::new(&[3, 2])
                .add(Dense::new(2).activation(Activation::Tanh))
                .add(RecurrentBatchNormLstm::new(3, 2).return_sequences(sequences))
                .add(Dense::new(1)),
            loss: Loss::MeanSquaredError,
            samples: 4,
            x_shape: vec![3, 2],
            y_shape: if sequences { vec![3, 1] } else { vec![1] },
            fixed: vec![
                ("recurrent_batch_norm_lstm/gamma_h", values(12, 0.5)),
                ("recurrent_batch_norm_lstm/gamma_c", vec![0.5, 1.5, -1.0]),
            ],
        });
    }
}

#[test]
fn recurrent_batch_normalization_that_is_not_trained() {
    check(&Case {
        name: "frozen recurrent batch normalization",
        model: Sequential::new(&[3, 2])
            .add(Dense::new(2).activation(Activation::Tanh))
            .add_frozen(RecurrentBatchNormLstm::new(2, 2).return_sequences(true))
            .add(Dense::new(1)),
        loss: Loss::MeanSquaredError,
        samples: 3,
        x_shape: vec![3, 2],
        y_shape: vec![3, 1],
        fixed: vec![
            ("recurrent_batch_norm_lstm/gamma_x", values(8, 0.2)),
            ("recurrent_batch_norm_lstm/gamma_h", values(8, 0.5)),
            ("recurrent_batch_norm_lstm/gamma_c", vec![1.5, -1.0]),
            ("recurrent_batch_norm_lstm/moving_mean_x", values(16, 0.1)),
            ("recurrent_batch_norm_lstm/moving_variance_c", vec![0.5, 0.25, 0.125, 2.0]),
        ],
    });
}

#[test]
fn layer_normalization_of_rows_and_of_steps() {
    check(&Case {
        name: "layer normalization",
        model: Sequential::new(&[17, 2])
            .add(Dense::new(4).activation(Activation::Tanh))
            .add(LayerNormalization::new())
            .add(LayerNormalization::new().center(false).epsilon(0.01))
            .add(Lstm::new(3))
            .add_frozen(LayerNormalization::new())
            .add(Dense::new(3).activation(Activation::Tanh))
            .add(LayerNormalization::new().scale(false))
            .add(LayerNormalization::new().scale(false).center(false))
            .add(Dense::new(2)),
        loss: Loss::MeanSquaredError,
        samples: 5,
        x_shape: vec![17, 2],
        y_shape: vec![2],
        fixed: vec![("layer_normalization_2/gamma", vec![0.5, -1.5, 2.0])],
    });
}

#[test]
fn batch_normalization_of_each_step() {
    for (axis, scale, steps) in [(1, true, 3), (-2, false, 17)] {
        check(&Case {
            name: "each step",
            model: Sequential::new(&[steps, 2])
                .add(Dense::new(3).activation(Activation::Tanh))
                .add(BatchNormalization::new().axis(axis).scale(scale))
                .add(Dense::new(2).activation(Activation::Tanh)),
            loss: Loss::MeanSquaredError,
            samples: 5,
            x_shape: vec![steps, 2],
            y_shape: vec![steps, 2],
            fixed: vec![],
        });
    }
}

#[test]
fn batch_normalization_of_what_each_step_has_unmasked() {
    for (scale, steps) in [(true, 3), (false, 17)] {
        check(&Case {
            name: "each step, masked",
            model: Sequential::new(&[steps, 2])
                .add(Dense::new(2).activation(Activation::Relu).use_bias(false))
                .add(Masking::new())
                .add(Dense::new(3).activation(Activation::Tanh))
                .add(BatchNormalization::new().axis(1).scale(scale))
                .add(Dense::new(2).activation(Activation::Tanh)),
            loss: Loss::MeanSquaredError,
            samples: 5,
            x_shape: vec![steps, 2],
            y_shape: vec![steps, 2],
            fixed: vec![("dense/kernel", vec![1.0, 0.5, 0.25, 1.5])],
        });
    }
}

/// Differences see r and d move, unless they are clipped: here both are, at every feature. Nor may their statistics move from one
/// point to the next.
#[test]
fn batch_renormalization() {
    let clipping = RenormClipping { rmax: Some(0.75), rmin: Some(0.75), dmax: Some(0.5) };
    for (axis, center, scale) in [(-1, true, true), (-1, false, true), (-1, true, false), (1, true, true)] {
        let renorm = BatchNormalization::new().renorm(true).renorm_clipping(clipping).renorm_momentum(1.0);
        check(&Case {
            name: "renormalized",
            model: Sequential::new(&[3, 2])
                .add(Dense::new(3).activation(Activation::Tanh))
                .add(renorm.axis(axis).center(center).scale(scale))
                .add(Dense::new(2).activation(Activation::Tanh)),
            loss: Loss::MeanSquaredError,
            samples: 4,
            x_shape: vec![3, 2],
            y_shape: vec![3, 2],
            fixed: vec![("batch_normalization/renorm_mean", vec![4.0, -4.0, 4.0])],
        });
    }
}
