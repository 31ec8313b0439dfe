//! What goes into the gates of a recurrent layer: x·kernel + bias of all time steps at once, and the gradients of its products,
//! with the same dropout in all time steps.

use crate::kernels::{Columns, CopyColumns, CopyHow, DropoutMask, DropoutMaskSlots, Multiply};
use crate::model::products::{bias_gradient, input_gradient, project, weight_gradient};
use crate::model::recorder::{Recorder, Tensor};
use crate::plan::{Plan, Slot};

/// Places of gates of a unit.
const GATES: usize = 4;

/// Which of the four places of a unit's gates the kernels have weights for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gates {
    /// Those that x meets.
    pub input: &'static [usize],
    /// Those that h meets.
    pub recurrent: &'static [usize],
}

impl Gates {
    pub const LSTM: Gates = Gates { input: &[0, 1, 2, 3], recurrent: &[0, 1, 2, 3] };
    pub const GRU: Gates = Gates { input: &[0, 1, 2], recurrent: &[0, 1, 3] };
}

/// What x is multiplied by, the same in all time steps.
#[derive(Clone, Debug)]
enum Dropped {
    Nothing,
    /// `[N, F]`, and the product.
    Alike(Slot, Slot),
    /// `[N, F, 4]`: a mask for each gate, and the products.
    ByGate(Slot, [Slot; GATES]),
}

/// x·kernel + bias of all time steps.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    rows: usize,
    units: usize,
    kernel: Slot,
    dropped: Dropped,
    places: Gates,
}

/// A mask `[N, features, gates]` of dropout, another one in each training step; none in inference.
pub(super) fn dropout_mask(
    recorder: &mut Recorder,
    what: &str,
    rate: f64,
    seed: Option<u64>,
    shape: [usize; 2],
) -> Option<Slot> {
    if !recorder.mode.is_training() || rate == 0.0 {
        return None;
    }
    let [features, gates] = shape;
    let mask = recorder.plan.scratch(what, &[recorder.samples, features, gates]);
    draw_mask(recorder, what, rate, seed, &mask);
    Some(mask)
}

/// The same where it is to lie.
pub(super) fn draw_mask(recorder: &mut Recorder, what: &str, rate: f64, seed: Option<u64>, mask: &Slot) {
    let key = recorder.random_key(what, seed);
    DropoutMask::record(key, rate as f32, &mut recorder.plan, DropoutMaskSlots { mask: mask.clone() });
}

/// The columns of one gate in a mask of all.
fn gate_mask(mask: &Slot, features: usize, gate: usize) -> Multiply {
    Multiply::Columns(Columns::gate(mask, features, gate))
}

/// x where it is multiplied by a mask that repeats over the time steps.
fn multiplied(plan: &mut Plan, [rows, features]: [usize; 2], x: &Slot, mask: Multiply) -> Slot {
    let out = plan.scratch("dropped", &[rows, features]);
    let (x, to) = (Columns::all(x, features), Columns::all(&out, features));
    CopyColumns::record([rows, features], plan, &x, &to, CopyHow { multiply: Some(mask), ..CopyHow::default() });
    out
}

/// One gate of `[rows, H, 4]` by itself, `[rows, H]`.
fn take_gate(plan: &mut Plan, [rows, units]: [usize; 2], gates: &Slot, gate: usize) -> Slot {
    let out = plan.scratch("gate", &[rows, units]);
    let (x, to) = (Columns::gate(gates, units, gate), Columns::all(&out, units));
    CopyColumns::record([rows, units], plan, &x, &to, CopyHow::default());
    out
}

/// The way back.
fn put_gate(plan: &mut Plan, [rows, units]: [usize; 2], x: &Slot, gates: &Slot, gate: usize, accumulate: bool) {
    let (x, to) = (Columns::all(x, units), Columns::gate(gates, units, gate));
    CopyColumns::record([rows, units], plan, &x, &to, CopyHow { accumulate, ..CopyHow::default() });
}

impl Projection {
    /// Records x·kernel + bias into `gates` `[T, N, H, 4]`; `bias` is `[H, 4]`, and `dropout` `[N, F]`, or `[N, F, 4]` for each gate
    /// another.
    pub fn record(
        recorder: &mut Recorder,
        input: &Tensor,
        gates: &Slot,
        places: Gates,
        bias: Option<Slot>,
        dropout: Option<Slot>,
    ) -> Projection {
        let (rows, features) = (recorder.rows(input), input.features);
        let units = gates.len / rows / GATES;
        let alike = recorder.samples * features;
        let kernel = recorder.variable("kernel");
        let plan = &mut recorder.plan;
        let shape = [rows, features, GATES * units];
        let dropped = match dropout {
            None => {
                project(plan, shape, &input.slot, &kernel, bias.as_ref(), gates);
                Dropped::Nothing
            }
            Some(mask) if mask.len == alike => {
                let all = Multiply::Columns(Columns::all(&mask, features));
                let x = multiplied(plan, [rows, features], &input.slot, all);
                project(plan, shape, &x, &kernel, bias.as_ref(), gates);
                Dropped::Alike(mask, x)
            }
            Some(mask) => {
                let by_gate = |gate: usize| {
                    let x = multiplied(plan, [rows, features], &input.slot, gate_mask(&mask, features, gate));
                    let of_kernel = take_gate(plan, [features, units], &kernel, gate);
                    let of_bias = bias.as_ref().map(|bias| take_gate(plan, [1, units], bias, gate));
                    let z = plan.scratch("gate", &[rows, units]);
                    project(plan, [rows, features, units], &x, &of_kernel, of_bias.as_ref(), &z);
                    put_gate(plan, [rows, units], &z, gates, gate, false);
                    x
                };
                Dropped::ByGate(mask.clone(), [0, 1, 2, 3].map(by_gate))
            }
        };
        Projection { rows, units, kernel, dropped, places }
    }

