//! What executors promise beyond the numbers: nothing allocated or moved in a training step, the same bits however a plan is
//! cut, and the same bits run after run.

mod common;

use std::sync::Arc;

use gatenorm::exec::{CpuExecutor, DeviceOptions, Executor, GpuExecutor};
use gatenorm::kernels::{
    BatchNorm, BatchNormSlots, CellOptions, ColumnSum, ColumnSumSlots, Extras, Fill, FillSlots, GradSweep, GruCell,
    GruSequence, GruSequenceGrad, GruSequenceGradSlots, GruSequenceSlots, LstmSequence, LstmSequenceGrad,
    LstmSequenceGradSlots, LstmSequenceSlots, SequenceGradSlots, SequenceSlots, StepScalars, Sweep, activation,
};
use gatenorm::plan::{BufferSpec, Limits, Plan, Slot};

/// T, N, H.
const SHAPE: [usize; 3] = [9, 9, 8];
const OUTPUTS: [&str; 10] =
    ["h", "c", "gates", "carry", "variance", "du", "gru_h", "gru_reset", "gru_gates", "gru_carry"];

fn specs() -> Vec<BufferSpec> {
    let [steps, rows, units] = SHAPE;
    let size = rows * units;
    let shapes = [
        ("u", units * units * 4),
        ("gates", steps * size * 4),
        ("h", (steps + 1) * size),
        ("c", (steps + 1) * size),
        ("dy", steps * size),
        ("carry", 2 * size),
        ("mean", units),
        ("variance", units),
        ("du", 4 * units),
        ("gru_gates", steps * size * 4),
        ("gru_h", (steps + 1) * size),
        ("gru_reset", steps * size),
        ("gru_carry", size),
    ];
    shapes.map(|(name, len)| BufferSpec::persistent(name, &[len])).to_vec()
}

/// Keras's default.
const CELL: CellOptions = CellOptions {
    activation: activation::TANH,
    recurrent_activation: activation::SIGMOID,
    peepholes: false,
    coupled: false,
};

/// An LSTM forwards and backwards, statistics of its output and a column sum, in as many steps as the limits need.
fn plan(limits: Limits) -> Arc<Plan> {
    let [steps, rows, units] = SHAPE;
    let mut plan = Plan::new(limits);
    let [u, gates, h, c, dy, carry, mean, variance, du] =
        [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|i: usize| plan.persistent(&specs()[i]));
    let extras = Extras::default();
    let sequence = SequenceSlots { u: u.clone(), gates: gates.clone(), h: h.clone(), extras: extras.clone() };
    let forwards = LstmSequenceSlots { sequence, c: c.clone(), peepholes: None };
    let sweep = Sweep { steps, reverse: false };
    LstmSequence::record(sweep, [rows, units], false, CELL, &mut plan, &forwards);
    let n = steps * rows;
    for part in plan.row_chunks(n, &[units]) {
        let step = BatchNorm {
            before: part.start as u32,
            finish: (part.end == n).into(),
            ..BatchNorm::of_rows(part.len(), units, 1e-3)
        };
        // The first rows of h: the initial state's, so that chunks begin where bindings may.
        let (x, mean, variance) = (h.rows(part, units), mean.clone(), variance.clone());
        step.record(&mut plan, BatchNormSlots { x, mask: None, mean, variance, output: None });
    }
    let grad = GradSweep { sweep, shape: [rows, units], sequences: true, seeded: false, initial: false };
    let dy = Some(dy);
    let sequence = SequenceGradSlots { u: u.clone(), dy: dy.clone(), gates: gates.clone(), carry, extras };
    let backwards = LstmSequenceGradSlots { sequence, c, peepholes: None };
    LstmSequenceGrad::record(&grad, CELL, &mut plan, &backwards);
    gru(&grad, u, dy, &mut plan);
    ColumnSum::record([n, 4 * units], false, &mut plan, ColumnSumSlots { x: gates, out: du });
    Arc::new(plan.finish().expect("a sound plan"))
}

