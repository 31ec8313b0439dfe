//! Layers without variables, each between layers that are trained.

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
