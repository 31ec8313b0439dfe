//! A recurrence that takes all time steps at once: cut where a dispatch would take too long, and stopped where its rows end.

mod common;

use std::sync::Arc;

use gatenorm::exec::lockstep::lockstep;
use gatenorm::exec::{CpuExecutor, DeviceOptions, Executor, GpuExecutor};
use gatenorm::kernels::{
    ALL, CellOptions, Extras, GradSweep, GruCell, GruSequence, GruSequenceGrad, GruSequenceGradSlots, GruSequenceSlots,
    LstmSequence, LstmSequenceGrad, LstmSequenceGradSlots, LstmSequenceSlots, SequenceGradSlots, SequenceSlots,
    StepScalars, Sweep, activation,
};
use gatenorm::plan::{BufferSpec, Limits, Plan};

#[derive(Clone, Copy, Debug)]
enum Cell {
    Lstm,
    Gru { reset_after: bool },
}

const CELLS: [Cell; 3] = [Cell::Lstm, Cell::Gru { reset_after: true }, Cell::Gru { reset_after: false }];

impl Cell {
    fn kernels(self) -> [&'static str; 2] {
        match self {
            Cell::Lstm => ["lstm_sequence", "lstm_sequence_grad"],
            Cell::Gru { .. } => ["gru_sequence", "gru_sequence_grad"],
        }
    }
}

/// A recurrence forwards and backwards over some rows.
#[derive(Clone, Copy, Debug)]
struct Recurrence {
    cell: Cell,
    sweep: Sweep,
    rows: usize,
    units: usize,
}

impl Recurrence {
    fn specs(self) -> Vec<BufferSpec> {
        let (steps, size) = (self.sweep.steps, self.rows * self.units);
        let shapes = [
            ("u", self.units * self.units * 4),
            ("gates", 4 * steps * size),
            ("h", (steps + 1) * size),
            ("beside", (steps + 1) * size),
            ("dy", steps * size),
            ("carry", 2 * size),
            ("mask", steps * self.rows),
        ];
        shapes.map(|(name, len)| BufferSpec::persistent(name, &[len])).to_vec()
    }

    fn plan(self, limits: Limits) -> Arc<Plan> {
        let (activation, recurrent_activation) = (activation::TANH, activation::SIGMOID);
        let mut plan = Plan::new(limits);
        let slots: Vec<_> = self.specs().iter().map(|spec| plan.persistent(spec)).collect();
        let [u, gates, h, beside, dy, carry, mask] = slots.try_into().expect("seven slots");
        let extras = Extras { mask: Some(mask), ..Extras::default() };
        let (shape, size) = ([self.rows, self.units], self.rows * self.units);
        let forwards = SequenceSlots { u: u.clone(), gates: gates.clone(), h: h.clone(), extras: extras.clone() };
        let grad = GradSweep { sweep: self.sweep, shape, sequences: true, seeded: false, initial: false };
        let backwards = SequenceGradSlots { u, dy: Some(dy), gates, carry: carry.clone(), extras };
        match self.cell {
            Cell::Lstm => {
                let cell = CellOptions { activation, recurrent_activation, peepholes: false, coupled: false };
                let forwards = LstmSequenceSlots { sequence: forwards, c: beside.clone(), peepholes: None };
                LstmSequence::record(self.sweep, shape, true, cell, &mut plan, &forwards);
                let backwards = LstmSequenceGradSlots { sequence: backwards, c: beside, peepholes: None };
                LstmSequenceGrad::record(&grad, cell, &mut plan, &backwards);
            }
            Cell::Gru { reset_after } => {
                let cell = GruCell { activation, recurrent_activation, reset_after };
                let reset = (!reset_after).then(|| beside.range(0..self.sweep.steps * size));
                let forwards = GruSequenceSlots { sequence: forwards, reset };
                GruSequence::record(self.sweep, shape, true, cell, &mut plan, &forwards);
                let sequence = SequenceGradSlots { carry: carry.range(0..size), ..backwards };
                GruSequenceGrad::record(&grad, cell, &mut plan, &GruSequenceGradSlots { sequence, h });
            }
        }
        Arc::new(plan.finish().expect("a sound plan"))
    }

    /// Fills all buffers; a row's values do not depend on what other rows there are, nor on their lengths.
    fn load(self, executor: &mut dyn Executor, lengths: &[usize]) {
        for (number, spec) in self.specs().iter().enumerate() {
            let value = |i: usize| ((number * 7919 + i * 104_729) % 1009) as f32 / 1009.0 - 0.5;
            let masked = |i: usize| f32::from(u8::from(i / self.rows < lengths[i % self.rows]));
            let values = (0..spec.len()).map(|i| if spec.name == "mask" { masked(i) } else { value(i) });
            executor.write(spec, &values.collect::<Vec<f32>>()).expect("written");
        }
        executor.set_scalars(&[StepScalars::default()]).expect("set");
    }