/// A GRU forwards and backwards that multiplies twice in a step.
fn gru(grad: &GradSweep, u: Slot, dy: Option<Slot>, plan: &mut Plan) {
    let [gates, h, reset, carry] = [9, 10, 11, 12].map(|i: usize| plan.persistent(&specs()[i]));
    let (activation, recurrent_activation) = (CELL.activation, CELL.recurrent_activation);
    let cell = GruCell { activation, recurrent_activation, reset_after: false };
    let extras = Extras::default();
    let sequence = SequenceSlots { u: u.clone(), gates: gates.clone(), h: h.clone(), extras: extras.clone() };
    let forwards = GruSequenceSlots { sequence, reset: Some(reset) };
    GruSequence::record(grad.sweep, grad.shape, false, cell, plan, &forwards);
    let sequence = SequenceGradSlots { u, dy, gates, carry, extras };
    GruSequenceGrad::record(grad, cell, plan, &GruSequenceGradSlots { sequence, h });
}

fn load(executor: &mut dyn Executor) {
    for (i, spec) in specs().iter().enumerate() {
        let value = |j: usize| ((i * 7919 + j * 104_729) % 1009) as f32 / 504.5 - 1.0;
        executor.write(spec, &(0..spec.len()).map(value).collect::<Vec<f32>>()).expect("written");
    }
    executor.set_scalars(&[StepScalars::default(); 3]).expect("set");
}

fn outputs(executor: &mut dyn Executor, plan: &Arc<Plan>) -> Vec<Vec<u64>> {
    load(executor);
    executor.run(plan, 0..1).expect("the plan runs");
    let len = |name: &str| specs().iter().find(|s| s.name == name).map_or(0, BufferSpec::len);
    let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect();
    OUTPUTS.iter().map(|name| bits(executor.read(name, 0..len(name)).expect("read"))).collect()
}

/// Room for one block of the column sum, 64 rows of 32 gates, and little more.
const TINY: Limits = Limits { max_binding: 9216, ..Limits::NONE };

fn windows_change_nothing(executor: &mut dyn Executor) {
    let (whole, cut) = (plan(executor.limits()), plan(TINY));
    assert!(cut.steps().len() > whole.steps().len(), "the tiny bindings need more steps");
    assert!(cut.steps().iter().flat_map(|s| &s.slots).all(|s| 4 * s.len <= TINY.max_binding));
    let expected = outputs(executor, &whole);
    assert!(expected.iter().flatten().any(|&bits| bits != 0));
    assert_eq!(outputs(executor, &cut), expected);
    assert_eq!(outputs(executor, &whole), expected, "the same bits run after run");
}

#[test]
fn windows_of_tiny_bindings_give_the_same_bits_on_the_device() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    windows_change_nothing(&mut GpuExecutor::new(&gpu).expect("an executor"));
}

#[test]
fn windows_of_tiny_bindings_give_the_same_bits_on_the_cpu() {
    windows_change_nothing(&mut CpuExecutor::<f32>::new());
}

fn a_training_step_moves_nothing(executor: &mut dyn Executor) {
    let plan = plan(executor.limits());
    load(executor);
    executor.prepare(&plan).expect("prepared");
    let start = executor.counters();
    executor.run(&plan, 0..1).expect("the plan runs");
    let before = executor.counters();
    executor.run(&plan, 0..3).expect("the plan runs");
    let after = executor.counters();
    let of_one = before.dispatches - start.dispatches;
    assert!(of_one >= plan.steps().len() as u64);
    assert_eq!(after.dispatches - before.dispatches, 3 * of_one);
    let quiet = gatenorm::exec::Counters { dispatches: after.dispatches, submissions: after.submissions, ..before };
    assert_eq!(after, quiet, "nothing is allocated, uploaded, read back or compiled");
}

#[test]
fn a_training_step_moves_nothing_on_the_device() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    a_training_step_moves_nothing(&mut GpuExecutor::new(&gpu).expect("an executor"));
}

#[test]
fn a_training_step_moves_nothing_on_the_cpu() {
    a_training_step_moves_nothing(&mut CpuExecutor::<f32>::new());
}

