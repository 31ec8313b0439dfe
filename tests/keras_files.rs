//! Models come back from their files as they were, and train on as if they had never been saved.

use std::path::Path;
use std::sync::Arc;

use gatenorm::data::{
    Categorical, DateOrder, Encoding, Labelled, Missing, Reading, SampleKind, TargetOf, TimeAxis, TimeFeature,
};
use gatenorm::formats::KerasArchive;
use gatenorm::model::{
    Concatenate, Embedding, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormLstm, Merge, RenormClipping,
    RepeatVector, Reshape, SpatialDropout1D, TimeDistributed,
};
use gatenorm::prelude::*;
use gatenorm::train::{
    Adagrad, CosineDecay, CosineDecayRestarts, DataSpec, ExponentialDecay, InverseTimeDecay, LearningRate, Lion, Nadam,
    Optimizer, PiecewiseConstantDecay, PolynomialDecay,
};
use serde_json::{Value, json};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras_lesson.keras");
const VALUES: &str = include_str!("fixtures/keras_lesson.json");

/// Samples of 5 steps of 3 features, of different sizes, and whether their first feature rises.
fn data(samples: usize) -> Dataset {
    let x: Vec<f32> = (0..samples * 15).map(|i| ((i * 37 % 101) as f32 - 50.0) * [0.01, 1.0, 20.0][i % 3]).collect();
    let y = x.chunks(15).map(|sample| f32::from(u8::from(sample[12] > sample[0]))).collect();
    Dataset::from_arrays(x, &[samples, 5, 3], y, &[samples, 1]).unwrap()
}

fn lesson(optimizer: impl Into<Optimizer>, data: &Dataset) -> Model {
    let model = Sequential::new(&[5, 3])
        .add(Normalization::new())
        .add(Lstm::new(6).return_sequences(true))
        .add_named("in between", Arc::new(BatchNormalization::new().momentum(0.9)))
        .add(Lstm::new(4))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(7);
    let mut model = model.compile(Device::Cpu, Loss::BinaryCrossentropy, optimizer, [Metric::Accuracy]).unwrap();
    model.adapt(data).unwrap();
    model
}

/// Every optimizer, with each number of moments, each argument that all have, and each schedule.
fn optimizers() -> Vec<Optimizer> {
    let momentum = Sgd::new(0.05).momentum(0.9);
    vec![
        Adam::new(0.003).into(),
        Adam::new(CosineDecay::new(0.0, 20).alpha(0.1).warmup_target(Some(0.01)).warmup_steps(4)).amsgrad(true).into(),
        Adam::new(0.003).clipnorm(0.3).use_ema(0.9, Some(3)).amsgrad(true).into(),
        AdamW::default().exclude_from_weight_decay(&["bias"]).into(),
        AdamW::new(PolynomialDecay::new(0.01, 5).power(2.0).cycle(true)).weight_decay(0.1).into(),
        Sgd::new(0.1).into(),
        momentum.clone().into(),
        momentum.nesterov(true).clipvalue(0.1).into(),
        Sgd::new(PiecewiseConstantDecay::new(vec![2, 5], vec![0.1, 0.05, 0.01])).weight_decay(0.01).into(),
        RmsProp::default().into(),
        RmsProp::new(ExponentialDecay::new(0.01, 3, 0.5).staircase(true)).momentum(0.5).centered(true).into(),
        RmsProp::new(InverseTimeDecay::new(0.01, 3, 0.5)).centered(true).use_ema(0.5, None).into(),
        Nadam::new(0.003).global_clipnorm(0.5).into(),
        Adagrad::new(CosineDecayRestarts::new(0.1, 3).m_mul(0.5)).into(),
        Lion::new(0.001).into(),
        // Saved between two updates.
        Adam::new(0.003).gradient_accumulation_steps(5).clipnorm(0.3).into(),
        Nadam::new(0.003).gradient_accumulation_steps(2).use_ema(0.5, Some(2)).into(),
    ]
}

fn saved_and_loaded(model: &mut Model) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    model.save(&path).unwrap();
    Model::load(&path, Device::Cpu).unwrap()
}

