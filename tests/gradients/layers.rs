//! Layers without variables, each between layers that are trained.

use gatenorm::model::{
    Concatenate, Embedding, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, Layer, Merge, RepeatVector, Reshape,
    SpatialDropout1D, Symbol, TimeDistributed,
};

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

/// A model of three branches over one sequence, joined by `join`, with `last` behind.
fn joined(join: impl Fn(&mut Functional, [Symbol; 3]) -> Result<Symbol>) -> Functional {
    let build = || {
        let mut graph = Functional::new();
        let x = graph.input("x", &[3, 2])?;
        let a = graph.add(Dense::new(4).activation(Activation::Tanh), &[x])?;
        let b = graph.add(Lstm::new(4).return_sequences(true), &[x])?;
        let c = graph.add(Dense::new(4), &[a])?;
        let merged = join(&mut graph, [a, b, c])?;
        let last = graph.add(Dense::new(2), &[merged])?;
        Ok::<_, Error>(graph.outputs(&[last]))
    };
    build().unwrap()
}

fn check_joined(name: &'static str, y_shape: &[usize], join: impl Fn(&mut Functional, [Symbol; 3]) -> Result<Symbol>) {
    check(&Case {
        name,
        model: joined(join),
        loss: Loss::MeanSquaredError,
        samples: 3,
        x_shape: vec![3, 2],
        y_shape: y_shape.to_vec(),
        fixed: vec![],
    });
}

#[test]
fn merging_layers() {
    for merge in Merge::ALL.into_iter().filter(|&merge| merge != Merge::Subtract) {
        check_joined(merge.class_name(), &[3, 2], |graph, abc| graph.add(merge, &abc));
    }
    check_joined("Subtract", &[3, 2], |graph, [a, b, c]| {
        let difference = graph.add(Merge::Subtract, &[a, b])?;
        graph.add(Merge::Subtract, &[c, difference])
    });
    // Both operands, and a skip connection beside them: gradients of one tensor sum up.
    check_joined("twice", &[3, 2], |graph, [a, b, c]| {
        let square = graph.add(Merge::Multiply, &[a, a])?;
        graph.add(Merge::Add, &[square, b, c, a, square])
    });
}

#[test]
fn concatenated_features_and_steps() {
    check_joined("features", &[3, 2], |graph, [a, b, c]| graph.add(Concatenate::new(), &[a, b, c, a]));
    check_joined("steps", &[2], |graph, [a, b, c]| {
        let steps = graph.add(Concatenate::new().axis(1), &[a, b, c, a])?;
        graph.add(Lstm::new(3), &[steps])
    });
}

/// Two branches whose units are all above 0 in some steps and all below in others, which relu and Masking turn into steps that
/// are masked, far enough from 0 that differences do not change the masks; and a third one, masked nowhere or with no mask.
fn check_masked(
    name: &'static str,
    y_shape: &[usize],
    third: Option<f64>,
    join: impl Fn(&mut Functional, [Symbol; 3]) -> Result<Symbol>,
) {
    let build = || {
        let mut graph = Functional::new();
        let x = graph.input("x", &[5, 2])?;
        let branch = |graph: &mut Functional, activation, mask_value: Option<f64>| {
            let dense = graph.add(Dense::new(3).activation(activation), &[x])?;
            mask_value.map_or(Ok(dense), |value| graph.add(Masking::new().mask_value(value), &[dense]))
        };
        let a = branch(&mut graph, Activation::Relu, Some(0.0))?;
        let b = branch(&mut graph, Activation::Relu, Some(0.0))?;
        let c = branch(&mut graph, Activation::Tanh, third)?;
        let merged = join(&mut graph, [a, b, c])?;
        let last = graph.add(Dense::new(2), &[merged])?;
        Ok::<_, Error>(graph.outputs(&[last]))
    };
    check(&Case {
        name,
        model: build().unwrap(),
        loss: Loss::MeanSquaredError,
        samples: 4,
        x_shape: vec![5, 2],
        y_shape: y_shape.to_vec(),
        fixed: vec![
            ("dense/kernel", vec![0.5, 1.0, 1.5, 0.25, 0.5, 0.75]),
            ("dense/bias", vec![0.0; 3]),
            ("dense_1/kernel", vec![-0.25, -0.5, -0.75, 1.0, 2.0, 3.0]),
            ("dense_1/bias", vec![0.0; 3]),
        ],
    });
}

