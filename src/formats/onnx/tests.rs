//! What is written, decoded again. Whether it computes what it should, `tests/interop` finds out with onnxruntime.

use std::collections::HashSet;

use prost::Message;
use serde_json::{Map, Value};

use super::proto::{self, Dimension, GraphDef, ValueInfo};
use crate::data::Dataset;
use crate::model::{
    ANY_LENGTH, Bidirectional, Flatten, GlobalAveragePooling1D, Gru, Layer, LayerNormLstm, Recorder, Shape, Tensor,
    VariableSpec,
};
use crate::prelude::*;
use crate::train::DataSpec;

fn compiled(layers: Sequential) -> Model {
    layers.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap()
}

/// The file, written and read, its graph checked.
fn written(model: &mut Model) -> proto::Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.onnx");
    model.export(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    model.export(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the same model gives the same bytes");
    let file = proto::Model::decode(&bytes[..]).unwrap();
    let graph = file.graph.as_ref().unwrap();
    let mut known: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    assert_eq!(known.len(), graph.initializer.len());
    known.extend(graph.input.iter().map(|input| input.name.clone()));
    check(graph, known);
    file
}

/// Every tensor has one giver, which runs before those that take it; bodies see what lies around them.
fn check(graph: &GraphDef, mut known: HashSet<String>) {
    for node in &graph.node {
        for input in node.input.iter().filter(|name| !name.is_empty()) {
            assert!(known.contains(input), "{} takes `{input}`, which is not there yet", node.name);
        }
        for body in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
            let mut inside = known.clone();
            for input in &body.input {
                assert!(inside.insert(input.name.clone()), "`{}` hides another", input.name);
            }
            check(body, inside);
        }
        for output in &node.output {
            assert!(known.insert(output.clone()), "`{output}` is given twice");
        }
    }
    for output in &graph.output {
        assert!(known.contains(&output.name), "nothing gives `{}`", output.name);
    }
}

fn operators(graph: &GraphDef) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_str()).collect()
}

fn axes(value: &ValueInfo) -> Vec<String> {
    let tensor = value.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    let axis = |dim: &Dimension| dim.dim_param.clone().unwrap_or_else(|| dim.dim_value.unwrap().to_string());
    tensor.shape.as_ref().unwrap().dim.iter().map(axis).collect()
}

fn dims<'a>(graph: &'a GraphDef, name: &str) -> &'a [i64] {
    &graph.initializer.iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("no {name}")).dims
}

