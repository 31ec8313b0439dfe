//! The TimeDistributed wrapper.

use serde_json::{Map, Value, json};

use super::dense::Dense;
use super::layer::{Layer, Shape, VariableSpec, single};
use super::network::snake_case;
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};

/// A Dense layer over every step of a sequence, as Keras's `TimeDistributed(Dense(...))`, which computes what Dense alone does.
/// Input `[T, F]`, output `[T, units]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeDistributed {
    layer: Dense,
}

impl TimeDistributed {
    /// Wraps a layer.
    pub fn new(layer: Dense) -> Self {
        TimeDistributed { layer }
    }
}

/// Where the variables of the wrapped layer are.
const PART: &str = "layer";

impl Layer for TimeDistributed {
    fn class_name(&self) -> &'static str {
        "TimeDistributed"
    }

    fn config(&self) -> Map<String, Value> {
        let class = self.layer.class_name();
        let mut config = self.layer.config();
        config.insert("name".into(), snake_case(class).into());
        config.insert("dtype".into(), "float32".into());
        let layer = json!({ "module": "keras.layers", "class_name": class, "config": config, "registered_name": null });
        json!({ "layer": layer }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        match single("TimeDistributed", inputs)? {
            [_, _] => self.layer.output_shapes(inputs),
            other => {
                Err(Error::usage(format!("TimeDistributed takes sequences [steps, features], but gets {other:?}")))
            }
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let named = |spec: VariableSpec| VariableSpec { name: format!("{PART}/{}", spec.name), ..spec };
        self.layer.variables(inputs).into_iter().map(named).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        recorder.within(Some(PART), |recorder| self.layer.record(recorder, inputs))
    }
}
