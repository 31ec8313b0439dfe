//! What single layers give and pass back, against values worked out by hand.

mod common;

use std::sync::Arc;

use gatenorm::model::{
    ANY_LENGTH, Bidirectional, Concatenate, Embedding, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, Gru, Layer,
    Merge, MergeMode, Mode, RepeatVector, Reshape, SpatialDropout1D, TimeDistributed, Wrapped,
};
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

/// What a Dropout of half gives for ones, in one training-mode pass.
fn dropped(layer: Dropout, name: &str, seed: u64, shape: &[usize]) -> Trace {
    let ones = vec![1.0; shape.iter().product()];
    let model = Sequential::new(&shape[1..]).add_named(name, Arc::new(layer)).seed(seed);
    traced(model, &ones, shape, shape)
}

#[test]
fn dropout_keeps_the_rest_larger_and_passes_the_same_back() {
    let shape = [3, 5, 7];
    let trace = dropped(Dropout::new(0.5), "a", 1, &shape);
    let (y, dx) = (&trace.outputs[0].values, &trace.input_gradients[0].values);
    let kept = y.iter().filter(|&&y| y == 2.0).count();
    assert!(y.iter().all(|&y| y == 0.0 || y == 2.0) && (20..=85).contains(&kept), "{kept} of 105 kept");
    // The loss is the mean of squares, so dy = 2 y / 105, and the factor of what is kept is y itself.
    assert!(y.iter().zip(dx).all(|(y, dx)| (dx - y * 2.0 * y / 105.0).abs() < 1e-15));
}

#[test]
fn dropout_depends_on_seed_and_name_and_on_nothing_else() {
    let pattern = |layer: Dropout, name: &str, seed| dropped(layer, name, seed, &[3, 5, 7]).outputs[0].values.clone();
    let half = || Dropout::new(0.5);
    let first = pattern(half(), "a", 1);
    assert_eq!(first, pattern(half(), "a", 1));
    assert_ne!(first, pattern(half(), "a", 2));
    assert_ne!(first, pattern(half(), "b", 1));
    assert_eq!(first, pattern(half().seed(1), "a", 2), "its own seed is used instead of the model's");
}

#[test]
fn dropout_shares_factors_along_axes_of_one() {
    let shape = [6, 5, 8];
    let shared = |noise: [Option<usize>; 3]| {
        let y = dropped(Dropout::new(0.5).noise_shape(&noise), "a", 1, &shape).outputs[0].values.clone();
        let at = |n: usize, t: usize, f: usize| y[(n * 5 + t) * 8 + f];
        let all =
            |same: &dyn Fn(usize, usize, usize) -> bool| (0..6).all(|n| (0..5).all(|t| (0..8).all(|f| same(n, t, f))));
        [
            all(&|n, t, f| at(n, t, f) == at(0, t, f)),
            all(&|n, t, f| at(n, t, f) == at(n, 0, f)),
            all(&|n, t, f| at(n, t, f) == at(n, t, 0)),
        ]
    };
    assert_eq!(shared([None, None, None]), [false, false, false]);
    assert_eq!(shared([Some(1), None, Some(8)]), [true, false, false]);
    assert_eq!(shared([None, Some(1), None]), [false, true, false]);
    assert_eq!(shared([None, Some(5), Some(1)]), [false, false, true]);
    assert_eq!(shared([Some(1), Some(1), None]), [true, true, false]);
}

