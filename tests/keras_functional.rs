//! Models as graphs in `.keras` files: Keras's own open here, those built here come back, and what is no graph is refused.

use std::sync::Arc;

use gatenorm::formats::KerasArchive;
use gatenorm::model::{ANY_LENGTH, Concatenate, Masking, Merge};
use gatenorm::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A graph of two inputs, three outputs in a dict, a Dense that is called four times, and LSTM that Keras orders otherwise than they were made.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras_functional.keras");
const VALUES: &str = include_str!("fixtures/keras_functional.json");
const LAYERS: &str = "/config/layers";

fn fixture() -> KerasArchive {
    KerasArchive::read(FIXTURE.as_ref()).unwrap()
}

fn load(archive: &KerasArchive) -> Result<Model> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edited.keras");
    archive.write(&path).unwrap();
    Model::load(&path, Device::Cpu)
}

fn saved(model: &mut Model) -> KerasArchive {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    model.save(&path).unwrap();
    KerasArchive::read(&path).unwrap()
}

fn refused(archive: &KerasArchive, words: &[&str]) {
    let error = load(archive).unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error:?}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

/// The fixture with an edited part of its config.
fn edited(at: &str, edit: impl FnOnce(&mut Value)) -> KerasArchive {
    let mut archive = fixture();
    edit(archive.config.pointer_mut(at).unwrap());
    archive
}

/// The place of a layer in the fixture's config.
fn layer(name: &str) -> String {
    let archive = fixture();
    let layers = archive.config.pointer(LAYERS).unwrap().as_array().unwrap();
    format!("{LAYERS}/{}", layers.iter().position(|layer| layer["name"] == name).unwrap())
}

fn expected() -> Value {
    serde_json::from_str(VALUES).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn data() -> Dataset {
    let expected = expected();
    let rows = Dataset::from_arrays(numbers(&expected["rows"]), &[3, 4, 2], vec![], &[]).unwrap();
    rows.with_input(numbers(&expected["context"]), &[3, 3]).unwrap()
}

fn names(model: &Model) -> Vec<&str> {
    model.network().layers.iter().map(|layer| layer.name.as_str()).collect()
}

/// The fixture's graph, its layers made in another order than Keras's.
fn graph() -> Functional {
    let mut graph = Functional::new();
    let rows = graph.input("rows", &[4, 2]).unwrap();
    let context = graph.input("context", &[3]).unwrap();
    let mut place = |name: &str, layer: Arc<dyn gatenorm::model::Layer>| graph.place(Some(name), layer, true).unwrap();
    let late = place("late", Arc::new(Lstm::new(3)));
    let other = place("other", Arc::new(Lstm::new(3)));
    let early = place("early", Arc::new(Lstm::new(3).return_sequences(true)));
    let copy = place("copy", Arc::new(Dense::new(2)));
    let shared = place("shared", Arc::new(Dense::new(3).activation(Activation::Tanh)));
    let middle = place("middle", Arc::new(BatchNormalization::new()));
    let score = place("score", Arc::new(Dense::new(1).activation(Activation::Sigmoid)));
    let dead_end = place("dead end", Arc::new(Dense::new(5)));
    let mut call = |layer, input| graph.call(layer, &[input]).unwrap()[0];
    let other = call(other, rows);
    call(dead_end, other);
    let early = call(early, rows);
    let middle = call(middle, early);
    let late = call(late, middle);
    let score_input = call(shared, late);
    let once = call(shared, context);
    let twice = call(shared, once);
    let third = call(shared, other);
    let (copy, score) = (call(copy, twice), call(score, score_input));
    graph.outputs(&[copy, score, third])
}

fn compiled(graph: Functional) -> Model {
    graph.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap()
}

#[test]
fn a_graph_from_keras_predicts_what_keras_predicts() {
    let mut model = Model::load(FIXTURE, Device::Cpu).unwrap();
    let expected = expected();
    assert_eq!(model.network().output_names(), ["copy", "score", "third"]);
    let found = model.predict_all(&data()).unwrap();
    assert_eq!(found.len(), 3);
    for (found, name) in found.iter().zip(["copy", "score", "third"]) {
        let expected = numbers(&expected["outputs"][name]);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{name}: {a} is not {b}");
        }
    }
    assert_eq!(model.predict(&data()).unwrap(), found[0]);
    for weight in model.weights().unwrap() {
        let (layer, _) = weight.path.split_once('/').unwrap();
        let of_layer = expected["weights"][layer].as_array().unwrap();
        assert!(of_layer.iter().any(|values| numbers(values) == weight.values), "{}", weight.path);
    }
}