/// More than 65,535 workgroups: the grid's second dimension.
#[test]
fn a_slot_larger_than_one_dimension_of_the_grid_is_filled_to_its_end() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    let n = 65_535 * 64 + 65;
    let mut executor = GpuExecutor::new(&gpu).expect("an executor");
    let mut plan = Plan::new(executor.limits());
    let out = plan.persistent(&BufferSpec::persistent("out", &[n + 1]));
    Fill::record(2.5, &mut plan, FillSlots { out: out.range(0..n) });
    let plan = Arc::new(plan.finish().expect("a sound plan"));
    assert_eq!(plan.steps()[0].grid, [65_535, 2, 1]);
    executor.run(&plan, 0..1).expect("the plan runs");
    let values = executor.read("out", 0..n + 1).expect("read");
    assert!(values[..n].iter().all(|&v| v == 2.5) && values[n] == 0.0);
}

fn wrong_content_is_refused(executor: &mut dyn Executor) {
    let (real, integers) = (BufferSpec::persistent("x", &[4]), BufferSpec::persistent("i", &[4]).u32());
    for values in [&[1.0f32; 3][..], &[1.0; 5]] {
        let error = executor.write(&real, values).expect_err("a wrong length is refused").to_string();
        assert!(error.contains("`x`") && error.contains('4') && error.contains(&values.len().to_string()), "{error}");
    }
    let error = executor.write_u32(&integers, &[1; 3]).expect_err("a wrong length is refused").to_string();
    assert!(error.contains("`i`"), "{error}");
    executor.write(&integers, &[1.0; 4]).expect_err("real numbers are no integers");
    executor.write_u32(&real, &[1; 4]).expect_err("integers are no real numbers");
    executor.write(&real, &[1.0; 4]).expect("the right length is written");
    executor.read("x", 2..5).expect_err("more than there is cannot be read");
    executor.read("y", 0..1).expect_err("an unknown buffer cannot be read");
}

#[test]
fn content_that_does_not_fit_is_refused_by_the_cpu() {
    wrong_content_is_refused(&mut CpuExecutor::<f32>::new());
}

#[test]
fn content_that_does_not_fit_is_refused_by_the_device() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    wrong_content_is_refused(&mut GpuExecutor::new(&gpu).expect("an executor"));
}

fn unknown_scalars_are_refused(executor: &mut dyn Executor) {
    let plan = plan(executor.limits());
    load(executor);
    executor.run(&plan, 2..4).expect_err("only three were set");
    executor.run_step(&plan, 0, 3).expect_err("only three were set");
    executor.run_step(&plan, plan.steps().len(), 0).expect_err("the plan has no such step");
    executor.run(&plan, 2..3).expect("the last of three");
}

#[test]
fn scalars_that_were_not_set_are_refused() {
    unknown_scalars_are_refused(&mut CpuExecutor::<f32>::new());
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    unknown_scalars_are_refused(&mut GpuExecutor::new(&gpu).expect("an executor"));
}

#[test]
fn predictions_of_many_batches_at_once_are_those_of_one_after_the_other() {
    use gatenorm::data::Dataset;
    use gatenorm::prelude::*;
    let (steps, features, samples, batch) = (5, 3, 100, 8);
    let part = |range: std::ops::Range<usize>| {
        let x =
            range.clone().flat_map(|n| (0..steps * features).map(move |i| ((n * 37 + i * 11) as f32 * 0.618).sin()));
        let y = vec![0.0; range.len()];
        Dataset::from_arrays(x.collect(), &[range.len(), steps, features], y, &[range.len(), 1]).unwrap()
    };
    let mut model = Sequential::new(&[steps, features])
        .add(Lstm::new(8).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(4))
        .add(Dense::new(1))
        .compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), [])
        .unwrap();
    let together = model.predict_in_batches(&part(0..samples), batch).unwrap();
    let one_by_one = (0..samples)
        .step_by(batch)
        .flat_map(|first| model.predict_in_batches(&part(first..samples.min(first + batch)), batch).unwrap());
    let one_by_one: Vec<f64> = one_by_one.collect();
    assert_eq!(together, one_by_one);
    assert!(together.windows(2).any(|w| w[0] != w[1]), "samples differ, and so do predictions");
}