fn assert_same(a: &mut Model, b: &mut Model, data: &Dataset) {
    assert_eq!(a.weights().unwrap(), b.weights().unwrap());
    assert_eq!(a.optimizer_state().unwrap(), b.optimizer_state().unwrap());
    assert_eq!((a.iterations(), a.optimizer()), (b.iterations(), b.optimizer()));
    assert_eq!((a.loss(), a.metrics()), (b.loss(), b.metrics()));
    let bits = |model: &mut Model| model.predict(data).unwrap().iter().map(|p| p.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(a), bits(b));
    assert_eq!(a.evaluate(data).unwrap(), b.evaluate(data).unwrap());
    let names = |model: &Model| model.network().layers.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(a), names(b));
    assert_eq!(a.network().layers[2].layer.config(), b.network().layers[2].layer.config());
}

#[test]
fn a_model_comes_back_to_the_bit() {
    let data = data(40);
    for optimizer in optimizers() {
        let mut model = lesson(optimizer, &data);
        assert_same(&mut saved_and_loaded(&mut model), &mut model, &data);
        model.fit(&data, Fit::epochs(2).batch_size(16)).unwrap();
        match model.optimizer().schedule() {
            LearningRate::Constant(_) => model.set_learning_rate(0.000_7).unwrap(),
            _ => assert!(model.set_learning_rate(0.000_7).unwrap_err().to_string().contains("schedule")),
        }
        assert_same(&mut saved_and_loaded(&mut model), &mut model, &data);
    }
}

#[test]
fn training_goes_on_as_if_never_saved() {
    let data = data(40);
    for optimizer in optimizers() {
        for shuffle in [false, true] {
            let fit = || Fit::epochs(3).batch_size(16).shuffle(shuffle);
            let mut model = lesson(optimizer.clone(), &data);
            model.fit(&data, fit()).unwrap();
            let mut loaded = saved_and_loaded(&mut model);
            let scores = |history: History| history.epochs.into_iter().map(|e| e.scores).collect::<Vec<_>>();
            let (a, b) = (model.fit(&data, fit()).unwrap(), loaded.fit(&data, fit()).unwrap());
            assert_eq!(scores(a), scores(b), "{optimizer:?}, shuffle {shuffle}");
            assert_same(&mut loaded, &mut model, &data);
        }
    }
}

#[test]
fn what_keras_has_no_place_for_is_kept() {
    let spec = DataSpec {
        samples: SampleKind::Row,
        columns: vec!["a".into(), "b".into(), "c".into()],
        targets: vec!["y".into()],
        window: 5,
        stride: 2,
        classes: Some(vec!["no".into(), "perhaps".into(), "yes".into()]),
        label_classes: Some(vec![["shut".into(), "open".into()]]),
        reading: Reading {
            categorical: vec![Categorical { column: "c".into(), categories: vec!["NE".into(), "cv".into()] }],
            encoding: Encoding::Integer,
            missing: Missing::Mask,
            missing_marks: Some(vec!["-999".into()]),
            time: Some(TimeAxis {
                columns: vec!["day".into(), "hour".into()],
                order: Some(DateOrder::DayFirst),
                gap: Some(90.5),
                features: vec![TimeFeature::Weekday],
                found: false,
            }),
            group: vec!["machine".into()],
            target_of: TargetOf::EveryRow,
            horizon: vec![1, 6],
            season: Some(24),
            series: Some(Labelled::File("id".into())),
        },
        new_categories: false,
        labels: None,
        host_memory: None,
    };
    let mut model = lesson(Adam::default(), &data(10));
    assert_eq!(saved_and_loaded(&mut model).data_spec(), None);
    model.set_data_spec(Some(spec.clone()));
    let loaded = saved_and_loaded(&mut model);
    assert_eq!((loaded.data_spec(), loaded.network().seed), (Some(&spec), 7));
}

#[test]
fn every_kind_of_layer_comes_back() {
    let data = data(12);
    let bounds = RenormClipping { rmax: Some(3.0), dmax: Some(5.0), ..RenormClipping::default() };
    let model = Sequential::new(&[5, 3])
        .add(Lstm::new(3).use_bias(false).unit_forget_bias(false).return_sequences(true))
        .add(BatchNormalization::new().center(false).epsilon(0.01))
        .add(Lstm::new(2).return_sequences(true))
        .add(BatchNormalization::new().scale(false))
        .add(BatchNormalization::new().axis(1).synchronized(true).renorm(true).renorm_momentum(0.5))
        .add(Lstm::new(2))
        .add(BatchNormalization::new().renorm(true).renorm_clipping(bounds))
        .add(BatchNormalization::new().scale(false).center(false))
        .add(Dense::new(4).activation(Activation::Relu).use_bias(false))
        .add(Dense::new(3).activation(Activation::Tanh))
        .add(Dense::new(1));
    let metrics = [Metric::MeanAbsoluteError, Metric::MeanSquaredError, Metric::Accuracy];
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), metrics).unwrap();
    model.fit(&data, Fit::epochs(1)).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    assert_same(&mut loaded, &mut model, &data);
    for (a, b) in model.network().layers.iter().zip(&loaded.network().layers) {
        assert_eq!(a.layer.config(), b.layer.config());
    }
}

