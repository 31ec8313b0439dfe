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
use gatenorm::plan::{ALIGNMENT, BufferSpec, Limits, Plan, Slot};

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

/// The directions that are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Directions {
    One,
    /// That of the sweep, and behind it the other.
    Apart,
    /// Both at once.
    Together,
}

/// A recurrence forwards and backwards over some rows.
#[derive(Clone, Copy, Debug)]
struct Recurrence {
    cell: Cell,
    sweep: Sweep,
    directions: Directions,
    rows: usize,
    units: usize,
}

impl Recurrence {
    /// What each direction has, and the mask that they share.
    fn lens(self) -> [(&'static str, usize); 7] {
        let (steps, size) = (self.sweep.steps, self.rows * self.units);
        [
            ("u", self.units * self.units * 4),
            ("gates", 4 * steps * size),
            ("h", (steps + 1) * size),
            ("beside", (steps + 1) * size),
            ("dy", steps * size),
            ("carry", 2 * size),
            ("mask", steps * self.rows),
        ]
    }

    fn sweeps(self) -> Vec<Sweep> {
        let count = if self.directions == Directions::One { 1 } else { 2 };
        [self.sweep, self.sweep.back()].into_iter().take(count).collect()
    }

    fn specs(self) -> Vec<BufferSpec> {
        let second = |len: usize| if self.directions == Directions::One { 0 } else { len.next_multiple_of(ALIGNMENT) };
        let shape = |name: &str, len: usize| [len + if name == "mask" { 0 } else { second(len) }];
        self.lens().map(|(name, len)| BufferSpec::persistent(name, &shape(name, len))).to_vec()
    }

    fn plan(self, limits: Limits) -> Arc<Plan> {
        let (activation, recurrent_activation) = (activation::TANH, activation::SIGMOID);
        let mut plan = Plan::new(limits);
        let wholes: Vec<Slot> = self.specs().iter().map(|spec| plan.persistent(spec)).collect();
        let shape @ [rows, units] = [self.rows, self.units];
        let of_direction = |(number, sweep): (usize, Sweep)| {
            let slot = |(whole, (_, len)): (&Slot, (&str, usize))| {
                let at = number * len.next_multiple_of(ALIGNMENT);
                whole.range(at..at + len)
            };
            let slots: Vec<Slot> = wholes[..6].iter().zip(self.lens()).map(slot).collect();
            let [u, gates, h, beside, dy, carry] = slots.try_into().expect("six slots");
            let extras = Extras { mask: Some(wholes[6].clone()), ..Extras::default() };
            let forwards = SequenceSlots { u: u.clone(), gates: gates.clone(), h, extras: extras.clone() };
            let grad = GradSweep { sweep, shape, sequences: true, seeded: false, initial: false };
            (forwards, beside, grad, SequenceGradSlots { u, dy: Some(dy), gates, carry, extras })
        };
        let all = self.sweeps().into_iter().enumerate().map(of_direction);
        match self.cell {
            Cell::Lstm => {
                let cell = CellOptions { activation, recurrent_activation, peepholes: false, coupled: false };
                let slots = |(sequence, c, grad, of_grad): (SequenceSlots, Slot, GradSweep, SequenceGradSlots)| {
                    let backwards = LstmSequenceGradSlots { sequence: of_grad, c: c.clone(), peepholes: None };
                    (grad, LstmSequenceSlots { sequence, c, peepholes: None }, backwards)
                };
                let all: Vec<_> = all.map(slots).collect();
                if let (Directions::Together, [a, b]) = (self.directions, &all[..]) {
                    LstmSequence::record_both(self.sweep, shape, true, [cell; 2], &mut plan, [&a.1, &b.1]);
                    LstmSequenceGrad::record_both([&a.0, &b.0], [cell; 2], &mut plan, [&a.2, &b.2]);
                } else {
                    all.iter().for_each(|a| LstmSequence::record(a.0.sweep, shape, true, cell, &mut plan, &a.1));
                    all.iter().for_each(|a| LstmSequenceGrad::record(&a.0, cell, &mut plan, &a.2));
                }
            }
            Cell::Gru { reset_after } => {
                let cell = GruCell { activation, recurrent_activation, reset_after };
                let slots = |(sequence, beside, grad, of_grad): (SequenceSlots, Slot, GradSweep, SequenceGradSlots)| {
                    let (reset, h) = (beside.range(0..self.sweep.steps * rows * units), sequence.h.clone());
                    let carry = of_grad.carry.range(0..rows * units);
                    let backwards = GruSequenceGradSlots { sequence: SequenceGradSlots { carry, ..of_grad }, h };
                    (grad, GruSequenceSlots { sequence, reset: (!reset_after).then_some(reset) }, backwards)
                };
                let all: Vec<_> = all.map(slots).collect();
                if let (Directions::Together, [a, b]) = (self.directions, &all[..]) {
                    GruSequence::record_both(self.sweep, shape, true, [cell; 2], &mut plan, [&a.1, &b.1]);
                    GruSequenceGrad::record_both([&a.0, &b.0], [cell; 2], &mut plan, [&a.2, &b.2]);
                } else {
                    all.iter().for_each(|a| GruSequence::record(a.0.sweep, shape, true, cell, &mut plan, &a.1));
                    all.iter().for_each(|a| GruSequenceGrad::record(&a.0, cell, &mut plan, &a.2));
                }
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

    /// The bits of all that a plan leaves, and how many dispatches it took.
    fn outcome(self, executor: &mut dyn Executor, plan: &Arc<Plan>, lengths: &[usize]) -> (Vec<Vec<u64>>, u64) {
        self.load(executor, lengths);
        let before = executor.counters().dispatches;
        executor.run(plan, 0..1).expect("the plan runs");
        let dispatches = executor.counters().dispatches - before;
        let mut bits = |spec: BufferSpec| executor.read(&spec.name, 0..spec.len()).expect("read").into_iter();
        let bits = self.specs().into_iter().map(|spec| bits(spec).map(f64::to_bits).collect()).collect();
        (bits, dispatches)
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
        let sweep = Sweep { steps: 4100, reverse };
        let recurrence = Recurrence { cell, sweep, directions: Directions::One, rows: 2, units: 4 };
        agrees_in_every_way(recurrence, &[4100, 2500], 6);
    }
}

/// Mesa's software drivers leave a thread's loops after 65,535 rounds, which these take more than once.
#[test]
fn many_units_over_many_steps_agree_with_the_reference() {
    for cell in CELLS {
        let sweep = Sweep { steps: 256, reverse: false };
        let recurrence = Recurrence { cell, sweep, directions: Directions::One, rows: 1, units: 128 };
        agrees_in_every_way(recurrence, &[256], 4);
    }
}

#[test]
fn rows_that_end_early_have_the_same_bits_whether_their_neighbour_goes_on_or_not() {
    for (cell, reverse) in CELLS.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let sweep = Sweep { steps: 12, reverse };
        let recurrence = Recurrence { cell, sweep, directions: Directions::One, rows: 4, units: 4 };
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

/// The same for both directions of a bidirectional layer: each dispatch does both.
#[test]
fn both_directions_at_once_have_the_bits_of_one_after_the_other_in_half_as_many_dispatches() {
    for (cell, reverse) in CELLS.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let sweep = Sweep { steps: 7, reverse };
        let apart = Recurrence { cell, sweep, directions: Directions::Apart, rows: 5, units: 6 };
        let (together, lengths) = (Recurrence { directions: Directions::Together, ..apart }, [7, 3, 5, 1, 6]);
        for (name, mut executor) in executors(cell) {
            let [two, one] = [apart, together].map(|recurrence| recurrence.plan(executor.limits()));
            assert_eq!((two.steps().len(), one.steps().len()), (4, 2), "{cell:?}");
            let (expected, of_two) = apart.outcome(executor.as_mut(), &two, &lengths);
            let (found, of_one) = together.outcome(executor.as_mut(), &one, &lengths);
            assert_eq!(found, expected, "{name}, {together:?}");
            assert_eq!(2 * of_one, of_two, "{name}, {together:?}");
            let limits = Limits { max_binding: 4096, ..executor.limits() };
            let narrow = together.plan(limits);
            assert_eq!(narrow.steps().len(), 4, "no binding shows the gates of both");
            assert_eq!(together.outcome(executor.as_mut(), &narrow, &lengths).0, expected, "{name}, {together:?}");
        }
    }
}

/// What a dispatch may do at most is shared by the directions, which begin it at different times.
#[test]
fn both_directions_of_a_long_sequence_that_is_cut_agree_with_the_reference() {
    for cell in CELLS {
        let sweep = Sweep { steps: 2100, reverse: false };
        let recurrence = Recurrence { cell, sweep, directions: Directions::Together, rows: 2, units: 3 };
        agrees_in_every_way(recurrence, &[2100, 1500], 4);
    }
}

/// CPUs, and so software drivers, compute with subnormal numbers many times slower: a long sequence would take the longer the more of its
/// gradient has vanished.
#[test]
fn a_gradient_that_has_vanished_is_zero_and_not_subnormal() {
    for cell in CELLS {
        let (sweep, rows, units) = (Sweep { steps: 200, reverse: false }, 2, 4);
        let recurrence = Recurrence { cell, sweep, directions: Directions::One, rows, units };
        let [gates, dy] = ["gates", "dy"]
            .map(|name| recurrence.specs().into_iter().find(|spec| spec.name == name).expect("a buffer of this name"));
        let of_step = rows * units;
        let mut of_last_alone = vec![0.0; dy.len()];
        of_last_alone[dy.len() - of_step..].fill(1.0);
        for (name, mut executor) in executors(cell) {
            let plan = recurrence.plan(executor.limits());
            recurrence.load(executor.as_mut(), &[sweep.steps; 2]);
            executor.write(&dy, &of_last_alone).expect("written");
            let report = lockstep(executor.as_mut(), &plan, 0, StepScalars::default()).expect("the plan runs");
            report.agreed().unwrap_or_else(|error| panic!("{name}, {recurrence:?}: {error}"));
            let found = executor.read("gates", 0..gates.len()).expect("read");
            let (first, last) = (&found[..4 * of_step], &found[found.len() - 4 * of_step..]);
            assert!(last.iter().any(|&g| g.abs() > 1e-4), "{name}, {cell:?}: the last step has a gradient");
            assert!(first.iter().all(|&g| g == 0.0), "{name}, {cell:?}: {first:?}");
            let subnormal = found.iter().position(|g| *g != 0.0 && g.abs() < f64::from(f32::MIN_POSITIVE));
            assert_eq!(subnormal, None, "{name}, {cell:?}");
        }
    }
}