#[test]
fn dropout_is_not_there_in_inference_and_changes_from_step_to_step() {
    let x: Vec<f32> = (0..120).map(|i| (i as f32 * 0.7).sin()).collect();
    let data = Dataset::from_arrays(x, &[10, 4, 3], vec![0.5; 10], &[10, 1]).unwrap();
    let model = |rate: f64| {
        let model = Sequential::new(&[4, 3])
            .add(Dropout::new(rate))
            .add(SpatialDropout1D::new(rate))
            .add(Lstm::new(3))
            .add(Dense::new(1))
            .seed(1);
        model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap()
    };
    let (mut with, mut without) = (model(0.5), model(0.0));
    assert_eq!(with.predict(&data).unwrap(), without.predict(&data).unwrap());
    assert_eq!(with.evaluate(&data).unwrap(), without.evaluate(&data).unwrap());
    assert_eq!(with.plan(&data, Mode::Predict, 10).unwrap().steps().len(), {
        let plan = without.plan(&data, Mode::Train, 10).unwrap();
        assert!(plan.steps().iter().all(|step| step.kernel.name != "dropout"), "a rate of 0 drops nothing");
        without.plan(&data, Mode::Predict, 10).unwrap().steps().len()
    });
    // The weights stay, so that the losses of steps over all samples differ by what is dropped alone.
    let history = with.fit(&data, Fit::epochs(3).batch_size(10).shuffle(false)).unwrap();
    let losses = history.get("loss");
    assert!(losses[0] != losses[1] && losses[1] != losses[2], "{losses:?}");
}

#[test]
fn rates_and_noise_shapes_that_do_not_fit_are_refused() {
    for rate in [-0.1, 1.0, 1.0 - 1e-12, f64::NAN] {
        refused(Sequential::new(&[3]).add(Dropout::new(rate)).add(Dense::new(1)), &["`dropout`", "from 0 to below 1"]);
    }
    let spatial = Sequential::new(&[3]).add(SpatialDropout1D::new(0.1)).add(Dense::new(1));
    refused(spatial, &["`spatial_dropout1d`", "[steps, features]"]);
    for noise in [&[None, None][..], &[Some(6), None, None], &[None, Some(2), None]] {
        let model = Sequential::new(&[5, 3]).add(Dropout::new(0.1).noise_shape(noise)).add(Dense::new(1));
        refused(model, &["`dropout`", "noise_shape", "[5, 3]"]);
    }
}

/// One pass of a model of two inputs of the same shape, each masked where its features are 0, joined by a layer: the joined
/// values.
fn joined(layer: impl Layer + 'static, a: &[f32], b: &[f32], shape: &[usize]) -> Vec<f64> {
    let mut graph = Functional::new();
    let inputs = ["a", "b"].map(|name| graph.input(name, &shape[1..]).unwrap());
    let masked = inputs.map(|input| graph.add(Masking::new(), &[input]).unwrap());
    let output = graph.add(layer, &masked).unwrap();
    let mut model =
        graph.outputs(&[output]).compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let data = Dataset::from_arrays(a.to_vec(), shape, vec![], &[]).unwrap().with_input(b.to_vec(), shape).unwrap();
    model.predict_f64(&data).unwrap()
}

/// One sample of four steps: both count, only the first, only the second, none.
const A: [f32; 8] = [1.0, -2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0];
const B: [f32; 8] = [5.0, -3.0, 0.0, 0.0, 7.0, -8.0, 0.0, 0.0];

#[test]
fn merging_heeds_masks_as_keras_does() {
    let merged = |merge: Merge| joined(merge, &A, &B, &[1, 4, 2]);
    assert_eq!(merged(Merge::Add), [6.0, -5.0, 3.0, 4.0, 7.0, -8.0, 0.0, 0.0]);
    assert_eq!(merged(Merge::Subtract), [-4.0, 1.0, 3.0, 4.0, -7.0, 8.0, 0.0, 0.0]);
    assert_eq!(merged(Merge::Average), [3.0, -2.5, 1.5, 2.0, 3.5, -4.0, 0.0, 0.0]);
    // What is masked counts as 1, and 0 comes out where both are.
    assert_eq!(merged(Merge::Multiply), [5.0, 6.0, 3.0, 4.0, 7.0, -8.0, 0.0, 0.0]);
    assert_eq!(merged(Merge::Maximum), [5.0, -2.0, 3.0, 4.0, 7.0, -8.0, 0.0, 0.0]);
    assert_eq!(merged(Merge::Minimum), [1.0, -3.0, 3.0, 4.0, 7.0, -8.0, 0.0, 0.0]);
}