#[test]
fn the_lesson_takes_batches_and_sequences_of_any_size() {
    let layers = Sequential::new(&[10, 3])
        .add(Normalization::new())
        .add(Lstm::new(6).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(4))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = compiled(layers);
    let classes = Some(vec!["no, or".to_owned(), "yes".to_owned()]);
    let (columns, targets) = (vec!["a".to_owned(), "b \"c\"".to_owned(), "d".to_owned()], vec!["y".to_owned()]);
    model.set_data_spec(Some(DataSpec { columns, targets, window: 10, stride: 2, classes, ..DataSpec::default() }));
    let file = written(&mut model);
    let graph = file.graph.as_ref().unwrap();
    assert_eq!((file.ir_version, file.opset_import[0].version), (8, 17));
    assert_eq!(
        (graph.input[0].name.as_str(), axes(&graph.input[0])),
        ("input", ["batch", "time", "3"].map(str::to_owned).to_vec())
    );
    assert_eq!(
        (graph.output[0].name.as_str(), axes(&graph.output[0])),
        ("dense", ["batch", "1"].map(str::to_owned).to_vec())
    );
    assert_eq!(operators(graph).iter().filter(|name| **name == "LSTM").count(), 2);
    assert_eq!(dims(graph, "lstm/kernel"), [1, 24, 3]);
    assert_eq!(dims(graph, "lstm/recurrent_kernel"), [1, 24, 6]);
    assert_eq!(dims(graph, "lstm_1/bias"), [1, 32]);
    let words: Vec<(&str, &str)> = file.metadata_props.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
    let expected = [
        ("columns", r#"["a","b \"c\"","d"]"#),
        ("targets", r#"["y"]"#),
        ("window", "10"),
        ("stride", "2"),
        ("classes", r#"["no, or","yes"]"#),
    ];
    assert_eq!(words, expected);
}

#[test]
fn the_number_of_steps_is_fixed_where_a_layer_needs_it() {
    let mut model = compiled(Sequential::new(&[4, 3]).add(Flatten::new()).add(Dense::new(2)));
    let file = written(&mut model);
    assert_eq!(axes(&file.graph.unwrap().input[0]), ["batch", "4", "3"]);
}

#[test]
fn a_graph_keeps_its_names_and_gives_others_where_they_are_taken() {
    let mut graph = Functional::new();
    let (a, b) = (graph.input("a", &[ANY_LENGTH, 3]).unwrap(), graph.input("b", &[ANY_LENGTH, 2]).unwrap());
    let (h, sum) = (graph.add(Lstm::new(4), &[a]).unwrap(), graph.add(Gru::new(4), &[b]).unwrap());
    let model = graph.outputs(&[h, sum, h, a]).compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []);
    let file = written(&mut model.unwrap());
    let graph = file.graph.unwrap();
    let names: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["lstm", "gru", "lstm_1", "input"]);
    assert_eq!(axes(&graph.input[1]), ["batch", "b_time", "2"]);
}

#[test]
fn what_the_operators_cannot_say_becomes_a_loop() {
    let masked = |layer: Bidirectional| {
        compiled(Sequential::new(&[5, 3]).add(Masking::new()).add(layer).add(GlobalAveragePooling1D::new()))
    };
    let count = |model: &mut Model, operator: &str| {
        let graph = written(model).graph.unwrap();
        operators(&graph).iter().filter(|name| **name == operator).count()
    };
    let lstm = || Lstm::new(4).return_sequences(true);
    let mut plain = masked(Bidirectional::new(lstm()));
    assert_eq!((count(&mut plain, "LSTM"), count(&mut plain, "Scan")), (2, 0));
    let mut peepholes = masked(Bidirectional::new(lstm().peepholes(true)));
    assert_eq!((count(&mut peepholes, "LSTM"), count(&mut peepholes, "Scan")), (2, 0));
    for layer in [lstm().activation(Activation::Gelu), lstm().coupled_gates(true).peepholes(true)] {
        let mut model = masked(Bidirectional::new(layer));
        assert_eq!((count(&mut model, "LSTM"), count(&mut model, "Scan")), (0, 2));
    }
    let gru = || Gru::new(4).return_sequences(true);
    assert_eq!(count(&mut masked(Bidirectional::new(gru().reset_after(false))), "GRU"), 2);
    assert_eq!(count(&mut masked(Bidirectional::new(gru().activation(Activation::Mish))), "Scan"), 2);
    for layer in [Lstm::new(4).recurrent_batch_norm(3), Lstm::new(4).return_sequences(true).recurrent_batch_norm(8)] {
        assert_eq!(count(&mut compiled(Sequential::new(&[5, 3]).add(layer)), "Scan"), 1);
    }
    assert_eq!(count(&mut compiled(Sequential::new(&[5, 3]).add(Lstm::new(4).layer_norm())), "Scan"), 1);
}

#[test]
fn states_of_stateful_layers_are_inputs_and_outputs() {
    let mut model = compiled(Sequential::new(&[5, 3]).add(Lstm::new(4).stateful(true)));
    let graph = written(&mut model).graph.unwrap();
    let names = |values: &[ValueInfo]| values.iter().map(|value| value.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&graph.input), ["input", "lstm/state_h", "lstm/state_c"]);
    assert_eq!(names(&graph.output), ["lstm", "lstm/state_h_next", "lstm/state_c_next"]);
    assert_eq!(axes(&graph.output[2]), ["batch", "4"]);
}

/// A layer of somebody's own.
#[derive(Debug)]
struct Own;

impl Layer for Own {
    fn class_name(&self) -> &'static str {
        "Own"
    }

    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        Ok(inputs.to_vec())
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, _: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        inputs.to_vec()
    }
}

fn refused(model: &mut Model, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let error = model.export(folder.path().join("a.onnx")).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error:?}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_written_is_named() {
    refused(
        &mut compiled(Sequential::new(&[5, 3]).add(Dense::new(2)).add(Own)),
        &["layer `own` (Own)", "leave it out"],
    );
    let masked = Sequential::new(&[5, 3]).add(Masking::new()).add(LayerNormLstm::new(2));
    refused(&mut compiled(masked), &["layer `layer_norm_lstm` (LayerNormLSTM)", "masked steps"]);
    let mut diverged = compiled(Sequential::new(&[3]).add(Dense::new(1)));
    diverged.set_weights([("dense/bias", &[f32::NAN][..])]).unwrap();
    refused(&mut diverged, &["`dense/bias` holds NaN"]);
    let mut model = compiled(Sequential::new(&[3]).add(Dense::new(1)));
    let error = model.export("no/such/folder/a.onnx").unwrap_err().to_string();
    assert!(error.contains("does not exist; create it"), "{error}");
}

#[test]
fn an_exported_model_goes_on_training() {
    let mut model = compiled(Sequential::new(&[3]).add(Dense::new(1)));
    let data = Dataset::from_arrays(vec![0.5; 12], &[4, 3], vec![1.0; 4], &[4, 1]).unwrap();
    let before = model.predict(&data).unwrap();
    written(&mut model);
    assert_eq!(model.predict(&data).unwrap(), before);
    model.fit(&data, Fit::epochs(1)).unwrap();
}