/// A Dense layer for each initializer, regularizers, constraints, and what batch normalisation has of them.
fn with_weight_arguments() -> Sequential {
    use gatenorm::model::{Distribution, Fan};
    let scaling =
        Initializer::VarianceScaling { scale: 0.5, mode: Fan::Average, distribution: Distribution::UntruncatedNormal };
    let initializers = [
        Initializer::Zeros,
        Initializer::Ones,
        Initializer::Constant(0.1),
        Initializer::RandomNormal { mean: 0.1, stddev: 0.2 }.seeded(3),
        Initializer::RandomUniform { minval: -0.1, maxval: 0.2 },
        Initializer::TruncatedNormal { mean: -0.1, stddev: 0.3 },
        scaling,
        Initializer::GlorotNormal,
        Initializer::HeUniform,
        Initializer::HeNormal.seeded(0),
        Initializer::LecunUniform,
        Initializer::LecunNormal,
        Initializer::Orthogonal { gain: 0.5 },
        Initializer::Identity { gain: 2.0 },
    ];
    let dense = |initializer: &Initializer| Dense::new(3).kernel_initializer(initializer.clone());
    let model = initializers.iter().fold(Sequential::new(&[5, 3]), |model, i| model.add(dense(i)));
    let rate = Constraint::MinMaxNorm { min_value: 0.5, max_value: 1.5, rate: 0.3, axes: vec![0, 1] };
    let batch_normalization = BatchNormalization::new()
        .beta_initializer(Initializer::Constant(0.25))
        .gamma_initializer(Initializer::RandomUniform { minval: 0.5, maxval: 1.5 })
        .moving_mean_initializer(Initializer::Ones)
        .moving_variance_initializer(Initializer::Constant(2.0))
        .beta_regularizer(Regularizer::l1(0.01))
        .gamma_regularizer(Regularizer::l2(0.02))
        .beta_constraint(Constraint::max_norm(0.7))
        .gamma_constraint(Constraint::NonNeg);
    let lstm = Lstm::new(1)
        .kernel_initializer(Initializer::HeNormal)
        .recurrent_initializer(Initializer::Orthogonal { gain: 0.5 })
        .bias_initializer(Initializer::Constant(0.25))
        .recurrent_regularizer(Regularizer::l1_l2(0.01, 0.02))
        .recurrent_constraint(Constraint::unit_norm())
        .bias_regularizer(Regularizer::l2(0.03))
        .activity_regularizer(Regularizer::l2(0.04));
    model
        .add(batch_normalization)
        .add(Dense::new(4).kernel_regularizer(Regularizer::l1_l2(0.01, 0.02)).kernel_constraint(rate))
        .add(Dense::new(4).kernel_constraint(Constraint::unit_norm().along(&[-1])).bias_constraint(Constraint::NonNeg))
        .add(Dense::new(4).kernel_constraint(Constraint::max_norm(1.5).along(&[])))
        .add(Dense::new(2).bias_initializer(Initializer::Ones).bias_regularizer(Regularizer::l2(0.1)))
        .add(Dense::new(3).activity_regularizer(Regularizer::l1(0.05)).activation(Activation::Gelu))
        .add(lstm)
}

#[test]
fn the_arguments_of_weights_come_back() {
    let mut model = with_weight_arguments().compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    let layers = |model: &Model| model.network().layers.iter().map(|l| format!("{:?}", l.layer)).collect::<Vec<_>>();
    assert_eq!(layers(&loaded), layers(&model));
    let data = data(12);
    let fit = || Fit::epochs(2).batch_size(5);
    let (a, b) = (model.fit(&data, fit()).unwrap(), loaded.fit(&data, fit()).unwrap());
    assert_eq!(a.get("loss"), b.get("loss"));
    assert_same(&mut loaded, &mut model, &data);
}