#[test]
fn concatenation_puts_features_and_steps_behind_each_other() {
    let features = joined(Concatenate::new(), &A, &B, &[2, 2, 2]);
    assert_eq!(features, [1., -2., 5., -3., 3., 4., 0., 0., 0., 0., 7., -8., 0., 0., 0., 0.]);
    let steps = joined(Concatenate::new().axis(-2), &A, &B, &[2, 2, 2]);
    assert_eq!(steps, [1., -2., 3., 4., 5., -3., 0., 0., 0., 0., 0., 0., 7., -8., 0., 0.]);
}

#[test]
fn inputs_that_do_not_fit_together_are_refused() {
    let shapes = |layer: &dyn Layer, shapes: &[&[usize]]| {
        let shapes: Vec<Vec<usize>> = shapes.iter().map(|shape| shape.to_vec()).collect();
        layer.output_shapes(&shapes).map_err(|error| error.to_string())
    };
    let refused = |layer: &dyn Layer, inputs: &[&[usize]], words: &[&str]| {
        let error = shapes(layer, inputs).unwrap_err();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(&Merge::Add, &[&[3]], &["Add takes two inputs or more, but gets 1"]);
    refused(&Merge::Add, &[&[3], &[3], &[4]], &["of one shape", "[3], [3], [4]"]);
    refused(&Merge::Subtract, &[&[3], &[3], &[3]], &["Subtract takes two inputs, but gets 3"]);
    refused(&Concatenate::new(), &[&[3, 2]], &["two inputs or more"]);
    refused(&Concatenate::new(), &[&[3, 2], &[4, 2]], &["along axis -1 alone"]);
    refused(&Concatenate::new().axis(1), &[&[3, 2], &[3, 1]], &["along axis 1 alone"]);
    refused(&Concatenate::new().axis(0), &[&[3, 2], &[3, 2]], &["axis 0", "takes 1 to 2"]);
    refused(&Concatenate::new().axis(-2), &[&[3], &[3]], &["axis -2", "takes 1 to 1"]);
    assert_eq!(shapes(&Concatenate::new().axis(2), &[&[0, 2], &[0, 1]]), Ok(vec![vec![0, 3]]), "any length");
    assert_eq!(shapes(&Concatenate::new().axis(1), &[&[0, 2], &[5, 2]]), Ok(vec![vec![0, 2]]), "any length");
}

#[test]
fn sequences_of_any_length_must_have_the_same_where_they_meet() {
    let layers: [Arc<dyn Layer>; 2] = [Arc::new(Merge::Add), Arc::new(Concatenate::new())];
    for layer in layers {
        let mut graph = Functional::new();
        let inputs = ["a", "b"].map(|name| graph.input(name, &[ANY_LENGTH, 2]).unwrap());
        let layer = graph.place(None, layer, true).unwrap();
        let outputs = graph.call(layer, &inputs).unwrap();
        let graph = graph.outputs(&outputs);
        let mut model = graph.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        let data = |steps: usize| {
            let data = Dataset::from_arrays(vec![1.0; 12], &[2, 3, 2], vec![], &[]).unwrap();
            data.with_input(vec![1.0; steps * 4], &[2, steps, 2]).unwrap()
        };
        assert!(model.predict(&data(3)).is_ok());
        let error = model.predict(&data(4)).unwrap_err().to_string();
        assert!(error.contains("one length, but gets [3, 4] steps"), "{error}");
    }
}

/// What a model without variables gives for one input.
fn given(model: Sequential, x: &[f32], shape: &[usize]) -> Vec<f64> {
    let data = Dataset::from_arrays(x.to_vec(), shape, vec![], &[]).unwrap();
    let mut model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    model.predict_f64(&data).unwrap()
}

#[test]
fn pooling_takes_the_mean_of_what_counts_and_the_largest_of_all() {
    // Two samples of three steps of two features; the second has a masked step, the third none that counts.
    let x = [1., 2., 3., -4., 5., 6., 7., 8., 0., 0., -1., 4., 0., 0., 0., 0., 0., 0.];
    let shape = [3, 3, 2];
    let model = || Sequential::new(&shape[1..]);
    let mean = given(model().add(Masking::new()).add(GlobalAveragePooling1D::new()), &x, &shape);
    let third = |sum: f64| sum / 3.0;
    assert_eq!(mean[..4], [3.0, third(4.0), 3.0, 6.0]);
    assert!(mean[4..].iter().all(|mean| mean.is_nan()), "of no step, as in Keras: {mean:?}");
    let plain = given(model().add(GlobalAveragePooling1D::new().keepdims(true)), &x, &shape);
    assert_eq!(plain, [3.0, third(4.0), 2.0, 4.0, 0.0, 0.0]);
    let largest = given(model().add(Masking::new()).add(GlobalMaxPooling1D::new()), &x, &shape);
    assert_eq!(largest, [5.0, 6.0, 7.0, 8.0, 0.0, 0.0]);
}

#[test]
fn masks_of_merged_sequences_are_those_of_keras() {
    // A and B: both count in step 0, only A in 1, only B in 2, none in 3.
    let mean = |layer: Arc<dyn Layer>, masks: [bool; 2]| {
        let mut graph = Functional::new();
        let inputs = ["a", "b"].map(|name| graph.input(name, &[4, 2]).unwrap());
        let mut masked = inputs;
        for (input, _) in masked.iter_mut().zip(masks).filter(|(_, mask)| *mask) {
            *input = graph.add(Masking::new(), &[*input]).unwrap();
        }
        let layer = graph.place(None, layer, true).unwrap();
        let merged = graph.call(layer, &masked).unwrap()[0];
        let mean = graph.add(GlobalAveragePooling1D::new(), &[merged]).unwrap();
        let graph = graph.outputs(&[mean]);
        let mut model = graph.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        let data = Dataset::from_arrays(A.to_vec(), &[1, 4, 2], vec![], &[]).unwrap();
        model.predict_f64(&data.with_input(B.to_vec(), &[1, 4, 2]).unwrap()).unwrap()
    };
    let add = || Arc::new(Merge::Add);
    // The sums are 16 and -9: of three steps where either counts, or of all four without a mask.
    assert_eq!(mean(add(), [true, true]), [16.0 / 3.0, -9.0 / 3.0]);
    assert_eq!(mean(add(), [true, false]), [16.0 / 4.0, -9.0 / 4.0]);
    let side_by_side = || Arc::new(Concatenate::new());
    assert_eq!(mean(side_by_side(), [true, true]), [4.0 / 3.0, 2.0 / 3.0, 12.0 / 3.0, -11.0 / 3.0]);
    assert_eq!(mean(side_by_side(), [false, true]), [4.0 / 4.0, 2.0 / 4.0, 12.0 / 4.0, -11.0 / 4.0]);
    let in_time = || Arc::new(Concatenate::new().axis(1));
    assert_eq!(mean(in_time(), [true, true]), [16.0 / 4.0, -9.0 / 4.0]);
    assert_eq!(mean(in_time(), [true, false]), [16.0 / 6.0, -9.0 / 6.0]);
}

#[test]
fn shapes_change_and_elements_stay_in_order() {
    let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
    let in_order: Vec<f64> = x.iter().map(|&x| x.into()).collect();
    let shape = [2, 4, 3];
    let model = || Sequential::new(&shape[1..]);
    assert_eq!(given(model().add(Flatten::new()), &x, &shape), in_order);
    assert_eq!(given(model().add(Reshape::new(&[Some(6), None])), &x, &shape), in_order);
    assert_eq!(given(model().add(Reshape::new(&[Some(12)])).add(Reshape::new(&[None, Some(4)])), &x, &shape), in_order);
    let repeated = given(Sequential::new(&[2]).add(RepeatVector::new(3)), &[1., 2., 3., 4.], &[2, 2]);
    assert_eq!(repeated, [1., 2., 1., 2., 1., 2., 3., 4., 3., 4., 3., 4.]);
    assert_eq!(
        given(Sequential::new(&[3]).add(Activation::Relu).add(Activation::Linear), &[-1., 2., 0.], &[1, 3]),
        [0., 2., 0.]
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let with = |layer: Arc<dyn Layer>, shape: &[usize]| Sequential::new(shape).add_named("here", layer);
    refused(with(Arc::new(Flatten::new()), &[ANY_LENGTH, 2]), &["`here`", "Flatten needs a fixed number of steps"]);
    for target in [&[Some(5)][..], &[None, Some(5)], &[None, None], &[Some(2), Some(3), Some(2)], &[None, Some(0)]] {
        refused(with(Arc::new(Reshape::new(target)), &[4, 3]), &["`here`", "target_shape", "12 elements"]);
    }
    refused(with(Arc::new(RepeatVector::new(2)), &[4, 3]), &["`here`", "RepeatVector takes vectors"]);
    refused(with(Arc::new(RepeatVector::new(0)), &[4]), &["`here`", "n >= 1"]);
    refused(with(Arc::new(GlobalMaxPooling1D::new()), &[4]), &["`here`", "[steps, features]"]);
    refused(with(Arc::new(TimeDistributed::new(Dense::new(1))), &[4]), &["`here`", "[steps, features]"]);
}

/// Two samples of three numbers, embedded as 10 times the number and its negative.
fn embedding(mask_zero: bool) -> Model {
    let model = Sequential::new(&[3]).add(Embedding::new(4, 2).mask_zero(mask_zero)).add(GlobalAveragePooling1D::new());
    let mut model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let table: Vec<f32> = (0..4).flat_map(|id| [10.0 * id as f32, -10.0 * id as f32]).collect();
    model.set_weights([("embedding/embeddings", &table[..])]).unwrap();
    model
}

#[test]
fn numbers_are_embedded_and_zeros_masked() {
    let ids = Dataset::from_arrays(vec![3.0, 0.0, 1.0, 2.0, 2.0, 0.0], &[2, 3], vec![], &[]).unwrap();
    let third = |sum: f64| sum / 3.0;
    let plain = embedding(false).predict_f64(&ids).unwrap();
    assert_eq!(plain, [third(40.0), third(-40.0), third(40.0), third(-40.0)]);
    assert_eq!(embedding(true).predict_f64(&ids).unwrap(), [20.0, -20.0, 20.0, -20.0]);
}

#[test]
fn numbers_that_name_nothing_are_refused_before_they_reach_the_device() {
    for (bad, shown) in [(4.0, "4"), (-1.0, "-1"), (1.5, "1.5")] {
        let ids = vec![0.0, 1.0, 2.0, 3.0, bad, 0.0];
        let data = Dataset::from_arrays(ids, &[2, 3], vec![0.0; 4], &[2, 2]).unwrap();
        let words = format!("sample 1 (from 0) has {shown} at place 1 of its input 0");
        for error in [
            embedding(false).predict(&data).unwrap_err(),
            embedding(false).evaluate(&data).unwrap_err(),
            embedding(false).fit(&data, Fit::epochs(1)).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains(&words) && error.contains("`embedding` takes whole numbers from 0 to 3"), "{error}");
        }
    }
    let mut graph = Functional::new();
    let [x, ids] = [graph.input("x", &[2]).unwrap(), graph.input("ids", &[3]).unwrap()];
    let table = graph.add(Embedding::new(4, 2), &[ids]).unwrap();
    let mean = graph.add(GlobalAveragePooling1D::new(), &[table]).unwrap();
    let sum = graph.add(Merge::Add, &[x, mean]).unwrap();
    let graph = graph.outputs(&[sum]);
    let mut model = graph.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let data = |last: f32| {
        let data = Dataset::from_arrays(vec![9.0; 4], &[2, 2], vec![], &[]).unwrap();
        data.with_input(vec![0.0, 1.0, 2.0, 3.0, 0.0, last], &[2, 3]).unwrap()
    };
    assert!(model.predict(&data(3.0)).is_ok());
    let error = model.predict(&data(7.0)).unwrap_err().to_string();
    assert!(error.contains("sample 1 (from 0) has 7 at place 2 of its input 1"), "{error}");
}

#[test]
fn embeddings_take_inputs_of_the_model() {
    refused(Sequential::new(&[3]).add(Dense::new(2)).add(Embedding::new(4, 2)), &["`embedding`", "input of the model"]);
    refused(Sequential::new(&[3, 1]).add(Embedding::new(4, 2)), &["`embedding`", "[steps]"]);
    refused(Sequential::new(&[3]).add(Embedding::new(0, 2)), &["`embedding`", "input_dim from 1"]);
    refused(Sequential::new(&[3]).add(Embedding::new((1 << 24) + 1, 2)), &["`embedding`", "input_dim from 1"]);
}

/// Three sequences of four steps of two features, some of the steps 0.
fn sequences() -> Dataset {
    let mut x: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
    [2..4, 8..10, 20..24].into_iter().for_each(|steps| x[steps].fill(0.0));
    Dataset::from_arrays(x, &[3, 4, 2], vec![0.5, -0.5, 1.0], &[3, 1]).unwrap()
}

/// How often a plan's steps run each of these kernels.
fn runs(model: &mut Model, mode: Mode, kernels: [&str; 2]) -> [usize; 2] {
    let plan = model.plan(&sequences(), mode, 3).unwrap();
    kernels.map(|name| plan.steps().iter().filter(|step| step.kernel.name == name).count())
}

/// Whatever the time steps can see: masks, dropout of states, initial states that are kept, gradients of every step or of the last.
#[test]
fn both_directions_of_a_layer_are_swept_at_once() {
    let lstm = || Lstm::new(3).peepholes(true).dropout(0.2).recurrent_dropout(0.3);
    let gru = || Gru::new(3).reset_after(false).recurrent_dropout(0.3);
    let layers: [(&str, Wrapped, Wrapped); 4] = [
        ("lstm", Lstm::new(3).return_sequences(true).into(), Lstm::new(5).into()),
        ("lstm", lstm().return_sequences(true).into(), lstm().stateful(true).into()),
        ("gru", Gru::new(3).return_sequences(true).into(), Gru::new(5).stateful(true).into()),
        ("gru", gru().return_sequences(true).into(), gru().into()),
    ];
    for (name, first, second) in layers {
        let (forwards, backwards) = (format!("{name}_sequence"), format!("{name}_sequence_grad"));
        for (mode, masked) in MergeMode::ALL.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
            let mut graph = Functional::new();
            let input = graph.input("x", &[4, 2]).unwrap();
            let input = if masked { graph.add(Masking::new(), &[input]).unwrap() } else { input };
            let both = graph.layer(Bidirectional::new(first.clone()).merge_mode(mode)).unwrap();
            let given = graph.call(both, &[input]).unwrap();
            let joined = if given.len() == 2 { graph.add(Merge::Add, &given).unwrap() } else { given[0] };
            let last = graph.add(Bidirectional::new(second.clone()), &[joined]).unwrap();
            let output = graph.add(Dense::new(1), &[last]).unwrap();
            let model = graph.outputs(&[output]);
            let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.1), []).unwrap();
            let kernels = [forwards.as_str(), backwards.as_str()];
            assert_eq!(runs(&mut model, Mode::Predict, kernels), [2, 0], "{name}, {mode:?}, masked {masked}");
            assert_eq!(runs(&mut model, Mode::Train, kernels), [2, 2], "{name}, {mode:?}, masked {masked}");
        }
    }
}