    /// Records the gradients of kernel and input from those of the gates before activation, `[T, N, H, 4]`.
    pub fn backward(&self, recorder: &mut Recorder, input: &Tensor, gates: &Slot) {
        let shape = [self.rows, input.features, self.units];
        if let Some(dw) = recorder.variable_gradient("kernel") {
            let plan = &mut recorder.plan;
            match &self.dropped {
                Dropped::Nothing => places_gradient(plan, shape, &input.slot, gates, dw, self.places.input),
                Dropped::Alike(_, x) => places_gradient(plan, shape, x, gates, dw, self.places.input),
                Dropped::ByGate(_, x) => {
                    self.places.input.iter().for_each(|&gate| gate_gradient(plan, shape, &x[gate], (gates, gate), &dw));
                }
            }
        }
        if input.differentiable {
            let target = recorder.gradient_target(input);
            let [rows, features, units] = shape;
            self.input_gradient(&mut recorder.plan, [rows, features, GATES * units], gates, target);
        }
    }

    /// Records the gradient of a bias `[H, 4]` into `out`.
    pub fn bias_gradient(&self, plan: &mut Plan, gates: &Slot, out: (&Slot, bool)) {
        bias_gradient(plan, [self.rows, GATES * self.units], gates, out);
    }

    fn input_gradient(&self, plan: &mut Plan, shape: [usize; 3], gates: &Slot, (dx, accumulate): (Slot, bool)) {
        let [rows, features, _] = shape;
        let through = |plan: &mut Plan, x: &Slot, multiply: Multiply, accumulate: bool| {
            let (x, to) = (Columns::all(x, features), Columns::all(&dx, features));
            let how = CopyHow { multiply: Some(multiply), accumulate, ..CopyHow::default() };
            CopyColumns::record([rows, features], plan, &x, &to, how);
        };
        match &self.dropped {
            Dropped::Nothing => input_gradient(plan, shape, gates, &self.kernel, (&dx, accumulate)),
            Dropped::Alike(mask, _) => {
                let before = plan.scratch("dropped", &[rows, features]);
                input_gradient(plan, shape, gates, &self.kernel, (&before, false));
                through(plan, &before, Multiply::Columns(Columns::all(mask, features)), accumulate);
            }
            Dropped::ByGate(mask, _) => (0..GATES).for_each(|gate| {
                let of_kernel = take_gate(plan, [features, self.units], &self.kernel, gate);
                let dz = take_gate(plan, [rows, self.units], gates, gate);
                let before = plan.scratch("dropped", &[rows, features]);
                input_gradient(plan, [rows, features, self.units], &dz, &of_kernel, (&before, false));
                through(plan, &before, gate_mask(mask, features, gate), accumulate || gate > 0);
            }),
        }
    }
}

/// Records the gradient of a recurrent kernel `[H, H, 4]` from what each time step read of h, `[T, N, H]`, which each gate saw
/// through its own mask where there is one, `[N, H, 4]`.
pub(super) fn recurrent_gradient(
    plan: &mut Plan,
    [rows, units]: [usize; 2],
    h: &Slot,
    mask: Option<&Slot>,
    gates: &Slot,
    du: (Slot, bool),
    places: &[usize],
) {
    let shape = [rows, units, units];
    match mask {
        None => places_gradient(plan, shape, h, gates, du, places),
        Some(mask) => places.iter().for_each(|&gate| {
            let seen = multiplied(plan, [rows, units], h, gate_mask(mask, units, gate));
            gate_gradient(plan, shape, &seen, (gates, gate), &du);
        }),
    }
}

/// The gradient of the gates at some places, all of which saw the same; the other places of the kernel are left alone.
fn places_gradient(
    plan: &mut Plan,
    [rows, features, units]: [usize; 3],
    x: &Slot,
    gates: &Slot,
    (dw, accumulate): (Slot, bool),
    places: &[usize],
) {
    let shape = [rows, features, GATES * units];
    if places.len() == GATES {
        return weight_gradient(plan, shape, x, gates, (&dw, accumulate));
    }
    let all = plan.scratch("all_gates", &[features, units, GATES]);
    weight_gradient(plan, shape, x, gates, (&all, false));
    copy_places(plan, &all, &dw, places, accumulate);
}

/// Copies the gates at some places of `[.., 4]`.
pub(super) fn copy_places(plan: &mut Plan, x: &Slot, out: &Slot, places: &[usize], accumulate: bool) {
    for run in places.chunk_by(|a, b| a + 1 == *b) {
        let [x, out] = [x, out].map(|slot| Columns::from(slot, GATES, run[0]));
        let how = CopyHow { accumulate, ..CopyHow::default() };
        CopyColumns::record([out.slot.len / GATES, run.len()], plan, &x, &out, how);
    }
}

/// The gradient of one gate's part of a kernel.
pub(super) fn gate_gradient(
    plan: &mut Plan,
    shape: [usize; 3],
    x: &Slot,
    (gates, gate): (&Slot, usize),
    (dw, accumulate): &(Slot, bool),
) {
    let [rows, features, units] = shape;
    let dz = take_gate(plan, [rows, units], gates, gate);
    let part = plan.scratch("gate", &[features, units]);
    weight_gradient(plan, shape, x, &dz, (&part, false));
    put_gate(plan, [features, units], &part, dw, gate, *accumulate);
}