#[test]
fn arguments_of_weights_that_are_keras_defaults_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let model =
        Sequential::new(&[3]).add(BatchNormalization::new()).add(Dense::new(1).kernel_constraint(Constraint::NonNeg));
    model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap().save(&path).unwrap();
    let archive = KerasArchive::read(&path).unwrap();
    let arguments = |index: usize| {
        let config = archive.config["config"]["layers"][index]["config"].as_object().unwrap();
        config.keys().map(String::as_str).filter(|key| key.contains('_')).collect::<Vec<_>>()
    };
    assert_eq!(arguments(1), Vec::<&str>::new());
    assert_eq!(arguments(2), ["kernel_constraint", "use_bias"]);
}

#[test]
fn layers_that_are_not_trained_come_back() {
    let data = data(12);
    let model = Sequential::new(&[5, 3])
        .add(Dense::new(3))
        .add(Normalization::new())
        .add(LayerNormalization::new().epsilon(0.01))
        .add(LayerNormalization::new().center(false).scale(false))
        .add(LayerNormLstm::new(3).return_sequences(true).epsilon(0.01))
        .add(RecurrentBatchNormLstm::new(2, 4).return_sequences(true).momentum(0.5))
        .add_frozen(Lstm::new(2))
        .add_frozen(BatchNormalization::new())
        .add(Dense::new(1));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    model.fit(&data, Fit::epochs(1)).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    assert_same(&mut loaded, &mut model, &data);
    let trainable = |model: &Model| model.network().layers.iter().map(|l| l.trainable).collect::<Vec<bool>>();
    assert_eq!(trainable(&loaded), [true, true, true, true, true, true, false, false, true]);
    assert_eq!(trainable(&model), trainable(&loaded));
}

#[test]
fn layers_without_variables_come_back() {
    let data = data(12);
    let model = Sequential::new(&[5, 3])
        .add(Masking::new().mask_value(-0.1))
        .add(SpatialDropout1D::new(0.25).seed(3))
        .add(TimeDistributed::new(Dense::new(4)))
        .add(Activation::Relu)
        .add(Reshape::new(&[Some(10), None]))
        .add(GlobalMaxPooling1D::new().keepdims(true))
        .add(Flatten::new())
        .add(RepeatVector::new(2))
        .add(GlobalAveragePooling1D::new())
        .add(Dropout::new(0.5).noise_shape(&[None, Some(1)]))
        .add(Dense::new(1))
        .seed(5);
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    model.fit(&data, Fit::epochs(1)).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    assert_same(&mut loaded, &mut model, &data);
    for (a, b) in model.network().layers.iter().zip(&loaded.network().layers) {
        assert_eq!((a.layer.class_name(), a.layer.config()), (b.layer.class_name(), b.layer.config()));
    }
}

#[test]
fn embeddings_come_back() {
    let ids: Vec<f32> = (0..60).map(|i| (i * 7 % 9) as f32).collect();
    let data = Dataset::from_arrays(ids, &[12, 5], vec![0.5; 12], &[12, 1]).unwrap();
    let embedding = Embedding::new(9, 3).mask_zero(true).embeddings_regularizer(Regularizer::l2(0.1));
    let model = Sequential::new(&[5]).add(embedding).add(GlobalAveragePooling1D::new()).add(Dense::new(1));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    model.fit(&data, Fit::epochs(2)).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    assert_same(&mut loaded, &mut model, &data);
    for (a, b) in model.network().layers.iter().zip(&loaded.network().layers) {
        assert_eq!((a.layer.class_name(), a.layer.config()), (b.layer.class_name(), b.layer.config()));
    }
}

#[test]
fn merging_layers_come_back() {
    let data = data(12);
    let mut graph = Functional::new();
    let x = graph.input("x", &[5, 3]).unwrap();
    let [a, b] = [2, 2].map(|units| graph.add(Lstm::new(units).return_sequences(true), &[x]).unwrap());
    let merged = Merge::ALL.map(|merge| graph.add(merge, &[a, b]).unwrap());
    let steps = graph.add(Concatenate::new().axis(1), &merged).unwrap();
    let features = graph.add(Concatenate::new(), &[steps, steps]).unwrap();
    let mean = graph.add(GlobalAveragePooling1D::new(), &[features]).unwrap();
    let output = graph.add(Dense::new(1), &[mean]).unwrap();
    let mut model = graph.outputs(&[output]).compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    model.fit(&data, Fit::epochs(1)).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    assert_same(&mut loaded, &mut model, &data);
    for (a, b) in model.network().layers.iter().zip(&loaded.network().layers) {
        assert_eq!((a.layer.class_name(), a.layer.config()), (b.layer.class_name(), b.layer.config()));
    }
}

