//! Records activations of whole tensors.

use super::activation::Activation;
use super::recorder::{Recorder, Tensor};
use crate::kernels::{
    Activate, ActivateGrad, ActivateGradSlots, ActivateSlots, Softmax, SoftmaxGrad, SoftmaxGradSlots, SoftmaxSlots,
};
use crate::plan::Slot;

/// y = activation(z), remembering z for losses that go through the logits.
pub(super) fn activate(recorder: &mut Recorder, activation: Activation, z: Tensor) -> Tensor {
    let mut y = recorder.new_tensor("output", z.steps, z.features, z.differentiable);
    y.mask = z.mask.clone();
    y.before = Some((activation, Box::new(z.clone())));
    let (rows, features) = (recorder.rows(&z), z.features);
    for range in recorder.plan.row_chunks(rows, &[features]) {
        let part = |slot: &Slot| slot.rows(range.clone(), features);
        let (x, y, plan) = (part(&z.slot), part(&y.slot), &mut recorder.plan);
        match activation.code() {
            Some(code) => Activate { n: (range.len() * features) as u32 }.record(code, plan, ActivateSlots { x, y }),
            None => Softmax { rows: range.len() as u32, features: features as u32 }.record(plan, SoftmaxSlots { x, y }),
        }
    }
    let result = y.clone();
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&y).filter(|_| z.differentiable) else { return };
        let (dx, accumulate) = recorder.gradient_target(&z);
        for range in recorder.plan.row_chunks(rows, &[features]) {
            let part = |slot: &Slot| slot.rows(range.clone(), features);
            let (x, y, dy, dx) = (part(&z.slot), part(&y.slot), part(&dy), part(&dx));
            let accumulate = accumulate.into();
            match activation.code() {
                Some(code) => {
                    let kernel = ActivateGrad { n: (range.len() * features) as u32, accumulate };
                    kernel.record(code, &mut recorder.plan, ActivateGradSlots { x, y, dy, dx });
                }
                None => {
                    let kernel = SoftmaxGrad { rows: range.len() as u32, features: features as u32, accumulate };
                    kernel.record(&mut recorder.plan, SoftmaxGradSlots { y, dy, dx });
                }
            }
        }
    });
    result
}
