//! The Masking layer.

use serde_json::{Map, Value, json};

use super::layer::{Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{MaskRows, MaskRowsSlots, StepMask, StepMaskSlots};

/// Masks the steps of a sequence whose features all equal a value, as Keras's `Masking`: the layers behind it skip them as far
/// as they know masks, and of the values themselves 0 is passed on. Input and output `[T, F]`.
///
/// Values are compared in 32 bits, exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masking {
    mask_value: f64,
}

impl Masking {
    /// Masks steps whose features are all 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// What all features of a masked step are.
    pub fn mask_value(self, mask_value: f64) -> Self {
        Masking { mask_value }
    }
}

impl Layer for Masking {
    fn class_name(&self) -> &'static str {
        "Masking"
    }

    fn config(&self) -> Map<String, Value> {
        json!({ "mask_value": self.mask_value }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("Masking", inputs)?;
        if !self.mask_value.is_finite() {
            return Err(Error::usage(format!("Masking needs a finite mask_value, not {}", self.mask_value)));
        }
        match input {
            [_, _] => Ok(vec![input.to_vec()]),
            other => Err(Error::usage(format!("Masking takes sequences [steps, features], but gets {other:?}"))),
        }
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let (rows, features) = (recorder.rows(input), input.features);
        let mask = recorder.plan.scratch("mask", &[input.steps.unwrap_or(1), recorder.samples]);
        for part in recorder.plan.row_chunks(rows, &[features]) {
            let run = StepMask { rows: part.len() as u32, features: features as u32, value: self.mask_value as f32 };
            let slots = StepMaskSlots { x: input.slot.rows(part.clone(), features), mask: mask.range(part) };
            run.record(&mut recorder.plan, slots);
        }
        let mut output = recorder.new_tensor("output", input.steps, features, input.differentiable);
        let slots = MaskRowsSlots { x: input.slot.clone(), mask: mask.clone(), y: output.slot.clone() };
        MaskRows::record_whole([rows, features], false, &mut recorder.plan, slots);
        output.mask = Some(mask.clone());
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
            let (dx, accumulate) = recorder.gradient_target(&input);
            let slots = MaskRowsSlots { x: dy, mask, y: dx };
            MaskRows::record_whole([rows, features], accumulate, &mut recorder.plan, slots);
        });
        vec![result]
    }
}
