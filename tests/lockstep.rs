//! Lockstep must find what is wrong, and say where.

mod common;

use std::ops::Range;
use std::sync::Arc;

use gatenorm::Result;
use gatenorm::exec::lockstep::{LockstepReport, lockstep};
use gatenorm::exec::{Counters, CpuExecutor, DeviceOptions, Executor, GpuExecutor};
use gatenorm::kernels::{ALL, Element, StepScalars};
use gatenorm::plan::{BufferSpec, Limits, Plan};
use gatenorm::verify::{Case, case};

/// What is done to one element after a step.
#[derive(Clone, Copy)]
enum Damage {
    Add(f32),
    Set(f32),
}

/// A device that gets one element wrong.
struct Damaged<E> {
    device: E,
    step: usize,
    buffer: usize,
    index: usize,
    damage: Damage,
}

impl<E: Executor> Damaged<E> {
    fn spoil(&mut self, plan: &Plan) -> Result<()> {
        let spec = &plan.buffers()[self.buffer];
        let changed = |value: f32| match self.damage {
            Damage::Add(more) => value + more,
            Damage::Set(other) => other,
        };
        match spec.element {
            Element::Real => {
                let mut values: Vec<f32> =
                    self.device.read(&spec.name, 0..spec.len())?.into_iter().map(|v| v as f32).collect();
                values[self.index] = changed(values[self.index]);
                self.device.write(spec, &values)
            }
            Element::U32 => {
                let mut values = self.device.read_u32(&spec.name, 0..spec.len())?;
                values[self.index] ^= 1;
                self.device.write_u32(spec, &values)
            }
        }
    }
}

impl<E: Executor> Executor for Damaged<E> {
    fn limits(&self) -> Limits {
        self.device.limits()
    }
    fn prepare(&mut self, plan: &Arc<Plan>) -> Result<()> {
        self.device.prepare(plan)
    }
    fn set_scalars(&mut self, scalars: &[StepScalars]) -> Result<()> {
        self.device.set_scalars(scalars)
    }
    fn run(&mut self, plan: &Arc<Plan>, range: Range<usize>) -> Result<()> {
        self.device.run(plan, range)
    }
    fn run_step(&mut self, plan: &Arc<Plan>, step: usize, at: usize) -> Result<()> {
        self.device.run_step(plan, step, at)?;
        if step == self.step { self.spoil(plan) } else { Ok(()) }
    }
    fn run_timed(&mut self, plan: &Arc<Plan>, at: usize) -> Result<Vec<(f64, f64)>> {
        self.device.run_timed(plan, at)
    }
    fn write_part(&mut self, spec: &BufferSpec, first: usize, values: &[f32]) -> Result<()> {
        self.device.write_part(spec, first, values)
    }
    fn write_u32(&mut self, spec: &BufferSpec, values: &[u32]) -> Result<()> {
        self.device.write_u32(spec, values)
    }
    fn release(&mut self, name: &str) {
        self.device.release(name);
    }
    fn sizes(&self) -> Vec<(&str, usize)> {
        self.device.sizes()
    }
    fn read(&mut self, name: &str, range: Range<usize>) -> Result<Vec<f64>> {
        self.device.read(name, range)
    }
    fn read_u32(&mut self, name: &str, range: Range<usize>) -> Result<Vec<u32>> {
        self.device.read_u32(name, range)
    }
    fn counters(&self) -> Counters {
        self.device.counters()
    }
}

/// The first case of a kernel with at least so many steps, none of whose inputs was made NaN.
fn case_with_steps(kernel: &str, steps: usize) -> Case {
    let kernel = ALL.iter().find(|k| k.name == kernel).expect("a kernel of this name");
    let clean = (0..416).filter(|n| n % 8 != 7);
    let mut cases = clean.map(|number| case(kernel, 1, number).expect("a case"));
    cases.find(|case| case.plan.steps().len() >= steps).expect("one has that many steps")
}

fn run(device: &mut dyn Executor, case: &Case) -> LockstepReport {
    case.load(device).expect("the case loads");
    lockstep(device, &case.plan, 0, case.scalars).expect("the plan runs")
}