/// Two layers, wrapped and by themselves.
type Pair = ([Wrapped; 2], [Arc<dyn Layer>; 2]);

fn pair<L: Layer + Clone + Into<Wrapped> + 'static>(forward: L, backward: L) -> Pair {
    let wrapped = [forward.clone().into(), backward.clone().into()];
    (wrapped, [Arc::new(forward), Arc::new(backward)])
}

/// A model of a pair of layers, as one Bidirectional or side by side.
fn both_or_two(pair: &Pair, together: bool, masked: bool, device: &Device) -> Model {
    let ([forward, backward], alone) = pair;
    let mut graph = Functional::new();
    let input = graph.input("x", &[4, 2]).unwrap();
    let input = if masked { graph.add(Masking::new(), &[input]).unwrap() } else { input };
    let joined = if together {
        let both = Bidirectional::new(forward.clone()).backward_layer(backward.clone());
        graph.add(both, &[input]).unwrap()
    } else {
        let layers = alone.each_ref().map(|layer| graph.place(None, layer.clone(), true).unwrap());
        let given = layers.map(|layer| graph.call(layer, &[input]).unwrap()[0]);
        graph.add(Concatenate::new(), &given).unwrap()
    };
    let output = graph.add(Dense::new(1), &[joined]).unwrap();
    graph.outputs(&[output]).compile(device.clone(), Loss::MeanSquaredError, Sgd::new(0.1), []).unwrap()
}

