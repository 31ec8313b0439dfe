//! The Dropout layers.

use serde_json::{Map, Value, json};

use super::layer::{Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{self, DropoutSlots};

/// Sets a share of the elements to 0 in training, anew in every step, and divides the others by 1 - rate so that the sum stays
/// on average (Srivastava et al. 2014), as Keras's `Dropout`. In inference nothing happens. The output has the input's shape.
///
/// What is dropped depends on the model's seed, the layer's name and the number of the training step only: it is the same on
/// every device, and a training that goes on later goes on with the same numbers. They are not Keras's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    rate: f64,
    noise_shape: Option<Vec<Option<usize>>>,
    seed: Option<u64>,
}

impl Dropout {
    /// Drops this share of the elements, from 0 to below 1.
    pub fn new(rate: f64) -> Self {
        Dropout { rate, noise_shape: None, seed: None }
    }

    /// Along which axes elements are dropped together: 1, where all of an axis share their fate, or else None or the axis's
    /// size. The batch axis, which comes first, takes None or 1.
    pub fn noise_shape(self, noise_shape: &[Option<usize>]) -> Self {
        Dropout { noise_shape: Some(noise_shape.to_vec()), ..self }
    }

    /// A seed of its own instead of the model's.
    pub fn seed(self, seed: u64) -> Self {
        Dropout { seed: Some(seed), ..self }
    }
}

impl Layer for Dropout {
    fn class_name(&self) -> &'static str {
        "Dropout"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("Dropout", inputs)?;
        check_rate("Dropout", self.rate)?;
        let fits = |noise: &[Option<usize>]| {
            let axis = |(noise, &size): (&Option<usize>, &usize)| noise.is_none_or(|n| n == 1 || n == size);
            noise.len() == input.len() + 1 && noise[0].is_none_or(|n| n == 1) && noise[1..].iter().zip(input).all(axis)
        };
        match &self.noise_shape {
            Some(noise) if !fits(noise) => Err(Error::usage(format!(
                "Dropout has the noise_shape {noise:?}, which must have the batch axis (None or 1) and, for each axis of {input:?}, None, 1 or its size"
            ))),
            _ => Ok(vec![input.to_vec()]),
        }
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let noise = self.noise_shape.as_deref().unwrap_or(&[]);
        let alone = |axis: usize| noise.get(axis) != Some(&Some(1));
        let differs = match input.steps {
            Some(_) => [alone(1), alone(0), alone(2)],
            None => [true, alone(0), alone(1)],
        };
        record(recorder, input, self.rate, self.seed, differs)
    }
}

/// Drops whole features of a sequence, in all steps alike, as Keras's `SpatialDropout1D` (Tompson et al. 2014). Input and output
/// `[T, F]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SpatialDropout1D {
    rate: f64,
    seed: Option<u64>,
}

impl SpatialDropout1D {
    /// Drops this share of the features, from 0 to below 1.
    pub fn new(rate: f64) -> Self {
        SpatialDropout1D { rate, seed: None }
    }

    /// A seed of its own instead of the model's.
    pub fn seed(self, seed: u64) -> Self {
        SpatialDropout1D { seed: Some(seed), ..self }
    }
}

impl Layer for SpatialDropout1D {
    fn class_name(&self) -> &'static str {
        "SpatialDropout1D"
    }

    fn config(&self) -> Map<String, Value> {
        json!({ "rate": self.rate, "seed": self.seed }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        check_rate("SpatialDropout1D", self.rate)?;
        match single("SpatialDropout1D", inputs)? {
            input @ [_, _] => Ok(vec![input.to_vec()]),
            other => {
                Err(Error::usage(format!("SpatialDropout1D takes sequences [steps, features], but gets {other:?}")))
            }
        }
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        record(recorder, input, self.rate, self.seed, [false, true, true])
    }
}

pub(super) fn check_rate(class: &str, rate: f64) -> Result<()> {
    // What the device computes with.
    let rate = rate as f32;
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::usage(format!("{class} needs a rate from 0 to below 1, not {rate}")))
}

/// Records dropout whose factors differ from step to step, sample to sample, feature to feature, or not.
fn record(
    recorder: &mut Recorder,
    input: &Tensor,
    rate: f64,
    seed: Option<u64>,
    [by_step, by_sample, by_feature]: [bool; 3],
) -> Vec<Tensor> {
    if !recorder.mode.is_training() || rate == 0.0 {
        return vec![input.clone()];
    }
    let (rows, samples, features) = (recorder.rows(input), recorder.samples, input.features);
    let stride = |differs: bool, stride: usize| if differs { stride as u32 } else { 0 };
    let of_sample = if by_feature { features } else { 1 };
    let of_step = of_sample * if by_sample { samples } else { 1 };
    let [key_0, key_1] = recorder.random_key("dropout", seed);
    let kernel = kernels::Dropout {
        samples: samples as u32,
        features: features as u32,
        step_stride: stride(by_step, of_step),
        sample_stride: stride(by_sample, of_sample),
        feature_stride: stride(by_feature, 1),
        key_0,
        key_1,
        rate: rate as f32,
        ..bytemuck::Zeroable::zeroed()
    };
    let mut output = recorder.new_tensor("output", input.steps, features, input.differentiable);
    output.mask = input.mask.clone();
    let slots = DropoutSlots { x: input.slot.clone(), y: output.slot.clone() };
    kernel.record_whole(rows, &mut recorder.plan, slots);
    let (input, result) = (input.clone(), output.clone());
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
        let (dx, accumulate) = recorder.gradient_target(&input);
        let kernel = kernels::Dropout { accumulate: accumulate.into(), ..kernel };
        kernel.record_whole(rows, &mut recorder.plan, DropoutSlots { x: dy, y: dx });
    });
    vec![result]
}
