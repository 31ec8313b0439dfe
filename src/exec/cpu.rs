//! The CPU executor: every step calls its kernel's reference, or what does the same faster.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::apart::{Lane, Lanes, leaves_nothing};
use super::lending::{Lent, Memory, Shown, bind, shown};
use super::{Apart, Counters, Executor, check_content, check_part, check_scalars, check_step};
use crate::error::{Error, Result};
use crate::kernels::fast::Workers;
use crate::kernels::{Args, Element, KernelInfo, Options, Precision, Real, StepScalars};
use crate::plan::{BufferSpec, Limits, Plan, Role, Step};

/// How a kernel is computed.
type Compute<T> = Box<dyn Fn(&KernelInfo, &[u8], &Options, Args<'_, T>) + Send + Sync>;

/// Compiled plans that are kept.
const PLANS: usize = 16;

/// Multiplications and additions that the caller does alone: waking two sleeping threads takes about as long.
const NARROW: f64 = 3e7;

/// Where the slots of a plan's steps lie.
struct Compiled {
    plan: u64,
    /// Multiplications and additions of a run.
    flops: f64,
    steps: Vec<Vec<Shown>>,
}

/// Runs plans on the CPU: with the kernels' references in `T`, `f64` as the truth, or as fast as it goes in `f32`.
pub struct CpuExecutor<T: Real> {
    compute: Compute<T>,
    precision: Precision,
    workers: Workers,
    lanes: Lanes<T>,
    memory: Vec<Memory<T>>,
    /// Where in `memory` a buffer lies, by its name.
    places: HashMap<String, usize>,
    compiled: VecDeque<Compiled>,
    scalars: Vec<StepScalars>,
    counters: Counters,
    /// What times are counted from.
    origin: Instant,
}

impl<T: Real> Default for CpuExecutor<T> {
    fn default() -> Self {
        Self::computing(Box::new(|kernel, params, options, args| T::reference(kernel)(params, options, args)))
    }
}

impl CpuExecutor<f32> {
    /// An executor without buffers that computes as fast as it can, on all cores.
    pub fn fast() -> Self {
        Self::fast_on(Workers::shared())
    }

    /// The same on these threads.
    pub(crate) fn fast_on(workers: Workers) -> Self {
        let of_kernels = workers.clone();
        let compute: Compute<f32> =
            Box::new(move |kernel, params, options, args| (kernel.fast_f32)(params, options, args, &of_kernels));
        CpuExecutor { workers, lanes: Lanes::shared(), ..Self::computing(compute) }
    }
}

impl<T: Real> CpuExecutor<T> {
    /// An executor without buffers that computes the kernels' references.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with matrix products of this precision.
    pub fn in_precision(self, precision: Precision) -> Self {
        CpuExecutor { precision, ..self }
    }

    fn computing(compute: Compute<T>) -> Self {
        CpuExecutor {
            compute,
            precision: Precision::F32,
            workers: Workers::default(),
            lanes: Lanes::alone(),
            memory: Vec::new(),
            places: HashMap::new(),
            compiled: VecDeque::new(),
            scalars: vec![StepScalars::default()],
            counters: Counters::default(),
            origin: Instant::now(),
        }
    }

    fn ensure(&mut self, spec: &BufferSpec, exact: bool) -> Result<()> {
        let fits = |have: usize| if exact { have == spec.len() } else { have >= spec.len() };
        let holds = |m: &Memory<T>| fits(m.len()) && matches!(m, Memory::Real(_)) == (spec.element == Element::Real);
        let place = self.places.get(&spec.name).copied();
        if let (Some(place), false) = (place, exact)
            && !fits(self.memory[place].len())
        {
            refuse_growth(spec, self.memory[place].len())?;
        }
        if place.is_some_and(|place| holds(&self.memory[place])) {
            return Ok(());
        }
        self.counters.allocations += 1;
        let memory = Memory::new(spec);
        match place {
            Some(place) => self.memory[place] = memory,
            None => {
                self.places.insert(spec.name.clone(), self.memory.len());
                self.memory.push(memory);
            }
        }
        Ok(())
    }

    /// Makes the compiled form of a plan the last in the queue, and all its buffers.
    fn compile(&mut self, plan: &Plan) -> Result<()> {
        plan.memory().places.iter().try_for_each(|spec| self.ensure(spec, false))?;
        if let Some(found) = self.compiled.iter().position(|c| c.plan == plan.id()) {
            if found + 1 != self.compiled.len()
                && let Some(compiled) = self.compiled.remove(found)
            {
                self.compiled.push_back(compiled);
            }
            return Ok(());
        }
        // A buffer keeps its place, so that this stays true when it is made anew.
        let placed = |shown: Shown| Shown { memory: self.places[&plan.place(shown.memory).name], ..shown };
        let steps = plan.steps().iter().map(|step| shown(step).into_iter().map(placed).collect()).collect();
        let flops: f64 = plan.steps().iter().map(Step::flops).sum();
        self.compiled.push_back(Compiled { plan: plan.id(), flops, steps });
        if self.compiled.len() > PLANS {
            self.compiled.pop_front();
        }
        Ok(())
    }

    fn compiled(&self, plan: &Plan) -> Option<&Compiled> {
        self.compiled.iter().find(|compiled| compiled.plan == plan.id())
    }

    /// Runs a plan in a lane, and reads what is wanted of what it leaves there.
    fn run_in(&self, lane: &mut Lane<T>, run: &Apart<'_>) -> Result<Vec<Vec<f64>>> {
        let compiled = self.compiled(run.plan).ok_or_else(|| Error::usage("a plan that was not compiled"))?;
        for (step, shown) in run.plan.steps().iter().zip(&compiled.steps) {
            // As in `step`, but what the plan does not own is only read.
            let take = |shown: &Shown| {
                let memory = lane.0.get_mut(shown.memory)?;
                (memory.len() > 0).then(|| std::mem::replace(memory, Memory::U32(Vec::new())))
            };
            let mut taken: Vec<Option<Memory<T>>> = shown.iter().map(take).collect();
            let lent = shown.iter().zip(&mut taken).map(|(shown, own)| match own {
                Some(memory) => Lent::Own(memory),
                None => Lent::Shared(&self.memory[shown.memory]),
            });
            let args = Args::new(bind(step, shown, lent), self.scalars[run.at]);
            (self.compute)(step.kernel, &step.params, &step.options, args);
            for (shown, memory) in shown.iter().zip(taken) {
                if let Some(memory) = memory {
                    lane.0[shown.memory] = memory;
                }
            }
        }
        run.wanted
            .iter()
            .map(|(name, range)| read(self.places.get(*name).map(|&place| &lane.0[place]), name, range))
            .collect()
    }

    /// Runs a step of the last compiled plan.
    fn step(&mut self, plan: &Plan, number: usize, scalars: StepScalars) {
        let Some(compiled) = self.compiled.back() else { return };
        let (step, shown) = (&plan.steps()[number], &compiled.steps[number]);
        self.counters.dispatches += 1;
        // Taken out while the step runs, so that several of them can be borrowed at once.
        let take = |shown: &Shown| std::mem::replace(&mut self.memory[shown.memory], Memory::U32(Vec::new()));
        let mut taken: Vec<Memory<T>> = shown.iter().map(take).collect();
        let args = Args::new(bind(step, shown, taken.iter_mut().map(Lent::Own)), scalars);
        (self.compute)(step.kernel, &step.params, &step.options, args);
        shown.iter().zip(taken).for_each(|(shown, memory)| self.memory[shown.memory] = memory);
    }
}

impl<T: Real> Executor for CpuExecutor<T> {
    fn limits(&self) -> Limits {
        Limits { precision: self.precision, ..Limits::NONE }
    }

    fn prepare(&mut self, plan: &Arc<Plan>) -> Result<()> {
        self.compile(plan)
    }

    fn set_scalars(&mut self, scalars: &[StepScalars]) -> Result<()> {
        self.scalars = scalars.to_vec();
        Ok(())
    }

    fn run(&mut self, plan: &Arc<Plan>, range: Range<usize>) -> Result<()> {
        check_scalars(&range, self.scalars.len())?;
        self.compile(plan)?;
        let (workers, wide) =
            (self.workers.clone(), self.compiled.back().map_or(0.0, |c| c.flops) * range.len() as f64 > NARROW);
        let mut run = || {
            for at in range.clone() {
                let scalars = self.scalars[at];
                (0..plan.steps().len()).for_each(|step| self.step(plan, step, scalars));
            }
        };
        match wide {
            true => workers.enter(run),
            false => run(),
        }
        Ok(())
    }

    fn run_step(&mut self, plan: &Arc<Plan>, step: usize, at: usize) -> Result<()> {
        check_scalars(&(at..at + 1), self.scalars.len())?;
        check_step(plan, step)?;
        self.compile(plan)?;
        self.workers.clone().enter(|| self.step(plan, step, self.scalars[at]));
        Ok(())
    }

    fn run_apart(&mut self, runs: &[Apart<'_>]) -> Result<Vec<Vec<Vec<f64>>>> {
        let lanes = self.lanes.threads().min(runs.len());
        if lanes < 2 || !runs.iter().all(|run| leaves_nothing(run.plan)) {
            return runs.iter().map(|run| run.alone(self)).collect();
        }
        for run in runs {
            check_scalars(&(run.at..run.at + 1), self.scalars.len())?;
            self.compile(run.plan)?;
            self.counters.allocations += self.lanes.make_room(lanes, run.plan, &self.places);
        }
        let mut in_lanes = std::mem::replace(&mut self.lanes, Lanes::alone());
        let given = in_lanes.each(lanes, runs.len(), |lane, run| self.run_in(lane, &runs[run]));
        self.lanes = in_lanes;
        let given = given.into_iter().collect::<Result<Vec<_>>>()?;
        self.counters.dispatches += runs.iter().map(|run| run.plan.steps().len() as u64).sum::<u64>();
        self.counters.bytes_out += 4 * given.iter().flatten().map(|values| values.len() as u64).sum::<u64>();
        Ok(given)
    }

    fn run_timed(&mut self, plan: &Arc<Plan>, at: usize) -> Result<Vec<(f64, f64)>> {
        check_scalars(&(at..at + 1), self.scalars.len())?;
        self.compile(plan)?;
        let origin = self.origin;
        let now = || origin.elapsed().as_secs_f64();
        let workers = self.workers.clone();
        let timed = |step| {
            let began = now();
            self.step(plan, step, self.scalars[at]);
            (began, now())
        };
        Ok(workers.enter(|| (0..plan.steps().len()).map(timed).collect()))
    }

    fn write_part(&mut self, spec: &BufferSpec, first: usize, values: &[f32]) -> Result<()> {
        check_part(spec, first, values.len())?;
        self.ensure(spec, true)?;
        self.counters.bytes_in += 4 * values.len() as u64;
        let place = self.places.get(&spec.name).copied();
        if let Some(Memory::Real(memory)) = place.and_then(|place| self.memory.get_mut(place)) {
            memory[first..].iter_mut().zip(values).for_each(|(m, &v)| *m = T::of(v));
        }
        Ok(())
    }

    fn write_u32(&mut self, spec: &BufferSpec, values: &[u32]) -> Result<()> {
        check_content(spec, Element::U32, values.len())?;
        self.ensure(spec, true)?;
        self.counters.bytes_in += 4 * values.len() as u64;
        let place = self.places.get(&spec.name).copied();
        if let Some(Memory::U32(memory)) = place.and_then(|place| self.memory.get_mut(place)) {
            memory.iter_mut().zip(values).for_each(|(m, &v)| *m = v);
        }
        Ok(())
    }

    fn release(&mut self, name: &str) {
        // It keeps its place, which compiled plans know.
        if let Some(&place) = self.places.get(name) {
            self.memory[place] = match self.memory[place] {
                Memory::Real(_) => Memory::Real(Vec::new()),
                Memory::U32(_) => Memory::U32(Vec::new()),
            };
        }
    }

    fn is_in_host_memory(&self) -> bool {
        true
    }

    fn sizes(&self) -> Vec<(&str, usize)> {
        let bytes = |memory: &Memory<T>| match memory {
            Memory::Real(values) => size_of_val(values.as_slice()),
            Memory::U32(values) => size_of_val(values.as_slice()),
        };
        self.places.iter().map(|(name, &place)| (name.as_str(), bytes(&self.memory[place]))).collect()
    }

    fn read(&mut self, name: &str, range: Range<usize>) -> Result<Vec<f64>> {
        self.counters.bytes_out += 4 * range.len() as u64;
        read(self.places.get(name).map(|&place| &self.memory[place]), name, &range)
    }

    fn read_u32(&mut self, name: &str, range: Range<usize>) -> Result<Vec<u32>> {
        self.counters.bytes_out += 4 * range.len() as u64;
        match self.places.get(name).map(|&place| &self.memory[place]) {
            Some(Memory::U32(values)) if range.end <= values.len() => Ok(values[range].to_vec()),
            _ => Err(missing(name, range)),
        }
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

/// A plan may find a buffer larger than it needs, but must not empty one whose content outlives it to make it larger.
pub(super) fn refuse_growth(spec: &BufferSpec, len: usize) -> Result<()> {
    match spec.role {
        Role::Activation => Ok(()),
        Role::Persistent => Err(Error::Device(format!(
            "the buffer `{}` holds {len} numbers, but a plan needs {}: write it whole first",
            spec.name,
            spec.len()
        ))),
    }
}

fn read<T: Real>(memory: Option<&Memory<T>>, name: &str, range: &Range<usize>) -> Result<Vec<f64>> {
    match memory {
        Some(Memory::Real(values)) if range.end <= values.len() => {
            Ok(values[range.clone()].iter().map(|v| v.to_f64()).collect())
        }
        _ => Err(missing(name, range.clone())),
    }
}

pub(super) fn missing(name: &str, range: Range<usize>) -> Error {
    Error::Device(format!("no buffer `{name}` with elements {range:?}; run a plan that uses it first"))
}