/// One layer goes backwards; where the cells of the two differ, each is swept alone.
#[test]
fn both_directions_have_the_bits_of_two_layers() {
    let (lstm, gru) = (Lstm::new(3).peepholes(true), Gru::new(3).reset_after(false));
    let pairs = [
        (pair(lstm.clone(), lstm.go_backwards(true)), ["lstm_sequence", "lstm_sequence_grad"], 1),
        (pair(gru.clone(), gru.clone().go_backwards(true)), ["gru_sequence", "gru_sequence_grad"], 1),
        (pair(Gru::new(3), gru.go_backwards(true)), ["gru_sequence", "gru_sequence_grad"], 2),
    ];
    for device in [Device::Cpu, Device::CpuF64].into_iter().chain(common::gpu()) {
        for ((pair, kernels, sweeps), masked) in pairs.iter().flat_map(|pair| [(pair, false), (pair, true)]) {
            let [mut together, mut apart] = [true, false].map(|both| both_or_two(pair, both, masked, &device));
            assert_eq!(runs(&mut together, Mode::Train, *kernels), [*sweeps; 2], "{kernels:?} on {device}");
            assert_eq!(runs(&mut apart, Mode::Train, *kernels), [2; 2], "{kernels:?} on {device}");
            let paths: Vec<String> = apart.weights().unwrap().into_iter().map(|w| w.path).collect();
            let values = together.weights().unwrap();
            let named = paths.iter().zip(&values).map(|(path, w)| (path.as_str(), w.values.as_slice()));
            apart.set_weights(named).unwrap();
            let [both, two] = [&mut together, &mut apart].map(|model| {
                let trace = model.trace(&sequences(), &[0, 1, 2], true).unwrap();
                let gradients = trace.gradients.iter().chain(&trace.input_gradients);
                let values = gradients.flat_map(|gradient| gradient.values.clone());
                values.chain([trace.loss]).map(f64::to_bits).collect::<Vec<u64>>()
            });
            assert_eq!(both, two, "{kernels:?} on {device}, masked {masked}");
        }
    }
}

#[test]
fn a_stateful_model_predicts_a_batch_of_any_size_and_goes_on_from_it() {
    let model = Sequential::new(&[3, 2]).add(Lstm::new(4).stateful(true)).add(Dense::new(1));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.1), []).unwrap();
    let x = (0..4 * 3 * 2).map(|i| (i as f32 * 0.7).sin()).collect();
    let data = Dataset::from_arrays(x, &[4, 3, 2], vec![], &[]).unwrap();
    let first = model.predict(&data).unwrap();
    assert_ne!(model.predict(&data).unwrap(), first, "the second batch begins where the first ended");
    model.reset_states().unwrap();
    assert_eq!(model.predict(&data).unwrap(), first);
}