    /// The bits of states, gates and their gradients, by buffer, of one row.
    fn row(self, executor: &mut dyn Executor, row: usize) -> Vec<Vec<u64>> {
        let of = |name: &str| {
            let spec = self.specs().into_iter().find(|spec| spec.name == name).expect("a buffer");
            let width = if name == "gates" { 4 * self.units } else { self.units };
            let all = executor.read(name, 0..spec.len()).expect("read");
            all.chunks(width).skip(row).step_by(self.rows).flatten().map(|v| v.to_bits()).collect()
        };
        ["h", "beside", "gates"].map(of).to_vec()
    }
}

/// Executors that compute the recurrence in each way that there is: on the device by every variant, and on the CPU.
fn executors(cell: Cell) -> Vec<(String, Box<dyn Executor>)> {
    let mut all: Vec<(String, Box<dyn Executor>)> = vec![
        ("reference".to_owned(), Box::new(CpuExecutor::<f32>::new())),
        ("cpu".to_owned(), Box::new(CpuExecutor::fast())),
    ];
    let Some(gpu) = common::open(DeviceOptions::default()) else { return all };
    for name in cell.kernels() {
        let kernel = ALL.iter().find(|kernel| kernel.name == name).expect("a kernel of this name");
        for (number, variant) in kernel.variants.all.iter().enumerate() {
            let mut executor = GpuExecutor::new(&gpu).expect("an executor");
            executor.insist(kernel.name, number);
            all.push((format!("{name}={}", variant.name), Box::new(executor)));
        }
    }
    all
}

/// Compares each step of both kernels with the reference, in every way of computing them; a device
/// needs at least so many dispatches.
fn agrees_in_every_way(recurrence: Recurrence, lengths: &[usize], dispatches: u64) {
    for (name, mut executor) in executors(recurrence.cell) {
        let plan = recurrence.plan(executor.limits());
        assert_eq!(plan.steps().len(), 2, "each direction is one step of the plan");
        recurrence.load(executor.as_mut(), lengths);
        let before = executor.counters().dispatches;
        executor.run(&plan, 0..1).expect("the plan runs");
        let found = executor.counters().dispatches - before;
        assert!(["cpu", "reference"].contains(&name.as_str()) || found >= dispatches, "{name}: {found} dispatches");
        recurrence.load(executor.as_mut(), lengths);
        let report = lockstep(executor.as_mut(), &plan, 0, StepScalars::default()).expect("the plan runs");
        report.agreed().unwrap_or_else(|error| panic!("{name}, {recurrence:?}: {error}"));
    }
}

#[test]
fn a_long_sequence_that_is_cut_into_several_dispatches_agrees_with_the_reference() {
    for (cell, reverse) in [(CELLS[0], false), (CELLS[0], true), (CELLS[1], true), (CELLS[2], false)] {
        let recurrence = Recurrence { cell, sweep: Sweep { steps: 4100, reverse }, rows: 2, units: 4 };
        agrees_in_every_way(recurrence, &[4100, 2500], 6);
    }
}

/// Mesa's software drivers leave a thread's loops after 65,535 rounds, which these take more than once.
#[test]
fn many_units_over_many_steps_agree_with_the_reference() {
    for cell in CELLS {
        let sweep = Sweep { steps: 256, reverse: false };
        agrees_in_every_way(Recurrence { cell, sweep, rows: 1, units: 128 }, &[256], 4);
    }
}

#[test]
fn rows_that_end_early_have_the_same_bits_whether_their_neighbour_goes_on_or_not() {
    for (cell, reverse) in CELLS.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let recurrence = Recurrence { cell, sweep: Sweep { steps: 12, reverse }, rows: 4, units: 4 };
        for (name, mut executor) in executors(cell) {
            let plan = recurrence.plan(executor.limits());
            let mut rows = |lengths: &[usize]| {
                recurrence.load(executor.as_mut(), lengths);
                executor.run(&plan, 0..1).expect("the plan runs");
                [0, 1, 2, 3].map(|row| recurrence.row(executor.as_mut(), row))
            };
            let (stopped, went_on) = (rows(&[3, 1, 5, 2]), rows(&[3, 1, 5, 12]));
            assert_eq!(stopped[..3], went_on[..3], "{name}, reverse {reverse}");
            assert_ne!(stopped[3], went_on[3], "{name}: the lengths are seen");
        }
    }
}
