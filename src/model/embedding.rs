//! The Embedding layer.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{ANY_LENGTH, Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use super::weight_args::{WeightArgs, weight_setters};
use crate::error::{Error, Result};
use crate::kernels::{
    Embed, EmbedGrad, EmbedGradSlots, EmbedLinks, EmbedLinksSlots, EmbedSlots, Fill, FillSlots, Rearrange,
    RearrangeSlots, StepMask, StepMaskSlots, Strides,
};
use crate::plan::Slot;

/// A trained vector for each of the whole numbers 0 to `input_dim` - 1, as Keras's `Embedding`. Its input `[T]` must be one of
/// the model's, since its numbers are checked before they reach the device; output `[T, output_dim]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    input_dim: usize,
    output_dim: usize,
    mask_zero: bool,
    pub(crate) embeddings: WeightArgs,
}

impl Embedding {
    /// Keras's default of `embeddings_initializer`.
    pub(crate) const EMBEDDINGS: Initializer = Initializer::RandomUniform { minval: -0.05, maxval: 0.05 };

    /// Vectors of `output_dim` numbers for `input_dim` whole numbers.
    pub fn new(input_dim: usize, output_dim: usize) -> Self {
        Embedding { input_dim, output_dim, mask_zero: false, embeddings: WeightArgs::new(Self::EMBEDDINGS) }
    }

    /// Whether steps whose number is 0 are masked.
    pub fn mask_zero(self, mask_zero: bool) -> Self {
        Embedding { mask_zero, ..self }
    }

    weight_setters! {
        embeddings: embeddings_initializer, embeddings_regularizer, embeddings_constraint;
    }
}

/// Whole numbers up to this are exact in 32 bits.
const MOST: usize = 1 << 24;

impl Layer for Embedding {
    fn class_name(&self) -> &'static str {
        "Embedding"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "input_dim": self.input_dim, "output_dim": self.output_dim, "mask_zero": self.mask_zero });
        let mut config = config.as_object().cloned().unwrap_or_default();
        self.embeddings.write("embeddings", &Self::EMBEDDINGS, &mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        if !(1..=MOST).contains(&self.input_dim) || self.output_dim == 0 {
            return Err(Error::usage(format!("Embedding needs an input_dim from 1 to {MOST} and output_dim >= 1")));
        }
        match single("Embedding", inputs)? {
            [steps] if *steps != ANY_LENGTH => Ok(vec![vec![*steps, self.output_dim]]),
            other => Err(Error::usage(format!("Embedding takes whole numbers [steps], but gets {other:?}"))),
        }
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        vec![self.embeddings.variable("embeddings", &[self.input_dim, self.output_dim])]
    }

    fn numbers_below(&self) -> Option<usize> {
        Some(self.input_dim)
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let (steps, samples) = (input.features, recorder.samples);
        let ids = recorder.plan.scratch("ids", &[steps, samples]);
        let strides = (Strides::new([1, steps, 0]), Strides::new([samples, 1, 0]));
        let slots = RearrangeSlots { x: input.slot.clone(), out: ids.clone() };
        Rearrange::record([steps, samples, 1], strides, false, &mut recorder.plan, slots);
        let table = recorder.variable("embeddings");
        let mut output = recorder.new_tensor("output", Some(steps), self.output_dim, true);
        let rows = (steps * samples) as u32;
        let (features, names) = (self.output_dim as u32, self.input_dim as u32);
        let slots = EmbedSlots { ids: ids.clone(), table, y: output.slot.clone() };
        Embed { rows, features, names }.record_whole(&mut recorder.plan, slots);
        output.mask = self.mask_zero.then(|| mask(recorder, &ids, [steps, samples]));
        let result = output.clone();
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&output) else { return };
            let Some((dtable, accumulate)) = recorder.variable_gradient("embeddings") else { return };
            let plan = &mut recorder.plan;
            if steps * samples > plan.max_loops() {
                let most = plan.max_loops();
                plan.fail(format!(
                    "an Embedding of {samples} samples of {steps} steps cannot be trained on this software driver, whose loops end after {most} rounds: use a smaller batch, or --device cpu"
                ));
            }
            if !accumulate {
                Fill::record(0.0, plan, FillSlots { out: dtable.clone() });
            }
            let [firsts, nexts] = ["firsts", "nexts"].map(|name| plan.scratch_u32(name, &[steps, samples]));
            let links = EmbedLinksSlots { ids, firsts, nexts };
            EmbedLinks { rows }.record(plan, &links);
            let EmbedLinksSlots { ids, firsts, nexts } = links;
            let slots = EmbedGradSlots { ids, firsts, nexts, dy, dtable };
            EmbedGrad { rows, features, names }.record(plan, slots);
        });
        vec![result]
    }
}

/// 1 where the number is not 0.
fn mask(recorder: &mut Recorder, ids: &Slot, [steps, samples]: [usize; 2]) -> Slot {
    let mask = recorder.plan.scratch("mask", &[steps, samples]);
    let slots = StepMaskSlots { x: ids.clone(), mask: mask.clone() };
    StepMask { rows: (steps * samples) as u32, features: 1, value: 0.0 }.record(&mut recorder.plan, slots);
    mask
}
