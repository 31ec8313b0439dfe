//! A device against the kernels' references, step by step.
//!
//! Before each step the reference receives the device's own input bits, so that one kernel's error is judged at a time, and it
//! runs on [`Tracked`] numbers, which derive the tolerance of every element from what was computed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Executor;
use super::lending::{Lent, Memory, bind, shown};
use crate::error::{Error, Result};
use crate::kernels::tracked::Tracked;
use crate::kernels::{Access, Args, Element, Real, StepScalars};
use crate::plan::{Plan, Slot, Step};

/// An element that a step wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The step's number in the plan.
    pub step: usize,
    /// Its label, as `lstm/lstm_step`.
    pub label: String,
    /// The buffer's name.
    pub buffer: String,
    /// The element's index in the buffer.
    pub index: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} `{}` buffer `{}`[{}]", self.step, self.label, self.buffer, self.index)
    }
}

/// An element on which device and reference disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// Where.
    pub place: Place,
    /// What the device computed.
    pub gpu: f64,
    /// What the reference computed in `f64`.
    pub cpu: f64,
    /// How far apart they may be.
    pub tolerance: f64,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disagreement { place, gpu, cpu, tolerance } = self;
        write!(f, "{place}: gpu {gpu} cpu {cpu}, tolerance {tolerance:.1e}")
    }
}

/// How close one kernel came to its reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closeness {
    /// Steps that ran it.
    pub runs: usize,
    /// Elements compared in the buffers that it wrote.
    pub elements: usize,
    /// Elements that disagree.
    pub disagreements: usize,
    /// The largest absolute difference.
    pub worst_error: f64,
    /// The largest share of its tolerance that an element used; 1 is the bound.
    pub worst_share: f64,
}

impl Closeness {
    fn join(&mut self, other: &Closeness) {
        self.runs += other.runs;
        self.elements += other.elements;
        self.disagreements += other.disagreements;
        self.worst_error = self.worst_error.max(other.worst_error);
        self.worst_share = self.worst_share.max(other.worst_share);
    }
}

/// What [`lockstep`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LockstepReport {
    /// Steps run.
    pub steps: usize,
    /// Written buffers compared, counted once a step.
    pub buffers: usize,
    /// Elements compared.
    pub elements: usize,
    /// The largest share of its tolerance that an element used.
    pub worst_share: f64,
    /// Where that was; none while every element was equal.
    pub worst: Option<Place>,
    /// The first element that disagrees.
    pub disagreement: Option<Disagreement>,
    /// The same for each kernel, by name.
    pub kernels: BTreeMap<&'static str, Closeness>,
}

impl LockstepReport {
    /// Adds what a later run found.
    pub fn join(&mut self, later: LockstepReport) {
        self.steps += later.steps;
        self.buffers += later.buffers;
        self.elements += later.elements;
        if later.worst_share > self.worst_share {
            self.worst_share = later.worst_share;
            self.worst = later.worst;
        }
        self.disagreement = self.disagreement.take().or(later.disagreement);
        for (name, closeness) in &later.kernels {
            self.kernels.entry(name).or_default().join(closeness);
        }
    }

    /// The report, or the first disagreement as an error.
    pub fn agreed(self) -> Result<LockstepReport> {
        match &self.disagreement {
            Some(disagreement) => Err(Error::Disagreement(disagreement.to_string())),
            None => Ok(self),
        }
    }

    fn note(&mut self, kernel: &'static str, place: impl Fn() -> Place, gpu: f64, expected: Tracked) {
        let judged = judge(gpu, expected);
        let closeness = self.kernels.entry(kernel).or_default();
        self.elements += 1;
        closeness.elements += 1;
        if !judged.agrees {
            closeness.disagreements += 1;
            let (cpu, tolerance) = (expected.value, judged.tolerance);
            self.disagreement.get_or_insert_with(|| Disagreement { place: place(), gpu, cpu, tolerance });
        }
        closeness.worst_error = closeness.worst_error.max(judged.error);
        closeness.worst_share = closeness.worst_share.max(judged.share);
        if judged.share > self.worst_share {
            self.worst_share = judged.share;
            self.worst = Some(place());
        }
    }
}

