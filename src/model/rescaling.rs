//! The Rescaling layer.

use serde_json::{Map, Value, json};

use super::layer::{Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use crate::error::Result;
use crate::kernels::{Rescale, RescaleSlots};
use crate::plan::Slot;

/// scale · x + offset for every element, as Keras's `Rescaling` with one scale and one offset. At a model's end it brings scaled
/// outputs back to the targets' unit. The output has the input's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    /// Multiplies by a scale.
    pub fn new(scale: f64) -> Self {
        Rescaling { scale, offset: 0.0 }
    }

    /// What is added then; 0 unless set.
    pub fn offset(self, offset: f64) -> Self {
        Rescaling { offset, ..self }
    }

    fn apply(&self, recorder: &mut Recorder, (x, y): (&Slot, &Slot), shape: (usize, usize), gradient: Option<bool>) {
        let (rows, features) = shape;
        for range in recorder.plan.row_chunks(rows, &[features]) {
            let step = Rescale {
                n: (range.len() * features) as u32,
                scale: self.scale as f32,
                offset: if gradient.is_some() { 0.0 } else { self.offset as f32 },
                accumulate: gradient.unwrap_or(false).into(),
            };
            let slots = RescaleSlots { x: x.rows(range.clone(), features), y: y.rows(range, features) };
            step.record(&mut recorder.plan, slots);
        }
    }
}

impl Layer for Rescaling {
    fn class_name(&self) -> &'static str {
        "Rescaling"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "scale": self.scale, "offset": self.offset });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        Ok(vec![single("Rescaling", inputs)?.to_vec()])
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let mut output = recorder.new_tensor("output", input.steps, input.features, input.differentiable);
        output.mask = input.mask.clone();
        let shape = (recorder.rows(input), input.features);
        self.apply(recorder, (&input.slot, &output.slot), shape, None);
        let (layer, input, result) = (self.clone(), input.clone(), output.clone());
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
            let (dx, accumulate) = recorder.gradient_target(&input);
            layer.apply(recorder, (&dy, &dx), shape, Some(accumulate));
        });
        vec![result]
    }
}
