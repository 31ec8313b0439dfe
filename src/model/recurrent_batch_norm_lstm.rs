//! The LSTM with batch normalisation in its recurrence.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Layout, Shape, VariableSpec, features, single};
use super::products::{input_gradient, project, weight_gradient};
use super::recorder::{Recorder, Tensor};
use super::step_norm::StepNorm;
use crate::error::{Error, Result};
use crate::kernels::{
    CellOutput, CellOutputGrad, CellOutputGradSlots, CellOutputSlots, CellState, CellStateGrad, CellStateGradSlots,
    CellStateSlots, Copy, CopySlots, Fill, FillSlots,
};
use crate::plan::{ALIGNMENT, Slot};

/// An LSTM whose two products and whose cell state are batch-normalised in each time step (Cooijmans et al. 2016).
///
/// z = BN(x·kernel; gamma_x) + BN(h·recurrent_kernel; gamma_h) + bias, gates i, f, c, o; c' = σ(f) c + σ(i) tanh(z_c);
/// h' = σ(o) tanh(BN(c'; gamma_c, beta_c)). Mean and biased variance are taken over the batch, of each time step on its own;
/// gradients go through them. The moving ones are kept for the first `max_steps` steps; later steps use the last one's in
/// inference. Input `[T, F]`; output `[units]`, or `[T, units]` with `return_sequences`. Masked sequences are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentBatchNormLstm {
    units: usize,
    max_steps: usize,
    return_sequences: bool,
    momentum: f64,
    epsilon: f64,
}

impl RecurrentBatchNormLstm {
    /// This many units, with moving statistics for this many time steps; momentum 0.99 and epsilon 1e-3, as in Keras's
    /// BatchNormalization.
    pub fn new(units: usize, max_steps: usize) -> Self {
        RecurrentBatchNormLstm { units, max_steps, return_sequences: false, momentum: 0.99, epsilon: 1e-3 }
    }

    /// Whether every time step's output is given, or only the last one's (the default).
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        RecurrentBatchNormLstm { return_sequences, ..self }
    }

    /// How much of the moving statistics stays at each training step.
    pub fn momentum(self, momentum: f64) -> Self {
        RecurrentBatchNormLstm { momentum, ..self }
    }

    /// What is added to variances.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RecurrentBatchNormLstm { epsilon, ..self }
    }
}

/// The gammas begin here, so that tanh is not saturated (Cooijmans et al. 2016, section 4).
const FIRST_GAMMA: Initializer = Initializer::Constant(0.1);

impl Layer for RecurrentBatchNormLstm {
    fn class_name(&self) -> &'static str {
        "RecurrentBatchNormLSTM"
    }

    fn in_keras(&self) -> bool {
        false
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "units": self.units,
            "max_steps": self.max_steps,
            "return_sequences": self.return_sequences,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("RecurrentBatchNormLSTM", inputs)?;
        if self.units == 0 || self.max_steps == 0 {
            return Err(Error::usage("RecurrentBatchNormLSTM needs units >= 1 and max_steps >= 1"));
        }
        if !((0.0..=1.0).contains(&self.momentum) && self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(Error::usage(format!(
                "RecurrentBatchNormLSTM needs a momentum from 0 to 1 and an epsilon above 0, not {} and {}",
                self.momentum, self.epsilon
            )));
        }
        match input {
            [steps, _] => Ok(vec![if self.return_sequences { vec![*steps, self.units] } else { vec![self.units] }]),
            other => Err(Error::usage(format!(
                "RecurrentBatchNormLSTM takes sequences [steps, features], but gets {other:?}"
            ))),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let (units, width, steps) = (self.units, 4 * self.units, self.max_steps);
        let gates =
            |name, shape: &[usize], initializer| VariableSpec::new(name, shape, initializer).laid_out(Layout::LSTM);
        let moving = |name, shape: &[usize], initializer| VariableSpec::new(name, shape, initializer).fixed();
        vec![
            gates("kernel", &[features(inputs), width], Initializer::GlorotUniform),
            gates("recurrent_kernel", &[units, width], Initializer::Orthogonal { gain: 1.0 }),
            gates("bias", &[width], Initializer::UnitForgetBias(4, Box::new(Initializer::Zeros))),
            gates("gamma_x", &[width], FIRST_GAMMA),
            gates("gamma_h", &[width], FIRST_GAMMA),
            VariableSpec::new("gamma_c", &[units], FIRST_GAMMA),
            VariableSpec::new("beta_c", &[units], Initializer::Zeros),
            moving("moving_mean_x", &[steps, width], Initializer::Zeros).laid_out(Layout::LSTM),
            moving("moving_variance_x", &[steps, width], Initializer::Ones).laid_out(Layout::LSTM),
            moving("moving_mean_h", &[steps, width], Initializer::Zeros).laid_out(Layout::LSTM),
            moving("moving_variance_h", &[steps, width], Initializer::Ones).laid_out(Layout::LSTM),
            moving("moving_mean_c", &[steps, units], Initializer::Zeros),
            moving("moving_variance_c", &[steps, units], Initializer::Ones),
        ]
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        if input.mask.is_some() {
            recorder.plan.fail(
                "a RecurrentBatchNormLSTM does not know masked steps: leave Masking out in front of it, or use an LSTM"
                    .to_owned(),
            );
        }
        let run = Run::new(self, recorder, input);
        run.forward(recorder, input);
        let output = run.output(recorder);
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| run.backward(recorder, &input, &output));
        vec![result]
    }
}