/// One element's comparison.
struct Judged {
    agrees: bool,
    error: f64,
    tolerance: f64,
    share: f64,
}

/// Finite numbers may differ by the derived bound, and by what a device flushes to zero; anything else must be the same. A
/// bound that is infinite or not a number proves nothing, so it fails.
fn judge(gpu: f64, expected: Tracked) -> Judged {
    let Tracked { value, error, .. } = expected;
    let tolerance = error + f32::MIN_POSITIVE as f64;
    // A device that computes in f64 does not overflow yet.
    let gpu = if gpu.abs() > f32::MAX as f64 { f64::INFINITY.copysign(gpu) } else { gpu };
    if !value.is_finite() || !gpu.is_finite() {
        let agrees = gpu == value || (gpu.is_nan() && value.is_nan());
        let error = if agrees { 0.0 } else { f64::INFINITY };
        return Judged { agrees, error, tolerance, share: error };
    }
    let difference = (gpu - value).abs();
    let agrees = difference <= tolerance && tolerance.is_finite();
    let share = if tolerance.is_finite() { difference / tolerance } else { f64::INFINITY };
    Judged { agrees, error: difference, tolerance, share }
}

/// Runs every step of the plan on the device and compares what it wrote with the kernel's reference. `scalars` must be what
/// [`Executor::set_scalars`] was given as number `at`. Buffers keep what earlier runs and writes left in them.
pub fn lockstep(gpu: &mut dyn Executor, plan: &Arc<Plan>, at: usize, scalars: StepScalars) -> Result<LockstepReport> {
    gpu.prepare(plan)?;
    let mut report = LockstepReport::default();
    for number in 0..plan.steps().len() {
        compare_step(gpu, plan, number, at, scalars, &mut report)?;
    }
    Ok(report)
}

/// What a device left in a buffer, by the buffer's number in the plan.
type After = BTreeMap<usize, Memory<f64>>;

