//! The Activation layer: an activation function by itself.

use serde_json::{Map, Value, json};

use super::activate::activate;
use super::activation::Activation;
use super::layer::{Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use crate::error::Result;

/// Applies the function to every element, as Keras's `Activation` layer. The output has the input's shape.
impl Layer for Activation {
    fn class_name(&self) -> &'static str {
        "Activation"
    }

    fn config(&self) -> Map<String, Value> {
        json!({ "activation": self.name() }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        Ok(vec![single("Activation", inputs)?.to_vec()])
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        match (self, inputs) {
            (Activation::Linear, inputs) => inputs.to_vec(),
            (_, inputs) => inputs.iter().map(|input| activate(recorder, *self, input.clone())).collect(),
        }
    }
}