/// One use of the layer in a plan.
struct Run {
    steps: usize,
    samples: usize,
    units: usize,
    sequences: bool,
    kernel: Slot,
    recurrent_kernel: Slot,
    /// Of x·kernel, with the bias; of h·recurrent_kernel; of the cell state.
    norm_x: StepNorm,
    norm_h: StepNorm,
    norm_c: StepNorm,
    /// x·kernel and h·recurrent_kernel of all steps, `[T, N, H, 4]`.
    x: Slot,
    r: Slot,
    gates: Slot,
    /// `[T + 1, N, H]`, the initial state first.
    h: Slot,
    c: Slot,
    /// The normalised cell state, `[T, N, H]`.
    n: Slot,
}

impl Run {
    fn new(layer: &RecurrentBatchNormLstm, recorder: &mut Recorder, input: &Tensor) -> Run {
        let (steps, samples, units) = (input.steps.unwrap_or(1), recorder.samples, layer.units);
        let state = samples * units;
        let mut norm =
            |part, beta| StepNorm::new(recorder, part, beta, [steps, samples], layer.momentum, layer.epsilon);
        let (norm_x, norm_h, norm_c) = (norm("x", Some("bias")), norm("h", None), norm("c", Some("beta_c")));
        // Padded in front so that h after step 0, where the output begins, lies where a binding may begin.
        let padding = state.next_multiple_of(ALIGNMENT) - state;
        let padded = recorder.plan.scratch("h", &[padding + (steps + 1) * state]);
        let mut wide = |name| recorder.plan.scratch(name, &[steps, samples, units, 4]);
        let (x, r, gates) = (wide("x"), wide("r"), wide("gates"));
        Run {
            steps,
            samples,
            units,
            sequences: layer.return_sequences,
            kernel: recorder.variable("kernel"),
            recurrent_kernel: recorder.variable("recurrent_kernel"),
            norm_x,
            norm_h,
            norm_c,
            x,
            r,
            gates,
            h: padded.range(padding..padded.len),
            c: recorder.plan.scratch("c", &[steps + 1, samples, units]),
            n: recorder.plan.scratch("n", &[steps, samples, units]),
        }
    }

    /// The part of step `t` in a tensor of all steps.
    fn at(&self, t: usize, slot: &Slot, width: usize) -> Slot {
        slot.rows(t * self.samples..(t + 1) * self.samples, width)
    }

    /// All steps, in as many parts as bindings need.
    fn parts(&self, recorder: &Recorder) -> Vec<Range<usize>> {
        recorder.plan.step_chunks(self.steps, 4 * self.samples * self.units)
    }

    fn forward(&self, recorder: &mut Recorder, input: &Tensor) {
        let (samples, units, width) = (self.samples, self.units, 4 * self.units);
        let state = samples * units;
        let parts = self.parts(recorder);
        let plan = &mut recorder.plan;
        project(plan, [self.steps * samples, input.features, width], &input.slot, &self.kernel, None, &self.x);
        for steps in parts {
            let rows = steps.start * samples..steps.end * samples;
            let (x, z) = (self.x.rows(rows.clone(), width), self.gates.rows(rows, width));
            self.norm_x.forward(plan, steps, &x, (&z, false));
        }
        Fill::record(0.0, plan, FillSlots { out: self.h.range(0..state) });
        Fill::record(0.0, plan, FillSlots { out: self.c.range(0..state) });
        let cell = CellStateSlots { gates: self.gates.clone(), c: self.c.clone() };
        let output = CellOutputSlots { gates: self.gates.clone(), n: self.n.clone(), h: self.h.clone() };
        for t in 0..self.steps {
            let (h, r) = (self.at(t, &self.h, units), self.at(t, &self.r, width));
            project(plan, [samples, units, width], &h, &self.recurrent_kernel, None, &r);
            self.norm_h.forward(plan, t..t + 1, &r, (&self.at(t, &self.gates, width), true));
            CellState::record(t, state, plan, &cell);
            let (c, n) = (self.at(t + 1, &self.c, units), self.at(t, &self.n, units));
            self.norm_c.forward(plan, t..t + 1, &c, (&n, false));
            CellOutput::record(t, state, plan, &output);
        }
    }