#[test]
fn layers_have_the_order_of_keras() {
    let expected = expected();
    let of_keras: Vec<&str> =
        expected["layers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let of_keras: Vec<&str> = of_keras.into_iter().filter(|name| !["rows", "context"].contains(name)).collect();
    assert_eq!(names(&Model::load(FIXTURE, Device::Cpu).unwrap()), of_keras);
    assert_eq!(names(&compiled(graph())), of_keras);
}

/// Two branches with masks, which meet in a merging layer.
fn masked(merge: impl gatenorm::model::Layer + 'static, sequences: bool) -> Model {
    let mut graph = Functional::new();
    let a = graph.input("a", &[6, 3]).unwrap();
    let b = graph.input("b", &[6, 3]).unwrap();
    let mut add = |layer: Arc<dyn gatenorm::model::Layer>, input| {
        let shared = graph.place(None, layer, true).unwrap();
        graph.call(shared, &[input]).unwrap()[0]
    };
    let masked = add(Arc::new(Masking::new()), a);
    let x = add(Arc::new(Lstm::new(4).return_sequences(true)), masked);
    let x = add(Arc::new(BatchNormalization::new()), x);
    let masked = add(Arc::new(Masking::new().mask_value(2.0)), b);
    let y = add(Arc::new(Lstm::new(4).return_sequences(sequences)), masked);
    let x = add(Arc::new(Lstm::new(4).return_sequences(sequences)), x);
    let output = graph.add(merge, &[x, y]).unwrap();
    compiled(graph.outputs(&[output]))
}

#[test]
fn the_operations_that_make_masks_count_in_the_order() {
    let mut model = masked(Merge::Add, false);
    let of_keras = ["masking", "lstm", "batch_normalization", "masking_1", "lstm_2", "lstm_1", "add"];
    assert_eq!(names(&model), of_keras);
    assert_eq!(names(&load(&saved(&mut model)).unwrap()), of_keras);
    let folder = tempfile::tempdir().unwrap();
    let error = masked(Concatenate::new(), true).save(folder.path().join("model.keras")).unwrap_err().to_string();
    assert!(error.contains("layer `concatenate`") && error.contains("masked"), "{error}");
}

#[test]
fn a_graph_comes_back_to_the_bit() {
    let (data, mut model) = (data(), compiled(graph().seed(3)));
    let archive = saved(&mut model);
    let mut back = load(&archive).unwrap();
    assert_eq!(back.predict_all(&data).unwrap(), model.predict_all(&data).unwrap());
    assert_eq!(back.weights().unwrap(), model.weights().unwrap());
    assert_eq!(back.network().to_json(), model.network().to_json());
    assert_eq!(saved(&mut back), archive);
    let from_keras = saved(&mut Model::load(FIXTURE, Device::Cpu).unwrap());
    let ends = |archive: &KerasArchive| archive.config["config"]["output_layers"].clone();
    assert_eq!(ends(&from_keras), ends(&fixture()), "a dict stays a dict");
    assert_eq!(ends(&archive), json!([["copy", 0, 0], ["score", 0, 0], ["shared", 3, 0]]));
}

#[test]
fn a_graph_trains_on_as_if_never_saved() {
    let mut graph = Functional::new();
    let rows = graph.input("rows", &[4, 2]).unwrap();
    let scaled = graph.add(Normalization::new(), &[rows]).unwrap();
    let shared = graph.layer(Lstm::new(2).return_sequences(true)).unwrap();
    let once = graph.call(shared, &[scaled]).unwrap();
    let twice = graph.call(shared, &once).unwrap();
    let last = graph.add(Lstm::new(3), &twice).unwrap();
    let score = graph.add(Dense::new(1), &[last]).unwrap();
    let mut model = compiled(graph.outputs(&[score]));
    let x: Vec<f32> = (0..96).map(|i| (i as f32 * 0.7).sin() * 3.0 + 2.0).collect();
    let y = (0..12).map(|i| (i as f32).cos()).collect();
    let data = Dataset::from_arrays(x, &[12, 4, 2], y, &[12, 1]).unwrap();
    model.adapt(&data).unwrap();
    let fit = || Fit::epochs(3).batch_size(5);
    model.fit(&data, fit()).unwrap();
    let mut back = load(&saved(&mut model)).unwrap();
    assert_eq!(back.optimizer_state().unwrap(), model.optimizer_state().unwrap());
    let (a, b) = (model.fit(&data, fit()).unwrap(), back.fit(&data, fit()).unwrap());
    assert_eq!(a.get("loss"), b.get("loss"));
    assert_eq!(back.weights().unwrap(), model.weights().unwrap());
}

#[test]
fn a_summary_says_what_is_connected() {
    let text = compiled(graph()).network().to_string();
    for (layer, connected) in [
        ("rows (InputLayer)", "  -"),
        ("early (LSTM)", "  rows[0][0]"),
        ("shared (Dense)", "  late[0][0], context[0][0], shared[1][0], other[0][0]"),
        ("copy (Dense)", "  shared[2][0]"),
    ] {
        let line = text.lines().find(|line| line.starts_with(layer)).unwrap_or_else(|| panic!("{layer} in\n{text}"));
        assert!(line.ends_with(connected), "{line}");
    }
    let value = compiled(graph()).network().to_json();
    assert_eq!(value["layers"][0]["connected_to"], json!(["rows[0][0]"]));
    assert_eq!(value["outputs"][1], json!({"name": "score", "shape": [1]}));
    let chain = Sequential::new(&[4, 2]).add(Lstm::new(2)).add(Dense::new(1));
    let chain = chain.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    assert!(!chain.network().to_string().contains("Connected"));
}

#[test]
fn sequences_of_any_length_come_back() {
    let model = Sequential::new(&[ANY_LENGTH, 2]).add(Lstm::new(3)).add(Dense::new(1));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    let archive = saved(&mut model);
    assert_eq!(archive.config["config"]["layers"][0]["config"]["batch_shape"], json!([null, null, 2]));
    let mut back = load(&archive).unwrap();
    assert_eq!(back.network().input_shape(), [ANY_LENGTH, 2]);
    for steps in [1, 5] {
        let x = (0..4 * steps).map(|i| i as f32 / 9.0).collect();
        let data = Dataset::from_arrays(x, &[2, steps, 2], vec![], &[]).unwrap();
        assert_eq!(back.predict(&data).unwrap(), model.predict(&data).unwrap());
    }
}

#[test]
fn what_is_no_graph_is_refused_by_name() {
    let nodes = |name: &str| format!("{}/inbound_nodes", layer(name));
    let history = |name: &str| format!("{}/0/args/0/config/keras_history", nodes(name));
    let from = |name: &str, source: Value| edited(&history(name), |history| *history = source);
    refused(&from("early", json!(["late", 0, 0])), &["waits for what it gives itself", "cycle"]);
    refused(&from("middle", json!(["middle", 0, 0])), &["layer `middle`", "cycle"]);
    refused(&from("late", json!(["nowhere", 0, 0])), &["layer `late`, call 0", "`nowhere`", "no layer of the model"]);
    refused(&from("late", json!(["early", 1, 0])), &["layer `late`, call 0", "call 1 of layer `early`"]);
    refused(&from("late", json!(["early", 0, 2])), &["layer `late`, call 0", "number 2", "`early`"]);
    refused(&from("late", json!(["early", -1, 0])), &["layer `late`, call 0", "`args` holds", "Call the layer"]);
    refused(&from("late", json!(["shared", 0, 0])), &["cycle"]);
    refused(&edited(&nodes("late"), |nodes| *nodes = json!([])), &["`late`"]);
    refused(&edited(&nodes("late"), |nodes| *nodes = json!([{"args": []}])), &["layer `late`, call 0", "no inputs"]);
    refused(&edited(&nodes("late"), |nodes| *nodes = json!([[["early", 0, 0]]])), &["layer `late`, call 0", "`args`"]);
    let kwargs = format!("{}/0/kwargs", nodes("late"));
    refused(
        &edited(&kwargs, |kwargs| kwargs["training"] = json!(true)),
        &["layer `late`, call 0", "`training` is true"],
    );
    refused(&edited(&kwargs, |kwargs| kwargs["mask"] = json!(3)), &["layer `late`, call 0", "`mask` holds 3"]);
    let tensor = fixture().config.pointer(&format!("{}/0/args/0", nodes("late"))).unwrap().clone();
    refused(&edited(&kwargs, |kwargs| kwargs["mask"] = tensor), &["`mask` comes from `middle`", "made by Masking"]);
    refused(&edited("/config", |config| config["output_layers"] = json!({"a": 3})), &["`output_layers` hold 3"]);
    refused(
        &edited("/config", |config| config["output_layers"] = json!(["gone", 0, 0])),
        &["`output_layers`", "`gone`"],
    );
    refused(&edited("/config", |config| config["output_layers"] = json!([])), &["no outputs"]);
    refused(&edited("/config", |config| config["input_layers"] = json!([["rows", 0, 0]])), &["InputLayer `context`"]);
    refused(
        &edited("/config", |config| config["input_layers"] = json!([["late", 0, 0]])),
        &["`late`", "no InputLayer"],
    );
    refused(&edited(&layer("late"), |layer| layer["name"] = json!("early")), &["two layers are named `early`"]);
    let operation = |layer: &mut Value| {
        (layer["module"], layer["class_name"]) = (json!("keras.src.ops.numpy"), json!("Add"));
    };
    refused(&edited(&layer("late"), operation), &["layer `late`", "`Add`", "an operation", "keras.layers.Add()"]);
    refused(&edited("", |config| config["class_name"] = json!("Mine")), &["class `Mine`", "Sequential, Functional"]);
}

#[test]
fn ends_may_be_one_tensor_a_list_or_a_dict() {
    let data = data();
    let whole = Model::load(FIXTURE, Device::Cpu).unwrap().predict_all(&data).unwrap();
    let tensors = [json!(["copy", 0, 0]), json!(["score", 0, 0]), json!(["shared", 3, 0])];
    let dict = json!({"a": tensors[0], "b": tensors[1], "c": tensors[2]});
    for (ends, names) in [(json!(tensors), ["copy", "score", "shared"]), (dict, ["a", "b", "c"])] {
        let mut model = load(&edited("/config", |config| config["output_layers"] = ends)).unwrap();
        assert_eq!(
            (model.predict_all(&data).unwrap(), model.network().output_names()),
            (whole.clone(), names.to_vec())
        );
    }
    let mut small = Functional::new();
    let input = small.input("x", &[2]).unwrap();
    let output = small.add(Dense::new(1), &[input]).unwrap();
    let mut archive = saved(&mut compiled(small.outputs(&[output])));
    assert_eq!(archive.config["config"]["output_layers"], json!(["dense", 0, 0]));
    for ends in [json!(["dense", 0, 0]), json!([["dense", 0, 0]])] {
        archive.config["config"]["output_layers"] = ends;
        assert_eq!(load(&archive).unwrap().network().output_shape(), [1]);
    }
}

/// Puts `value` in the place of the `at`-th part of some JSON, counted in depth-first order; gives the parts there are.
fn mutate(json: &mut Value, at: &mut isize, value: &Value) {
    *at -= 1;
    if *at == -1 {
        *json = value.clone();
        return;
    }
    match json {
        Value::Array(list) => list.iter_mut().for_each(|part| mutate(part, at, value)),
        Value::Object(map) => map.values_mut().for_each(|part| mutate(part, at, value)),
        _ => {}
    }
}

fn parts(json: &Value) -> usize {
    1 + match json {
        Value::Array(list) => list.iter().map(parts).sum(),
        Value::Object(map) => map.values().map(parts).sum::<usize>(),
        _ => 0,
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] =
        &["late", "early", "shared", "rows", "LSTM", "Dense", "Masking", "InputLayer", "keras.src.ops.numpy", "Any"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..5).prop_map(Value::from),
        Just(json!(1u64 << 40)),
        Just(json!(0.5)),
        proptest::sample::select(WORDS).prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["shared", 1, 0])),
        Just(json!([["shared", 3, 0]])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Some still load: they must also run.
    #[test]
    fn a_mutated_config_loads_or_is_refused(places in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..3)) {
        let mut archive = fixture();
        for (place, value) in places {
            let mut at = place.index(parts(&archive.config)) as isize;
            mutate(&mut archive.config, &mut at, &value);
        }
        match load(&archive) {
            Ok(mut model) => drop(model.predict_all(&data())),
            Err(error) => prop_assert!(matches!(error, Error::Input { .. }), "{error:?}"),
        }
    }
}
