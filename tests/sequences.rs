//! A recurrence that takes all time steps at once: cut where a dispatch would take too long, and stopped where its rows end.

mod common;

use std::sync::Arc;

use gatenorm::exec::lockstep::lockstep;
use gatenorm::exec::{CpuExecutor, DeviceOptions, Executor, GpuExecutor};
use gatenorm::kernels::{
    ALL, CellOptions, LstmExtras, LstmGradSweep, LstmSequence, LstmSequenceGradSlots, LstmSequenceSlots, StepScalars,
    Sweep, activation,
};
use gatenorm::plan::{BufferSpec, Limits, Plan};

const KERNELS: [&str; 2] = ["lstm_sequence", "lstm_sequence_grad"];
/// An LSTM forwards and backwards over some rows.
#[derive(Clone, Copy)]
struct Lstm {
    sweep: Sweep,
    rows: usize,
    units: usize,
}

impl Lstm {
    fn specs(self) -> Vec<BufferSpec> {
        let (steps, size) = (self.sweep.steps, self.rows * self.units);
        let shapes = [
            ("u", self.units * self.units * 4),
            ("gates", 4 * steps * size),
            ("h", (steps + 1) * size),
            ("c", (steps + 1) * size),
            ("dy", steps * size),
            ("carry", 2 * size),
            ("mask", steps * self.rows),
        ];
        shapes.map(|(name, len)| BufferSpec::persistent(name, &[len])).to_vec()
    }

    fn plan(self, limits: Limits) -> Arc<Plan> {
        let cell = CellOptions {
            activation: activation::TANH,
            recurrent_activation: activation::SIGMOID,
            peepholes: false,
            coupled: false,
        };
        let mut plan = Plan::new(limits);
        let slots: Vec<_> = self.specs().iter().map(|spec| plan.persistent(spec)).collect();
        let [u, gates, h, c, dy, carry, mask] = slots.try_into().expect("seven slots");
        let extras = LstmExtras { mask: Some(mask), ..LstmExtras::default() };
        let shape = [self.rows, self.units];
        let forwards =
            LstmSequenceSlots { u: u.clone(), gates: gates.clone(), h, c: c.clone(), extras: extras.clone() };
        LstmSequence::record(self.sweep, shape, true, cell, &mut plan, &forwards);
        let grad = LstmGradSweep { sweep: self.sweep, shape, sequences: true, seeded: false, initial: false, cell };
        grad.record(&mut plan, &LstmSequenceGradSlots { u, c, dy: Some(dy), gates, carry, extras });
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
        ["h", "c", "gates"].map(of).to_vec()
    }
}

/// Executors that compute the recurrence in each way that there is: on the device by every variant, and on the CPU.
fn executors() -> Vec<(String, Box<dyn Executor>)> {
    let mut all: Vec<(String, Box<dyn Executor>)> = vec![
        ("reference".to_owned(), Box::new(CpuExecutor::<f32>::new())),
        ("cpu".to_owned(), Box::new(CpuExecutor::fast())),
    ];
    let Some(gpu) = common::open(DeviceOptions::default()) else { return all };
    for name in KERNELS {
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
fn agrees_in_every_way(lstm: Lstm, lengths: &[usize], dispatches: u64) {
    for (name, mut executor) in executors() {
        let plan = lstm.plan(executor.limits());
        assert_eq!(plan.steps().len(), 2, "each direction is one step of the plan");
        lstm.load(executor.as_mut(), lengths);
        let before = executor.counters().dispatches;
        executor.run(&plan, 0..1).expect("the plan runs");
        let found = executor.counters().dispatches - before;
        assert!(["cpu", "reference"].contains(&name.as_str()) || found >= dispatches, "{name}: {found} dispatches");
        lstm.load(executor.as_mut(), lengths);
        let report = lockstep(executor.as_mut(), &plan, 0, StepScalars::default()).expect("the plan runs");
        report.agreed().unwrap_or_else(|error| panic!("{name}, {:?}: {error}", lstm.sweep));
    }
}

#[test]
fn a_long_sequence_that_is_cut_into_several_dispatches_agrees_with_the_reference() {
    for reverse in [false, true] {
        let lstm = Lstm { sweep: Sweep { steps: 4100, reverse }, rows: 2, units: 4 };
        agrees_in_every_way(lstm, &[4100, 2500], 6);
    }
}

/// Mesa's software drivers leave a thread's loops after 65,535 rounds, which these take more than once.
#[test]
fn many_units_over_many_steps_agree_with_the_reference() {
    agrees_in_every_way(Lstm { sweep: Sweep { steps: 256, reverse: false }, rows: 1, units: 128 }, &[256], 4);
}

#[test]
fn rows_that_end_early_have_the_same_bits_whether_their_neighbour_goes_on_or_not() {
    for reverse in [false, true] {
        let lstm = Lstm { sweep: Sweep { steps: 12, reverse }, rows: 4, units: 4 };
        for (name, mut executor) in executors() {
            let plan = lstm.plan(executor.limits());
            let mut rows = |lengths: &[usize]| {
                lstm.load(executor.as_mut(), lengths);
                executor.run(&plan, 0..1).expect("the plan runs");
                [0, 1, 2, 3].map(|row| lstm.row(executor.as_mut(), row))
            };
            let (stopped, went_on) = (rows(&[3, 1, 5, 2]), rows(&[3, 1, 5, 12]));
            assert_eq!(stopped[..3], went_on[..3], "{name}, reverse {reverse}");
            assert_ne!(stopped[3], went_on[3], "{name}: the lengths are seen");
        }
    }
}