fn compare_step(
    gpu: &mut dyn Executor,
    plan: &Arc<Plan>,
    number: usize,
    at: usize,
    scalars: StepScalars,
    report: &mut LockstepReport,
) -> Result<()> {
    let step = &plan.steps()[number];
    let (mut seen, mut expected) = inputs(gpu, plan, step)?;
    gpu.run_step(plan, number, at)?;
    let after = outputs(gpu, plan, step)?;
    report.steps += 1;
    report.buffers += after.len();
    report.kernels.entry(step.kernel.name).or_default().runs += 1;
    let place = |buffer: usize, index: usize| Place {
        step: number,
        label: step.label.clone(),
        buffer: plan.buffers()[buffer].name.clone(),
        index,
    };
    let mut settled: BTreeSet<(usize, usize)> = BTreeSet::new();
    for part in (step.kernel.variants.parts)(&step.params, &step.options) {
        seen.params = part.params;
        let bound = bind(&seen, &shown(&seen), expected.iter_mut().map(|(_, memory)| Lent::Own(memory)));
        Tracked::reference(step.kernel)(&seen.params, &seen.options, Args::new(bound, scalars));
        for (binding, range) in part.settled {
            let slot = seen.slots[binding].range(range);
            settle(&slot, &mut expected, &after, |index, gpu, value| {
                report.note(step.kernel.name, || place(slot.buffer, index), gpu, value);
                settled.insert((slot.buffer, index));
            });
        }
    }
    for (buffer, memory) in &expected {
        match (memory, after.get(buffer)) {
            (Memory::Real(values), Some(Memory::Real(after))) => {
                let open = |index: &usize| !settled.contains(&(*buffer, *index));
                for index in (0..values.len()).filter(open) {
                    report.note(step.kernel.name, || place(*buffer, index), after[index], values[index]);
                }
            }
            (Memory::U32(values), Some(Memory::U32(after))) => {
                for (index, (&gpu, &value)) in after.iter().zip(values).enumerate() {
                    // Integers differ by at least 1, which no tolerance of an exact number allows.
                    report.note(step.kernel.name, || place(*buffer, index), gpu.into(), Tracked::exact(value.into()));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Judges numbers that no later part of a step changes, and goes on with the device's own bits of them.
fn settle(slot: &Slot, expected: &mut Memories, after: &After, mut judge: impl FnMut(usize, f64, Tracked)) {
    let memory = expected.iter_mut().find(|(buffer, _)| *buffer == slot.buffer);
    let (Some((_, Memory::Real(values))), Some(Memory::Real(after))) = (memory, after.get(&slot.buffer)) else {
        return;
    };
    for index in slot.offset..slot.offset + slot.len {
        judge(index, after[index], values[index]);
        values[index] = Tracked::exact(after[index]);
    }
}

/// What the device left in the buffers that a step writes.
fn outputs(gpu: &mut dyn Executor, plan: &Plan, step: &Step) -> Result<After> {
    let read = |buffer: usize| {
        let (spec, place) = (&plan.buffers()[buffer], &plan.place(buffer).name);
        Ok((
            buffer,
            match spec.element {
                Element::Real => Memory::Real(gpu.read(place, 0..spec.len())?),
                Element::U32 => Memory::U32(gpu.read_u32(place, 0..spec.len())?),
            },
        ))
    };
    written(step).into_iter().map(read).collect()
}

/// The buffers that a step writes.
fn written(step: &Step) -> BTreeSet<usize> {
    let bound = step.slots.iter().zip(step.kernel.bindings);
    let results = |access| !matches!(access, Access::Read | Access::Scratch);
    bound.filter(|(_, binding)| results(binding.access)).map(|(slot, _)| slot.buffer).collect()
}

/// What buffers hold, by their number in the plan.
type Memories = Vec<(usize, Memory<Tracked>)>;

/// What a step will see: written buffers whole, so that elements which it must leave alone are compared too, and of the others
/// as much as is bound. The step is returned with its slots moved to where they lie in that.
fn inputs(gpu: &mut dyn Executor, plan: &Plan, step: &Step) -> Result<(Step, Memories)> {
    let written = written(step);
    let used: BTreeSet<usize> = step.slots.iter().map(|slot| slot.buffer).collect();
    let mut seen = step.clone();
    let mut memories = Vec::new();
    for buffer in used {
        let (spec, place) = (&plan.buffers()[buffer], &plan.place(buffer).name);
        let slots = || step.slots.iter().filter(|slot| slot.buffer == buffer);
        let mut range = 0..spec.len();
        if !written.contains(&buffer) {
            range.start = slots().map(|slot| slot.offset).min().unwrap_or(0);
            range.end = slots().map(|slot| slot.offset + slot.len).max().unwrap_or(0);
            seen.slots.iter_mut().filter(|slot| slot.buffer == buffer).for_each(|slot| slot.offset -= range.start);
        }
        let memory = match spec.element {
            Element::Real => Memory::Real(gpu.read(place, range)?.into_iter().map(Tracked::exact).collect()),
            Element::U32 => Memory::U32(gpu.read_u32(place, range)?),
        };
        memories.push((buffer, memory));
    }
    Ok((seen, memories))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_same_agrees_with_a_number_that_is_not_finite() {
        let [one, infinity, nan] = [1.0, f64::INFINITY, f64::NAN].map(Tracked::exact);
        assert!(judge(f64::NAN, nan).agrees && judge(f64::INFINITY, infinity).agrees);
        assert!(!judge(f64::NAN, one).agrees && !judge(f64::INFINITY, one).agrees);
        assert!(!judge(1.0, nan).agrees && !judge(1.0, infinity).agrees);
        assert!(!judge(f64::NEG_INFINITY, infinity).agrees && !judge(f64::NAN, infinity).agrees);
    }

    #[test]
    fn a_bound_that_is_not_finite_proves_nothing() {
        let zero_or_less = Tracked::exact(1.0) / (Tracked::constant(0.1) - Tracked::constant(0.1));
        assert!(!judge(1.0, zero_or_less).agrees);
        let mut one = Tracked::exact(1.0);
        for error in [f64::NAN, f64::INFINITY] {
            one.error = error;
            assert!(!judge(1.0, one).agrees);
        }
    }

    #[test]
    fn exact_numbers_may_differ_by_no_more_than_a_device_flushes() {
        assert!(judge(0.0, Tracked::exact(1e-39)).agrees);
        assert!(!judge(1.0, Tracked::exact(1.0 + f64::EPSILON)).agrees);
    }
}