#[test]
fn rows_without_steps_and_several_outputs_come_back() {
    let x: Vec<f32> = (0..24).map(|i| i as f32 / 10.0).collect();
    let y = (0..16).map(|i| f32::from(i % 3 == 0)).collect();
    let data = Dataset::from_arrays(x, &[8, 3], y, &[8, 2]).unwrap();
    let model = Sequential::new(&[3]).add(Dense::new(2).activation(Activation::Sigmoid));
    let mut model = model.compile(Device::Cpu, Loss::BinaryCrossentropy, Sgd::new(0.1), [Metric::Accuracy]).unwrap();
    model.fit(&data, Fit::epochs(2)).unwrap();
    let mut loaded = saved_and_loaded(&mut model);
    assert_eq!(loaded.predict(&data).unwrap(), model.predict(&data).unwrap());
    assert_eq!(loaded.metrics(), [Metric::Accuracy]);
}

#[test]
fn a_file_from_keras_predicts_what_keras_predicts() {
    let expected: Value = serde_json::from_str(VALUES).unwrap();
    let flat = |name: &str| -> Vec<f32> {
        fn numbers(value: &Value, out: &mut Vec<f32>) {
            match value {
                Value::Array(list) => list.iter().for_each(|value| numbers(value, out)),
                number => out.push(number.as_f64().unwrap() as f32),
            }
        }
        let mut out = Vec::new();
        numbers(&expected[name], &mut out);
        out
    };
    let data = Dataset::from_arrays(flat("input"), &[3, 4, 2], vec![], &[]).unwrap();
    let mut model = Model::load(FIXTURE, Device::Cpu).unwrap();
    let (found, expected) = (model.predict(&data).unwrap(), flat("prediction"));
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} is not {b}");
    }
    assert!(model.iterations() > 0);
    let moments = model.optimizer_state().unwrap();
    assert_eq!((moments.len(), moments[0].len()), (2, 12));
}

#[test]
fn the_file_holds_what_every_keras_3_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.keras"), folder.path().join("b.keras"));
    let mut model = lesson(Adam::default(), &data(10));
    model.save(&a).unwrap();
    model.save(&b).unwrap();
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    let archive = KerasArchive::read(&a).unwrap();
    let layers = &archive.config["config"]["layers"];
    assert_eq!(layers[0]["config"], json!({"name": "input_layer", "batch_shape": [null, 5, 3], "dtype": "float32"}));
    let lstm = json!({
        "name": "lstm", "units": 6, "return_sequences": true, "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": true, "unit_forget_bias": true, "dtype": "float32"
    });
    assert_eq!(layers[2]["config"], lstm);
    let normalization =
        json!({"name": "normalization", "axis": [-1], "mean": null, "variance": null, "dtype": "float32"});
    assert_eq!(layers[1]["config"], normalization);
    assert_eq!(archive.weights["layers/normalization/vars/2"].as_i64(), Some(&[0][..]));
    // Step count and learning rate, then two moments of twelve variables, zeros until it is trained.
    assert_eq!(archive.weights.keys().filter(|path| path.starts_with("optimizer/vars/")).count(), 26);
    assert_eq!(archive.weights["optimizer/vars/25"].as_f32(), Some(&[0.0][..]));
}

#[test]
fn a_path_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = lesson(Adam::default(), &data(10));
    let error = model.save(folder.path().join("no/such/model.keras")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("create it"), "{error}");
    let error = model.save(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(!Path::new("no").exists());
}

#[test]
fn weights_that_are_no_numbers_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let mut model = lesson(Adam::default(), &data(10));
    model.set_weights([("dense/kernel", &[1.0, f32::NAN, 0.0, 0.0][..])]).unwrap();
    let error = model.save(&path).unwrap_err().to_string();
    assert!(error.contains("`dense/kernel` holds NaN at element 1"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_name_that_keras_refuses_is_not_saved() {
    let model = Sequential::new(&[3]).add_named("a/b", Arc::new(Dense::new(1)));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    let error = model.save("never.keras").unwrap_err().to_string();
    assert!(error.contains("`a/b` holds a `/`"), "{error}");
}