    fn output(&self, recorder: &mut Recorder) -> Tensor {
        let state = self.samples * self.units;
        if self.sequences {
            let slot = self.h.range(state..self.h.len);
            return recorder.tensor(slot, Some(self.steps), self.units, true);
        }
        let output = recorder.new_tensor("output", None, self.units, true);
        let slots = CopySlots { x: self.h.range(self.steps * state..self.h.len), out: output.slot.clone() };
        Copy::record(false, &mut recorder.plan, slots);
        output
    }

    fn backward(&self, recorder: &mut Recorder, input: &Tensor, output: &Tensor) {
        let Some(dy) = recorder.gradient(output) else { return };
        let dr = recorder.plan.scratch("dr", &[self.steps, self.samples, self.units, 4]);
        self.backward_in_time(recorder, dy, &dr);
        // From here on `gates` holds the gradients before activation, of all steps.
        let (samples, width) = (self.samples, 4 * self.units);
        for steps in self.parts(recorder) {
            let rows = steps.start * samples..steps.end * samples;
            let [x, dz, dx] = [&self.x, &self.gates, &self.r].map(|slot| slot.rows(rows.clone(), width));
            // r is not needed any more, and takes the gradient of x·kernel.
            self.norm_x.backward(&mut recorder.plan, steps, [&x, &dz], (&dx, false));
        }
        self.norm_x.variable_gradients(recorder);
        self.norm_h.variable_gradients(recorder);
        self.norm_c.variable_gradients(recorder);
        let rows = self.steps * samples;
        let shape = [rows, input.features, width];
        if let Some((dw, accumulate)) = recorder.variable_gradient("kernel") {
            weight_gradient(&mut recorder.plan, shape, &input.slot, &self.r, (&dw, accumulate));
        }
        if let Some((du, accumulate)) = recorder.variable_gradient("recurrent_kernel") {
            let h_prev = self.h.range(0..rows * self.units);
            weight_gradient(&mut recorder.plan, [rows, self.units, width], &h_prev, &dr, (&du, accumulate));
        }
        if input.differentiable {
            let (dx, accumulate) = recorder.gradient_target(input);
            input_gradient(&mut recorder.plan, shape, &self.r, &self.kernel, (&dx, accumulate));
        }
    }

    /// Overwrites `gates` with the gradients before activation, and fills `dr`, that of h·recurrent_kernel, of all steps.
    fn backward_in_time(&self, recorder: &mut Recorder, dy: Slot, dr: &Slot) {
        let (samples, units, width) = (self.samples, self.units, 4 * self.units);
        let state = samples * units;
        let plan = &mut recorder.plan;
        let (dh, dc) = (plan.scratch("dh", &[samples, units]), plan.scratch("dc", &[samples, units]));
        let output = CellOutputGradSlots { gates: self.gates.clone(), n: self.n.clone(), dy, dh: dh.clone() };
        let cell = CellStateGradSlots { gates: self.gates.clone(), c: self.c.clone(), dc: dc.clone() };
        for t in (0..self.steps).rev() {
            let last = t + 1 == self.steps;
            if !last {
                let next = self.at(t + 1, dr, width);
                input_gradient(plan, [samples, units, width], &next, &self.recurrent_kernel, (&dh, false));
            }
            CellOutputGrad::record(t, [self.steps, state], self.sequences, plan, &output);
            self.norm_c.backward(plan, t..t + 1, [&self.at(t + 1, &self.c, units), &dh], (&dc, !last));
            CellStateGrad::record(t, state, plan, &cell);
            let (r, dz) = (self.at(t, &self.r, width), self.at(t, &self.gates, width));
            self.norm_h.backward(plan, t..t + 1, [&r, &dz], (&self.at(t, dr, width), false));
        }
    }
}
