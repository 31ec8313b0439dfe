//! An LSTM whose two products and whose cell state are normalised in each time step, however they are.

use std::ops::Range;

use super::products::{input_gradient, project, weight_gradient};
use super::recorder::{Recorder, Tensor};
use super::row_norm::RowNorm;
use super::step_norm::StepNorm;
use crate::kernels::{
    CellOutput, CellOutputGrad, CellOutputGradSlots, CellOutputSlots, CellState, CellStateGrad, CellStateGradSlots,
    CellStateSlots, Copy, CopySlots, Fill, FillSlots,
};
use crate::plan::{ALIGNMENT, Plan, Slot};

/// What normalises a product or the cell state in each time step.
pub(super) enum Norm {
    /// Over the batch.
    Batch(StepNorm),
    /// Over the features of each row, which is what `sums`, `[T N, 2]`, are for.
    Layer { norm: RowNorm, samples: usize, sums: Slot },
}

impl Norm {
    /// y (+)= the normalised x, rows of some steps.
    fn forward(&self, plan: &mut Plan, steps: Range<usize>, x: &Slot, y: (&Slot, bool)) {
        match self {
            Norm::Batch(norm) => norm.forward(plan, steps, x, y),
            Norm::Layer { norm, samples, .. } => norm.forward(plan, steps.start * samples..steps.end * samples, x, y),
        }
    }

    /// dx (+)= the gradient of x, from rows of some steps of x and dy.
    fn backward(&self, plan: &mut Plan, steps: Range<usize>, [x, dy]: [&Slot; 2], dx: (&Slot, bool)) {
        match self {
            Norm::Batch(norm) => norm.backward(plan, steps, [x, dy], dx),
            Norm::Layer { norm, samples, sums } => {
                norm.backward(plan, steps.start * samples..steps.end * samples, [x, dy, sums], dx);
            }
        }
    }

    /// The gradients of gamma and beta, after `backward` of all steps, from all rows of x and dy.
    fn variable_gradients(&self, recorder: &mut Recorder, [x, dy]: [&Slot; 2]) {
        match self {
            Norm::Batch(norm) => norm.variable_gradients(recorder),
            Norm::Layer { norm, .. } => norm.variable_gradients(recorder, x, dy),
        }
    }
}

/// One use of the layer in a plan.
pub(super) struct Run {
    steps: usize,
    samples: usize,
    units: usize,
    sequences: bool,
    kernel: Slot,
    recurrent_kernel: Slot,
    /// Of x·kernel, with the bias; of h·recurrent_kernel; of the cell state.
    norm_x: Norm,
    norm_h: Norm,
    norm_c: Norm,
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
    /// Records a layer of `units` whose products and cell state these normalise: x·kernel with the bias, h·recurrent_kernel, c.
    pub(super) fn record(
        recorder: &mut Recorder,
        input: &Tensor,
        units: usize,
        sequences: bool,
        norms: [Norm; 3],
    ) -> Tensor {
        let run = Run::new(recorder, input, units, sequences, norms);
        run.forward(recorder, input);
        let output = run.output(recorder);
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| run.backward(recorder, &input, &output));
        result
    }

    fn new(recorder: &mut Recorder, input: &Tensor, units: usize, sequences: bool, norms: [Norm; 3]) -> Run {
        let (steps, samples) = (input.steps.unwrap_or(1), recorder.samples);
        let state = samples * units;
        let [norm_x, norm_h, norm_c] = norms;
        // Padded in front so that h after step 0, where the output begins, lies where a binding may begin.
        let padding = state.next_multiple_of(ALIGNMENT) - state;
        let padded = recorder.plan.scratch("h", &[padding + (steps + 1) * state]);
        let mut wide = |name| recorder.plan.scratch(name, &[steps, samples, units, 4]);
        let (x, r, gates) = (wide("x"), wide("r"), wide("gates"));
        Run {
            steps,
            samples,
            units,
            sequences,
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
        recorder.plan.step_chunks(self.steps, 4 * self.samples * self.units, 0)
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
        let dn = recorder.plan.scratch("dn", &[self.steps, self.samples, self.units]);
        self.backward_in_time(recorder, dy, &dr, &dn);
        // From here on `gates` holds the gradients before activation, of all steps.
        let (samples, width) = (self.samples, 4 * self.units);
        let made = self.c.rows(samples..(self.steps + 1) * samples, self.units);
        self.norm_h.variable_gradients(recorder, [&self.r, &self.gates]);
        self.norm_c.variable_gradients(recorder, [&made, &dn]);
        for steps in self.parts(recorder) {
            let rows = steps.start * samples..steps.end * samples;
            let [x, dz, dx] = [&self.x, &self.gates, &self.r].map(|slot| slot.rows(rows.clone(), width));
            // r is not needed any more, and takes the gradient of x·kernel.
            self.norm_x.backward(&mut recorder.plan, steps, [&x, &dz], (&dx, false));
        }
        self.norm_x.variable_gradients(recorder, [&self.x, &self.gates]);
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

    /// Overwrites `gates` with the gradients before activation, and fills `dr`, that of h·recurrent_kernel, and `dn`, that of the
    /// normalised cell state, of all steps.
    fn backward_in_time(&self, recorder: &mut Recorder, dy: Slot, dr: &Slot, dn: &Slot) {
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
            let out = self.at(t, dn, units);
            Copy::record(false, plan, CopySlots { x: dh.clone(), out });
            self.norm_c.backward(plan, t..t + 1, [&self.at(t + 1, &self.c, units), &dh], (&dc, !last));
            CellStateGrad::record(t, state, plan, &cell);
            let (r, dz) = (self.at(t, &self.r, width), self.at(t, &self.gates, width));
            self.norm_h.backward(plan, t..t + 1, [&r, &dz], (&self.at(t, dr, width), false));
        }
    }
}
