//! Cases that begin at given states and whose loss also reads the states at the end: an LSTM with `return_state`, then a Dense layer.

use gatenorm::model::{Functional, Shape};
use gatenorm::prelude::*;
use serde_json::Value;

use crate::build::{Unsupported, lstm_of, taking};
use crate::golden::Golden;

/// Whether a case has initial states.
pub fn given(golden: &Golden) -> bool {
    golden.tensor("h0").is_some()
}

/// The losses of the output and of both states: what a case calls the sum of three.
pub fn losses(missing: &mut Unsupported, loss: &Value) -> Vec<Loss> {
    let class = loss["class_name"].as_str().unwrap_or("none");
    if class != "sum of three MeanSquaredError" {
        missing.insert(format!("loss {class} of states"));
    }
    vec![Loss::MeanSquaredError; 3]
}

/// The model with the inputs x, h0 and c0.
pub fn model(shape: &Shape, layers: &[Value], missing: &mut Unsupported) -> Functional {
    let [lstm, dense] = layers else { panic!("a case with states has two layers") };
    let name = |layer: &Value| layer["name"].as_str().expect("name").to_owned();
    let mut config = taking("LSTM", &lstm["config"], missing);
    let layer = lstm_of(&mut config);
    config.finish();
    let units = lstm["config"]["units"].as_u64().expect("units") as usize;
    let outputs = dense["config"]["units"].as_u64().expect("units") as usize;
    let mut graph = Functional::new();
    let x = graph.input("x", shape).expect("an input");
    let [h0, c0] = ["h0", "c0"].map(|name| graph.input(name, &[units]).expect("an input"));
    let lstm = graph.place(Some(&name(lstm)), std::sync::Arc::new(layer), true).expect("placed");
    let given = graph.call(lstm, &[x, h0, c0]).expect("called");
    let dense = graph.place(Some(&name(dense)), std::sync::Arc::new(Dense::new(outputs)), true).expect("placed");
    let y = graph.call(dense, &given[..1]).expect("called")[0];
    graph.outputs(&[y, given[1], given[2]])
}

/// The name here of what a case calls a layer's state.
pub fn traced(name: &str) -> String {
    name.replace("/state_h", ":1").replace("/state_c", ":2")
}
