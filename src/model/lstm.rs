//! The LSTM layer.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Shape, VariableSpec, features, single};
use super::products::{bias_gradient, input_gradient, project, weight_gradient};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{Copy, CopySlots, Fill, FillSlots, LstmStep, LstmStepGrad, LstmStepGradSlots, LstmStepSlots};
use crate::plan::{ALIGNMENT, Slot};

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), as Keras's `LSTM`.
///
/// z = x·kernel + h·recurrent_kernel + bias, gates i, f, c, o; c' = σ(f) c + σ(i) tanh(z_c); h' = σ(o) tanh(c').
/// Input `[T, F]`; output `[units]`, or `[T, units]` with `return_sequences`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    units: usize,
    return_sequences: bool,
    use_bias: bool,
    unit_forget_bias: bool,
}

impl Lstm {
    /// An LSTM of this many units.
    pub fn new(units: usize) -> Self {
        Lstm { units, return_sequences: false, use_bias: true, unit_forget_bias: true }
    }

    /// Whether every time step's output is given, or only the last one's (the default).
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        Lstm { return_sequences, ..self }
    }

    /// Whether there is a bias (the default).
    pub fn use_bias(self, use_bias: bool) -> Self {
        Lstm { use_bias, ..self }
    }

    /// Whether the forget gate's bias begins at 1 (the default).
    pub fn unit_forget_bias(self, unit_forget_bias: bool) -> Self {
        Lstm { unit_forget_bias, ..self }
    }
}

impl Layer for Lstm {
    fn class_name(&self) -> &'static str {
        "LSTM"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "units": self.units,
            "activation": "tanh",
            "recurrent_activation": "sigmoid",
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "return_sequences": self.return_sequences,
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        match single("LSTM", inputs)? {
            _ if self.units == 0 => Err(Error::usage("LSTM needs units >= 1")),
            [steps, _] => Ok(vec![if self.return_sequences { vec![*steps, self.units] } else { vec![self.units] }]),
            other => Err(Error::usage(format!(
                "LSTM takes sequences [steps, features], but gets {other:?}; an LSTM before it needs return_sequences"
            ))),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let variable = |name, shape: &[usize], initializer| VariableSpec::new(name, shape, initializer).gates();
        let width = 4 * self.units;
        let bias = if self.unit_forget_bias { Initializer::UnitForgetBias } else { Initializer::Zeros };
        let mut variables = vec![
            variable("kernel", &[features(inputs), width], Initializer::GlorotUniform),
            variable("recurrent_kernel", &[self.units, width], Initializer::Orthogonal),
        ];
        if self.use_bias {
            variables.push(variable("bias", &[width], bias));
        }
        variables
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
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
    bias: Option<Slot>,
    gates: Slot,
    h: Slot,
    c: Slot,
}

impl Run {
    fn new(layer: &Lstm, recorder: &mut Recorder, input: &Tensor) -> Run {
        let (steps, samples, units) = (input.steps.unwrap_or(1), recorder.samples, layer.units);
        let state = samples * units;
        // Padded in front so that h after step 0, where the output begins, lies where a binding may begin.
        let padding = state.next_multiple_of(ALIGNMENT) - state;
        let padded = recorder.plan.scratch("h", &[padding + (steps + 1) * state]);
        Run {
            steps,
            samples,
            units,
            sequences: layer.return_sequences,
            kernel: recorder.variable("kernel"),
            recurrent_kernel: recorder.variable("recurrent_kernel"),
            bias: layer.use_bias.then(|| recorder.variable("bias")),
            gates: recorder.plan.scratch("gates", &[steps, samples, units, 4]),
            h: padded.range(padding..padded.len),
            c: recorder.plan.scratch("c", &[steps + 1, samples, units]),
        }
    }

    fn forward(&self, recorder: &mut Recorder, input: &Tensor) {
        let plan = &mut recorder.plan;
        let shape = [self.steps * self.samples, input.features, 4 * self.units];
        project(plan, shape, &input.slot, &self.kernel, self.bias.as_ref(), &self.gates);
        let state = self.samples * self.units;
        Fill::record(0.0, plan, FillSlots { out: self.h.range(0..state) });
        Fill::record(0.0, plan, FillSlots { out: self.c.range(0..state) });
        let slots = LstmStepSlots {
            u: self.recurrent_kernel.clone(),
            gates: self.gates.clone(),
            h: self.h.clone(),
            c: self.c.clone(),
        };
        for t in 0..self.steps {
            LstmStep::record(t, self.samples, self.units, plan, &slots);
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
        let slots = LstmStepGradSlots {
            u: self.recurrent_kernel.clone(),
            c: self.c.clone(),
            dy,
            gates: self.gates.clone(),
            dc: recorder.plan.scratch("dc", &[self.samples, self.units]),
        };
        for t in (0..self.steps).rev() {
            let shape = [self.steps, self.samples, self.units];
            LstmStepGrad::record(t, shape, self.sequences, &mut recorder.plan, &slots);
        }
        // From here on `gates` holds the gradients before activation, of all steps.
        let (rows, width) = (self.steps * self.samples, 4 * self.units);
        let shape = [rows, input.features, width];
        if let Some((dw, accumulate)) = recorder.variable_gradient("kernel") {
            weight_gradient(&mut recorder.plan, shape, &input.slot, &self.gates, (&dw, accumulate));
        }
        if let Some((du, accumulate)) = recorder.variable_gradient("recurrent_kernel") {
            let h_prev = self.h.range(0..rows * self.units);
            weight_gradient(&mut recorder.plan, [rows, self.units, width], &h_prev, &self.gates, (&du, accumulate));
        }
        if let Some((db, accumulate)) = self.bias.as_ref().and_then(|_| recorder.variable_gradient("bias")) {
            bias_gradient(&mut recorder.plan, [rows, width], &self.gates, (&db, accumulate));
        }
        if input.differentiable {
            let (dx, accumulate) = recorder.gradient_target(input);
            input_gradient(&mut recorder.plan, shape, &self.gates, &self.kernel, (&dx, accumulate));
        }
    }
}
