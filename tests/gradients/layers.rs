//! Layers without variables, each between layers that are trained.

use gatenorm::model::SpatialDropout1D;

use super::*;

#[test]
fn masking_where_nothing_is_masked() {
    // The value of masked steps is met by no step, since the gradient of one is not that of the function.
    check(&Case {
        name: "masking",
        model: Sequential::new(&[4, 2])
            .add(Dense::new(3).activation(Activation::Tanh))
            .add(Masking::new().mask_value(2.0))
            .add(Dense::new(1)),
        loss: Loss::MeanSquaredError,
        samples: 3,
        x_shape: vec![4, 2],
        y_shape: vec![4, 1],
        fixed: vec![],
    });
}

#[test]
fn dropout_and_spatial_dropout() {
    // The same elements are dropped in every pass of a trace.
    check(&Case {
        name: "dropout",
        model: Sequential::new(&[4, 2])
            .add(Dense::new(5).activation(Activation::Tanh))
            .add(Dropout::new(0.3))
            .add(SpatialDropout1D::new(0.2))
            .add(Lstm::new(4))
            .add(Dropout::new(0.2))
            .add(Dense::new(2)),
        loss: Loss::MeanSquaredError,
        samples: 5,
        x_shape: vec![4, 2],
        y_shape: vec![2],
        fixed: vec![],
    });
}
