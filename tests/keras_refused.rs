//! What a `.keras` file may hold that has no effect, and what is refused, by name.

use gatenorm::formats::{Array, KerasArchive};
use gatenorm::prelude::*;
use gatenorm::train::Optimizer;
use serde_json::{Value, json};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras_lesson.keras");
/// Places in the fixture's config.json: its layers are InputLayer, Normalization, LSTM `lstm`, BatchNormalization, LSTM, BatchNormalization, Dense.
const LSTM: &str = "/config/layers/2/config";
const BATCH_NORMALIZATION: &str = "/config/layers/3/config";
const DENSE: &str = "/config/layers/6/config";
const ADAM: &str = "/compile_config/optimizer/config";

fn fixture() -> KerasArchive {
    KerasArchive::read(FIXTURE.as_ref()).unwrap()
}

fn load(archive: &KerasArchive) -> Result<Model> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edited.keras");
    archive.write(&path).unwrap();
    Model::load(&path, Device::Cpu)
}

/// The fixture with one value of its config set.
fn with(at: &str, name: &str, value: Value) -> KerasArchive {
    let mut archive = fixture();
    archive.config.pointer_mut(at).unwrap()[name] = value;
    archive
}

fn refused(archive: &KerasArchive, words: &[&str]) {
    let error = load(archive).unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("edited.keras: "), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

fn predictions(archive: &KerasArchive) -> Vec<f32> {
    let x = (0..24).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
    let data = Dataset::from_arrays(x, &[3, 4, 2], vec![], &[]).unwrap();
    load(archive).unwrap().predict(&data).unwrap()
}

#[test]
fn options_that_change_results_are_refused_by_name() {
    let l2 = || json!({"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.01}});
    let lstm: [(&str, Value); 9] = [
        ("activation", json!("celu")),
        ("activation", json!({"value": ["4wEAAAA=", null, null]})),
        ("recurrent_activation", json!("glu")),
        ("recurrent_regularizer", json!({"class_name": "OrthogonalRegularizer"})),
        ("bias_constraint", l2()),
        ("trainable", json!("no")),
        ("dtype", json!("mixed_float16")),
        ("dtype", json!({"class_name": "DTypePolicy", "config": {"name": "bfloat16"}})),
        ("something_new", json!(3)),
    ];
    for (name, value) in lstm {
        let shown = value.to_string();
        refused(
            &with(LSTM, name, value),
            &["layer `lstm` (LSTM)", &format!("`{name}` is {shown}"), "supported here: "],
        );
    }
    let axes = [json!(0), json!(-3), json!(3), json!([1, 2])].map(|value| ("axis", value));
    let bounds = [json!({"r_max": 3.0}), json!({"rmax": "3"}), json!([3.0])].map(|value| ("renorm_clipping", value));
    let others = [("renorm", json!("yes")), ("synchronized", json!(1)), ("gamma_constraint", l2())];
    for (name, value) in axes.into_iter().chain(bounds).chain(others) {
        let words = ["layer `batch_normalization` (BatchNormalization)", &format!("argument `{name}` is")];
        refused(&with(BATCH_NORMALIZATION, name, value), &words);
    }
    for (name, value) in [("activation", json!("sparsemax")), ("lora_rank", json!(4))] {
        refused(&with(DENSE, name, value), &["layer `dense` (Dense)", &format!("argument `{name}` is")]);
    }
    for (bounds, word) in [
        (json!({"rmax": 0.5, "rmin": 2.0}), "rmax 0.5 below rmin 2"),
        (json!({"dmax": -1.0}), "dmax -1"),
        (json!({"rmax": 1e40}), "rmax that is not finite"),
    ] {
        let mut archive = with(BATCH_NORMALIZATION, "renorm", json!(true));
        archive.config.pointer_mut(BATCH_NORMALIZATION).unwrap()["renorm_clipping"] = bounds;
        refused(&archive, &["layer `batch_normalization` (BatchNormalization)", "`renorm_clipping`", word]);
    }
    refused(&with("/config", "trainable", json!(false)), &["the model", "`trainable` is false"]);
}

#[test]
fn arguments_that_are_no_arguments_are_refused_by_name() {
    for value in [json!(0), json!(-1), json!(2.5), json!(1u64 << 40), json!("64"), json!([1])] {
        refused(&with(LSTM, "units", value), &["layer `lstm` (LSTM)", "`units`", "a whole number from 1"]);
    }
    refused(&with(LSTM, "units", Value::Null), &["layer `lstm` (LSTM)", "argument `units` is missing"]);
    refused(&with(LSTM, "use_bias", json!("yes")), &["`use_bias` is \"yes\"", "true, false"]);
    refused(&with(BATCH_NORMALIZATION, "epsilon", json!("small")), &["`epsilon` is \"small\"", "a number"]);
    refused(&with(BATCH_NORMALIZATION, "momentum", json!(1.5)), &["`batch_normalization`", "momentum", "1.5"]);
    refused(&with(LSTM, "return_sequences", json!(false)), &["LSTM takes sequences", "return_sequences"]);
    refused(&with("/config/layers/2", "config", json!([])), &["its `config` is [], not an object"]);
    refused(&with("/config/layers/2", "class_name", json!(7)), &["layer `lstm`", "no `class_name`"]);
    refused(&with("/config", "layers", json!("none")), &["`layers` are \"none\""]);
    refused(&with("/config", "layers", json!([])), &["no layers"]);
    refused(&with(LSTM, "name", json!("lstm_1")), &["two layers are named `lstm_1`"]);
}

#[test]
fn initializers_regularizers_and_constraints_are_read_or_refused_by_name() {
    let object = |class: &str, config: Value| json!({"module": "keras.x", "class_name": class, "config": config});
    let refuse = |name: &str, value: Value, words: &[&str]| refused(&with(DENSE, name, value), words);
    let kernel = "layer `dense` (Dense): kernel_";
    let orthogonal = object("OrthogonalRegularizer", json!({"factor": 0.01, "mode": "rows"}));
    refuse("kernel_regularizer", orthogonal, &["`kernel_regularizer`", "OrthogonalRegularizer", "L1, L2, L1L2"]);
    refuse("kernel_regularizer", json!("own"), &["`kernel_regularizer` is \"own\""]);
    let much = object("L2", json!({"l2": "much"}));
    refuse("kernel_regularizer", much, &[kernel, "regularizer (L2)", "`l2` is \"much\"", "a number"]);
    refuse("bias_regularizer", object("L1", json!({"l1": -0.1})), &["variable `bias`", "factors from 0"]);
    let bad = object("L1", json!({"l1": -0.1}));
    refuse("activity_regularizer", bad, &["layer `dense`", "factors from 0"]);
    refuse("kernel_constraint", object("OwnNorm", json!({})), &["`kernel_constraint`", "MaxNorm, NonNeg"]);
    let axis = object("MaxNorm", json!({"max_value": 2, "axis": "first"}));
    refuse("kernel_constraint", axis, &[kernel, "constraint (MaxNorm)", "`axis` is \"first\""]);
    let axis = object("UnitNorm", json!({"axis": 2}));
    refuse("kernel_constraint", axis, &["variable `kernel`", "axis 2 of [2, 1]"]);
    refuse("bias_initializer", object("STFT", json!({})), &["`bias_initializer`", "STFT", "glorot_uniform"]);
    refuse("bias_initializer", json!("orthogonal"), &["variable `bias`", "needs two axes"]);
    let axes = object("HeNormal", json!({"seed": null, "input_axes": [0]}));
    refuse("kernel_initializer", axes, &[kernel, "initializer (HeNormal)", "`input_axes` is [0]"]);
    let seed = object("HeNormal", json!({"seed": {"class_name": "SeedGenerator"}}));
    refuse("kernel_initializer", seed, &[kernel, "`seed`", "a whole number"]);
    let mode = object("VarianceScaling", json!({"mode": "fan_all"}));
    refuse("kernel_initializer", mode, &["`mode` is \"fan_all\"", "fan_avg"]);
    let accepted = [
        ("kernel_regularizer", json!("l2")),
        ("kernel_regularizer", object("L1L2", json!({"l1": 0.1, "l2": null}))),
        ("kernel_constraint", json!("min_max_norm")),
        ("kernel_constraint", object("MaxNorm", json!({"max_value": 2, "axis": null}))),
        ("kernel_initializer", json!("normal")),
        ("kernel_initializer", object("VarianceScaling", json!({"distribution": "normal", "seed": 4}))),
        ("bias_initializer", Value::Null),
        ("activity_regularizer", json!("L1")),
    ];
    let expected = predictions(&fixture());
    for (name, value) in accepted {
        assert_eq!(predictions(&with(DENSE, name, value)), expected, "{name}");
    }
}

#[test]
fn other_models_and_layers_are_refused_by_name() {
    refused(&with("", "class_name", json!("Functional")), &["the model's `input_layers` hold null"]);
    let mut own = with("", "module", json!("mine"));
    own.config["class_name"] = json!("Forecaster");
    refused(&own, &["class `Forecaster`", "supported here: Sequential, Functional"]);

    for class in ["Conv1D", "RNN", "Sequential", "InputLayer"] {
        let words = [
            "layer `lstm`",
            &format!("class `{class}` is not supported"),
            "LSTM, GRU, Bidirectional, BatchNormalization",
        ];
        refused(&with("/config/layers/2", "class_name", json!(class)), &words);
    }
    refused(&with("/config/layers/2", "registered_name", json!("mine>LSTM")), &["layer `lstm`", "a class of"]);
    refused(&with("/config/layers/2", "module", json!("my_layers")), &["`LSTM` is a class of my_layers"]);
    let input = "/config/layers/0/config";
    refused(&with(input, "batch_shape", json!([null, 4, null])), &["`batch_shape`", "[null, steps, features]"]);
    refused(&with(input, "batch_shape", json!([null, 4, 2, 1])), &["`batch_shape`", "[null, steps, features]"]);
    refused(&with(input, "batch_shape", json!([])), &["`batch_shape`", "batch size"]);
    refused(&with(input, "dtype", json!("float64")), &["the InputLayer", "`dtype`"]);
    refused(&with(input, "sparse", json!(true)), &["the InputLayer", "`sparse`"]);
}

#[test]
fn other_losses_optimizers_and_metrics_are_refused_by_name() {
    let compile = "/compile_config";
    let object = |class: &str, config: Value| json!({"module": "keras.x", "class_name": class, "config": config});
    refused(&with(compile, "loss", json!("hinge")), &["`loss` is \"hinge\"", "binary_crossentropy"]);
    refused(&with(compile, "loss", json!(["mse", "mse"])), &["`loss` is [\"mse\",\"mse\"]"]);
    let strange = object("BinaryCrossentropy", json!({"label_smoothing": 1.5}));
    refused(&with(compile, "loss", strange), &["loss `binary_crossentropy`", "label_smoothing is 1.5"]);
    let elsewhere = object("BinaryCrossentropy", json!({"axis": 1}));
    refused(&with(compile, "loss", elsewhere), &["loss (BinaryCrossentropy)", "`axis` is 1"]);
    let ignoring = object("SparseCategoricalCrossentropy", json!({"ignore_class": 0}));
    refused(&with(compile, "loss", ignoring), &["loss (SparseCategoricalCrossentropy)", "`ignore_class` is 0"]);
    refused(&with(compile, "loss", object("MeanSquaredError", json!({"reduction": "none"}))), &["`reduction`", "none"]);
    refused(&with(compile, "loss_weights", json!(["much"])), &["`loss_weights` is [\"much\"]"]);
    refused(&with(compile, "weighted_metrics", json!(["iou"])), &["metric \"iou\""]);
    refused(&with(compile, "metrics", json!(["accuracy", "mean_io_u"])), &["metric \"mean_io_u\"", "accuracy"]);
    let wrong = object("SparseCategoricalAccuracy", json!({}));
    refused(&with(compile, "metrics", json!([wrong])), &["`sparse_categorical_accuracy`", "numbers of classes"]);
    let several = object("Precision", json!({"thresholds": [0.2, 0.8]}));
    refused(&with(compile, "metrics", json!([several])), &["metric (Precision)", "`thresholds`", "one number"]);
    refused(&with(compile, "metrics", json!([object("Accuracy", json!({}))])), &["metric", "Accuracy"]);
    let areas = object("AUC", json!({"multi_label": true}));
    refused(&with(compile, "metrics", json!([areas])), &["metric (AUC)", "`multi_label` is true"]);
    refused(&with(compile, "optimizer", json!("ftrl")), &["`optimizer` is \"ftrl\"", "Adam, AdamW, SGD"]);
    refused(&with(compile, "optimizer", Value::Null), &["no `optimizer`", "rmsprop"]);
    for (name, value) in [("gradient_accumulation_steps", json!(1)), ("loss_scale_factor", json!(1024.0))] {
        refused(&with(ADAM, name, value), &["optimizer (Adam)", &format!("argument `{name}` is")]);
    }
    for (name, value) in [("weight_decay", json!("much")), ("amsgrad", json!(3)), ("clipnorm", json!([]))] {
        refused(&with(ADAM, name, value), &["optimizer (Adam)", &format!("argument `{name}` is")]);
    }
    let schedule = object("ExponentialDecay", json!({"initial_learning_rate": 0.1, "decay_steps": 10}));
    refused(&with(ADAM, "learning_rate", schedule), &["learning_rate (ExponentialDecay)", "`decay_rate`"]);
    let schedule = object("OwnDecay", json!({}));
    refused(&with(ADAM, "learning_rate", schedule), &["optimizer (Adam)", "OwnDecay", "CosineDecay"]);
    refused(&with(ADAM, "beta_1", json!(1.0)), &["beta_1", "less than 1"]);
    refused(&with(ADAM, "clipnorm", json!(-1.0)), &["clipnorm", "above 0"]);
}

#[test]
fn arguments_without_effect_are_accepted() {
    let expected = predictions(&fixture());
    let function =
        json!({"module": "builtins", "class_name": "function", "config": "tanh", "registered_name": "function"});
    let lstm = [("unroll", json!(true)), ("use_cudnn", json!("auto")), ("seed", json!(3)), ("dtype", json!("float32"))];
    let others = [("dropout", json!(0)), ("activation", function), ("kernel_initializer", json!("he_normal"))];
    for (name, value) in lstm.into_iter().chain(others).chain([("name", json!("mine")), ("name", Value::Null)]) {
        assert_eq!(predictions(&with(LSTM, name, value)), expected, "{name}");
    }
    assert_eq!(predictions(&with(BATCH_NORMALIZATION, "axis", json!(2))), expected);
    assert_eq!(predictions(&with(BATCH_NORMALIZATION, "renorm_clipping", json!({"rmax": null}))), expected);
    assert_eq!(predictions(&with(BATCH_NORMALIZATION, "renorm_momentum", json!(0.5))), expected);
    assert_eq!(predictions(&with(BATCH_NORMALIZATION, "synchronized", json!(true))), expected);
    assert_eq!(predictions(&with("/compile_config", "jit_compile", json!("auto"))), expected);
    assert_eq!(predictions(&with("/config/layers/0/config", "batch_shape", json!([32, 4, 2]))), expected);
}

#[test]
fn the_input_shape_may_stand_elsewhere() {
    let expected = predictions(&fixture());
    let mut archive = fixture();
    archive.config.pointer_mut("/config/layers").unwrap().as_array_mut().unwrap().remove(0);
    assert_eq!(predictions(&archive), expected);
    archive.config["config"]["build_input_shape"] = Value::Null;
    assert_eq!(predictions(&archive), expected);
    archive.config["build_config"] = Value::Null;
    assert_eq!(predictions(&archive), expected);
    archive.config["config"]["layers"][0]["build_config"] = Value::Null;
    refused(&archive, &["no input shape", "keras.Input((steps, features))"]);
}

#[test]
fn losses_and_metrics_may_be_spelled_in_many_ways() {
    let function = |name: &str| json!({"module": "builtins", "class_name": "function", "config": name});
    let class = |name: &str| json!({"module": "keras.losses", "class_name": name, "config": {"name": "x"}});
    let losses = ["mse", "MSE", "mean_squared_error", "MeanSquaredError"].map(|name| json!(name));
    let objects = [function("mean_squared_error"), class("MeanSquaredError"), json!(["mse"]), json!({"dense": "mse"})];
    for loss in losses.into_iter().chain(objects) {
        assert_eq!(load(&with("/compile_config", "loss", loss)).unwrap().loss(), Loss::MeanSquaredError);
    }
    let (accuracy, binary, mae) = (Metric::Accuracy, Metric::BinaryAccuracy, Metric::MeanAbsoluteError);
    let metrics = [
        (json!(["acc", "mae"]), [accuracy.clone().named("acc"), mae.clone()]),
        (json!([["binary_accuracy", "MeanAbsoluteError"]]), [binary.clone(), mae.clone().named("MeanAbsoluteError")]),
        (json!({"dense": ["accuracy", "MAE"]}), [accuracy, mae.clone().named("MAE")]),
        (json!([class("BinaryAccuracy"), function("mae")]), [binary.named("x"), mae]),
    ];
    for (metrics, expected) in metrics {
        let model = load(&with("/compile_config", "metrics", metrics)).unwrap();
        assert_eq!(model.metrics(), expected);
    }
    assert_eq!(load(&with("/compile_config", "metrics", Value::Null)).unwrap().metrics(), []);
    let model = load(&with("/compile_config", "optimizer", json!("adam"))).unwrap();
    assert!(model.iterations() > 0);
}

#[test]
fn a_model_that_was_not_compiled_gets_what_fits() {
    for nothing in [Value::Null, json!({})] {
        let mut archive = with("", "compile_config", nothing);
        let model = load(&archive).unwrap();
        assert_eq!(model.loss(), Loss::BinaryCrossentropy);
        assert_eq!((model.optimizer(), model.iterations()), (&Optimizer::Adam(Adam::default()), 0));
        archive.config.pointer_mut(DENSE).unwrap()["activation"] = json!("linear");
        assert_eq!(load(&archive).unwrap().loss(), Loss::MeanSquaredError);
    }
}

#[test]
fn a_normalization_may_have_its_numbers_in_the_config_or_among_the_weights() {
    let model = Sequential::new(&[2]).add(Normalization::new()).add(Dense::new(1));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.keras");
    model.save(&path).unwrap();
    let plain = KerasArchive::read(&path).unwrap();
    let statistics = |archive: &KerasArchive| {
        let mut model = load(archive).unwrap();
        [model.variable("normalization/mean").unwrap(), model.variable("normalization/variance").unwrap()]
    };
    let mut archive = plain.clone();
    archive.weights.insert("layers/normalization/vars/1".into(), Array::f32(&[2], vec![4.0, 0.0]));
    let least = f64::from(Normalization::LEAST_VARIANCE);
    assert_eq!(statistics(&archive), [[0.0, 0.0], [4.0, least]]);

    let config = archive.config.pointer_mut("/config/layers/1/config").unwrap();
    (config["mean"], config["variance"]) = (json!([3.0, 1]), json!([2.5, 0.0]));
    refused(&archive, &["`layers/normalization/vars/0`", "one variable more than the 0"]);
    archive.weights.retain(|path, _| !path.starts_with("layers/normalization/"));
    assert_eq!(statistics(&archive), [[3.0, 1.0], [2.5, least]]);
    let mut given = |mean: Value, variance: Value| {
        let config = archive.config.pointer_mut("/config/layers/1/config").unwrap();
        (config["mean"], config["variance"]) = (mean, variance);
        archive.clone()
    };
    assert_eq!(statistics(&given(json!(2), json!(9.0))), [[2.0, 2.0], [9.0, 9.0]]);
    refused(&given(json!([1, 2, 3]), json!([1, 2, 3])), &["`normalization`", "`mean` is [1,2,3]", "2 features"]);
    refused(&given(json!(1), Value::Null), &["only one of `mean` and `variance`"]);
    refused(&given(json!(1), json!(-4.0)), &["`variance`", "below 0"]);
    for (name, value) in [("invert", json!(true)), ("axis", json!([0])), ("axis", json!([]))] {
        let mut archive = plain.clone();
        archive.config.pointer_mut("/config/layers/1/config").unwrap()[name] = value;
        refused(&archive, &["layer `normalization` (Normalization)", &format!("`{name}`")]);
    }
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let kernel = "layers/lstm/cell/vars/0";
    let edit = |edit: &dyn Fn(&mut KerasArchive)| {
        let mut archive = fixture();
        edit(&mut archive);
        archive
    };
    let set = |path: &str, array: Array| edit(&|archive| drop(archive.weights.insert(path.into(), array.clone())));
    let missing = edit(&|archive| drop(archive.weights.remove(kernel)));
    refused(&missing, &["model.weights.h5: there is no `layers/lstm/cell/vars/0` (kernel of layer `lstm`)"]);
    refused(&set(kernel, Array::f32(&[12, 2], vec![0.0; 24])), &[kernel, "[12, 2]", "[2, 12]"]);
    refused(&set(kernel, Array::i64(&[2, 12], vec![0; 24])), &[kernel, "integers"]);
    for bad in [f32::NAN, f32::INFINITY] {
        refused(
            &set("layers/dense/vars/1", Array::f32(&[1], vec![bad])),
            &["`layers/dense/vars/1`", "bias", "diverged"],
        );
    }
    let negative = set("layers/batch_normalization/vars/3", Array::f32(&[3], vec![1.0, -1.0, 1.0]));
    refused(&negative, &["moving_variance of layer `batch_normalization`", "-1", "at least 0"]);
    refused(&set("layers/lstm/cell/vars/3", Array::f32(&[1], vec![0.0])), &["vars/3`", "one variable more than the 3"]);
    refused(&set("layers/gru/cell/vars/0", Array::f32(&[1], vec![0.0])), &["`layers/gru/", "no layer"]);
    refused(&with(LSTM, "use_bias", json!(false)), &["`layers/lstm/cell/vars/2`", "more than the 2"]);
    refused(&with(LSTM, "units", json!(1 << 20)), &[kernel, "[2, 4194304]"]);
}

#[test]
fn an_optimizer_state_that_does_not_fit_is_named() {
    let remove = |keep: fn(&str) -> bool| {
        let mut archive = fixture();
        archive.weights.retain(|path, _| keep(path));
        archive
    };
    let fresh = load(&remove(|path| !path.starts_with("optimizer/"))).unwrap();
    assert_eq!(fresh.iterations(), 0);
    refused(&remove(|path| path != "optimizer/vars/25"), &["`optimizer/vars` holds 25", "keeps 26", "compile=False"]);
    refused(&with("/compile_config", "optimizer", json!("sgd")), &["holds 26 variables", "keeps 2"]);
    let set = |path: &str, array: Array| {
        let mut archive = fixture();
        archive.weights.insert(path.into(), array);
        archive
    };
    refused(&set("optimizer/vars/0", Array::i64(&[], vec![-1])), &["`optimizer/vars/0`", "step count"]);
    refused(&set("optimizer/vars/1", Array::f32(&[], vec![f32::NAN])), &["`optimizer/vars/1`", "learning rate"]);
    refused(&set("optimizer/vars/25", Array::f32(&[1], vec![-1.0])), &["`optimizer/vars/25`", "`dense/bias`"]);
    refused(&set("optimizer/vars/24", Array::f32(&[2], vec![0.0; 2])), &["`optimizer/vars/24`", "[2]", "[1]"]);
    let rate = load(&set("optimizer/vars/1", Array::f32(&[], vec![0.5]))).unwrap().optimizer().learning_rate();
    assert_eq!(rate, 0.5);
}

#[test]
fn what_stands_beside_is_checked_too() {
    let mut archive = fixture();
    archive.metadata = json!({"keras_version": "2.15.0"});
    refused(&archive, &["metadata.json", "Keras 2.15.0", "Keras 3"]);
    archive = fixture();
    for (extra, word) in [(json!({"format": 9}), "newer"), (json!({"format": 1}), "missing"), (json!([]), "invalid")] {
        archive.extra = Some(extra);
        refused(&archive, &["gatenorm.json", word]);
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.keras");
    let whole = std::fs::read(FIXTURE).unwrap();
    for length in (0..whole.len()).step_by(997) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(Model::load(&path, Device::Cpu), Err(Error::Input { .. })), "{length} bytes");
    }
    assert!(matches!(Model::load(folder.path().join("none.keras"), Device::Cpu), Err(Error::Io { .. })));
}