#[test]
fn merging_layers_with_masks() {
    for third in [None, Some(2.0)] {
        for merge in Merge::ALL.into_iter().filter(|&merge| merge != Merge::Subtract) {
            check_masked(merge.class_name(), &[5, 2], third, |graph, abc| graph.add(merge, &abc));
            check_masked(merge.class_name(), &[5, 2], third, |graph, [a, b, c]| {
                let two = graph.add(merge, &[a, b])?;
                graph.add(Merge::Add, &[two, c])
            });
        }
    }
}

#[test]
fn shapes_and_activations() {
    check(&Case {
        name: "shapes",
        model: Sequential::new(&[4, 3])
            .add(TimeDistributed::new(Dense::new(4)))
            .add(Activation::Tanh)
            .add(Reshape::new(&[Some(2), None]))
            .add(Lstm::new(3))
            .add(RepeatVector::new(3))
            .add(Lstm::new(2).return_sequences(true))
            .add(Flatten::new())
            .add(Reshape::new(&[None, Some(2)]))
            .add(Dense::new(2))
            .add(Reshape::new(&[Some(6)]))
            .add(Flatten::new())
            .add(Dense::new(1))
            .add(Activation::Sigmoid),
        loss: Loss::BinaryCrossentropy,
        samples: 5,
        x_shape: vec![4, 3],
        y_shape: vec![1],
        fixed: vec![],
    });
}

#[test]
fn pooling_over_steps() {
    check_joined("pooling", &[2], |graph, [a, b, c]| {
        let pooled = [
            graph.add(GlobalAveragePooling1D::new(), &[a])?,
            graph.add(GlobalMaxPooling1D::new(), &[b])?,
            graph.add(GlobalMaxPooling1D::new(), &[c])?,
        ];
        graph.add(Concatenate::new(), &pooled)
    });
    check_joined("keepdims", &[2], |graph, [a, b, c]| {
        let sum = graph.add(Merge::Add, &[a, b])?;
        let mean = graph.add(GlobalAveragePooling1D::new().keepdims(true), &[sum])?;
        let largest = graph.add(GlobalMaxPooling1D::new().keepdims(true), &[c])?;
        let steps = graph.add(Concatenate::new().axis(1), &[mean, largest])?;
        graph.add(Lstm::new(3), &[steps])
    });
}

/// Steps that are masked do not count, and which these are follows the merging layers' masks.
#[test]
fn a_mean_over_what_is_not_masked() {
    for third in [None, Some(2.0)] {
        check_masked("mean", &[2], third, |graph, [a, b, c]| {
            let features = graph.add(Concatenate::new(), &[a, b])?;
            let steps = graph.add(Concatenate::new().axis(1), &[a, b, c])?;
            let product = graph.add(Merge::Multiply, &[a, b, c])?;
            let parts = [a, features, steps, product].map(|part| graph.add(GlobalAveragePooling1D::new(), &[part]));
            graph.add(Concatenate::new(), &parts.into_iter().collect::<Result<Vec<_>>>()?)
        });
    }
}

/// Each number several times, and a shared table that is read twice.
#[test]
fn embedded_numbers() {
    let (samples, steps) = (6, 5);
    let ids: Vec<f32> = (0..samples * steps).map(|i| ((i * i + i / 4) % 4) as f32).collect();
    assert!((0..4).all(|id| ids.iter().filter(|&&x| x == id as f32).count() > 2));
    for mask_zero in [false, true] {
        let build = || {
            let mut graph = Functional::new();
            let ids = graph.input("ids", &[steps])?;
            let table = graph.layer(Embedding::new(4, 3).mask_zero(mask_zero))?;
            let [a, b] = [graph.call(table, &[ids])?[0], graph.call(table, &[ids])?[0]];
            let dense = graph.add(Dense::new(3).activation(Activation::Tanh), &[a])?;
            let sum = graph.add(Merge::Add, &[dense, b])?;
            let mean = graph.add(GlobalAveragePooling1D::new(), &[sum])?;
            let last = graph.add(Dense::new(2), &[mean])?;
            Ok::<_, Error>(graph.outputs(&[last]))
        };
        let case = Case {
            name: "embedding",
            model: build().unwrap(),
            loss: Loss::MeanSquaredError,
            samples,
            x_shape: vec![steps],
            y_shape: vec![2],
            fixed: vec![],
        };
        check_weights(&case, &ids);
    }
}