/// One element, changed after one step, must be found and named, and nothing else.
fn damage_is_found(device: impl Executor, kernel: &'static str, [step, slot]: [usize; 2], damage: Damage) {
    let case = case_with_steps(kernel, step + 1);
    let bound = &case.plan.steps()[step].slots[slot];
    let index = bound.offset + bound.len - 1;
    let name = case.plan.buffers()[bound.buffer].name.clone();
    let mut damaged = Damaged { device, step, buffer: bound.buffer, index, damage };
    let report = run(&mut damaged, &case);
    let found = report.disagreement.clone().expect("the damage is found");
    let place = (found.place.step, found.place.label, found.place.buffer, found.place.index);
    assert_eq!(place, (step, format!("verify/{kernel}"), name.clone(), index));
    assert_eq!(report.kernels[kernel].disagreements, 1);
    let text = report.agreed().expect_err("a disagreement is an error").to_string();
    assert!(text.starts_with(&format!("step {step} `verify/{kernel}` buffer `{name}`[{index}]: gpu ")), "{text}");
    assert!(text.contains(" cpu ") && text.contains(", tolerance "), "{text}");
}

fn every_kind_of_damage_is_found<E: Executor>(mut device: impl FnMut() -> E) {
    damage_is_found(device(), "lstm_sequence", [1, 2], Damage::Set(0.25));
    damage_is_found(device(), "lstm_sequence", [0, 1], Damage::Add(1e-3));
    damage_is_found(device(), "matmul", [0, 5], Damage::Set(f32::INFINITY));
    damage_is_found(device(), "adam", [0, 4], Damage::Add(1e-3));
    damage_is_found(device(), "batch_norm", [1, 4], Damage::Set(f32::NAN));
    damage_is_found(device(), "grad_norm", [0, 2], Damage::Add(0.0));
}

#[test]
fn one_wrong_element_of_the_device_is_named() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    every_kind_of_damage_is_found(|| GpuExecutor::new(&gpu).expect("an executor"));
}

#[test]
fn one_wrong_element_of_the_cpu_is_named() {
    every_kind_of_damage_is_found(CpuExecutor::<f32>::new);
}

#[test]
fn an_element_outside_every_slot_must_not_change() {
    let case = case_with_steps("lstm_sequence", 1);
    let (step, slot) = (0, 2);
    let bound = &case.plan.steps()[step].slots[slot];
    let spec = &case.plan.buffers()[bound.buffer];
    let outside = (0..spec.len()).find(|i| !(bound.offset..bound.offset + bound.len).contains(i));
    let damage = Damage::Set(0.25);
    let device = CpuExecutor::<f32>::new();
    let index = outside.expect("the slot leaves something out");
    let mut damaged = Damaged { device, step, buffer: bound.buffer, index, damage };
    let found = run(&mut damaged, &case).disagreement.expect("the damage is found");
    assert_eq!((found.place.buffer, found.place.index), (spec.name.clone(), index));
}

#[test]
fn an_undamaged_device_agrees_and_reports_how_closely() {
    let case = case_with_steps("lstm_sequence", 3);
    let mut report = run(&mut CpuExecutor::<f32>::new(), &case).agreed().expect("the CPU agrees");
    let steps = case.plan.steps().len();
    assert_eq!((report.steps, report.buffers), (steps, 3 * steps));
    assert_eq!(report.kernels["lstm_sequence"].runs, steps);
    assert!(report.worst_share > 0.0 && report.worst_share < 1.0 && report.worst.is_some());
    report.join(run(&mut CpuExecutor::<f32>::new(), &case));
    assert_eq!((report.steps, report.kernels["lstm_sequence"].runs), (2 * steps, 2 * steps));
}

/// Two full batches and a short one of the lesson's model, every kernel of every step.
#[test]
fn the_lessons_model_trains_in_lockstep() {
    let Some(device) = common::gpu() else { return };
    let report = gatenorm::train::lockstep_training(&device, 3, 3).and_then(|r| r.agreed()).expect("they agree");
    assert_eq!(report.training_steps, 3);
    assert!(report.kernels.elements > 1_000_000, "{} elements compared", report.kernels.elements);
    assert!(report.loss_tolerance < 1e-4, "the losses' tolerance says something: {:e}", report.loss_tolerance);
}
