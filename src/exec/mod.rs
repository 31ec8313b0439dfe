//! Executors: what keeps a plan's buffers and runs its steps. The GPU's and the CPU's run the same plans.

mod adapters;
mod apart;
mod cache;
mod ceilings;
mod cooperative;
mod cpu;
mod device;
mod environment;
mod gpu;
mod lending;
pub mod lockstep;
mod pipelines;
pub mod profile;
mod read_back;
mod reading;
mod submissions;
mod timestamps;
mod tuning;
mod variants;

use std::ops::Range;
use std::sync::Arc;

pub use adapters::{AdapterSummary, adapters, best_gpu, why_cpu};
pub use ceilings::Ceilings;
pub use cpu::CpuExecutor;
pub use device::{Device, DeviceOptions, Gpu};
pub use environment::prepare_environment;
pub use gpu::{GpuExecutor, MAX_SCALARS};
pub use reading::{ReadPart, Reading, Values};
pub use tuning::{Choices, Tuned, forget, tune};

use self::reading::Progress;
use crate::error::{Error, Result};
use crate::kernels::{Element, StepScalars};
use crate::plan::{BufferSpec, Limits, Plan};

/// What an executor has done so far; training steps must leave all but `dispatches` and `submissions` as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Buffers created.
    pub allocations: u64,
    /// Bytes written by the host.
    pub bytes_in: u64,
    /// Bytes read back by the host.
    pub bytes_out: u64,
    /// Kernels run.
    pub dispatches: u64,
    /// Command buffers submitted.
    pub submissions: u64,
    /// Pipelines created.
    pub pipelines: u64,
}

/// Refuses values that are not what a buffer was declared to hold.
fn check_content(spec: &BufferSpec, element: Element, len: usize) -> Result<()> {
    if spec.element == element && spec.len() == len {
        return Ok(());
    }
    let words = |element| if element == Element::Real { "real numbers" } else { "integers" };
    Err(Error::usage(format!(
        "the buffer `{}` holds {} {}, not {len} {}",
        spec.name,
        spec.len(),
        words(spec.element),
        words(element)
    )))
}

/// Refuses real numbers that do not lie within a buffer.
fn check_part(spec: &BufferSpec, first: usize, len: usize) -> Result<()> {
    let end = first.saturating_add(len);
    match spec.element == Element::Real && end <= spec.len() {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "real numbers {first}..{end} are not within the buffer `{}` of {} elements",
            spec.name,
            spec.len()
        ))),
    }
}

/// Refuses runs with scalars that were not set.
fn check_scalars(range: &Range<usize>, set: usize) -> Result<()> {
    match range.end <= set {
        true => Ok(()),
        false => Err(Error::usage(format!("runs with the scalars {range:?}, but {set} were set"))),
    }
}

/// Refuses a step that the plan does not have.
fn check_step(plan: &Plan, step: usize) -> Result<()> {
    match step < plan.steps().len() {
        true => Ok(()),
        false => Err(Error::usage(format!("runs step {step} of a plan of {}", plan.steps().len()))),
    }
}

/// A run of a plan that has nothing to do with others, and what to read of the real numbers that it leaves.
pub struct Apart<'a> {
    /// The plan.
    pub plan: &'a Arc<Plan>,
    /// The number of its scalars.
    pub at: usize,
    /// Buffers, and the elements of each.
    pub wanted: Vec<(&'a str, Range<usize>)>,
}

impl Apart<'_> {
    /// Runs it after all that was run before.
    fn alone(&self, executor: &mut (impl Executor + ?Sized)) -> Result<Vec<Vec<f64>>> {
        executor.run(self.plan, self.at..self.at + 1)?;
        self.wanted.iter().map(|(name, range)| executor.read(name, range.clone())).collect()
    }
}

/// Keeps buffers by name and runs plans on them.
pub trait Executor: Send {
    /// What plans for this executor must keep within.
    fn limits(&self) -> Limits;

    /// Creates what the plan needs, so that running it allocates nothing.
    fn prepare(&mut self, plan: &Arc<Plan>) -> Result<()>;

    /// Makes these the scalars of the next training steps.
    fn set_scalars(&mut self, scalars: &[StepScalars]) -> Result<()>;

    /// Runs the plan once for each of the scalars `range`, in order.
    fn run(&mut self, plan: &Arc<Plan>, range: Range<usize>) -> Result<()>;

    /// Runs plans once each and reads what is wanted of each before its buffers are used again; several at once where the executor can.
    fn run_apart(&mut self, runs: &[Apart<'_>]) -> Result<Vec<Vec<Vec<f64>>>> {
        runs.iter().map(|run| run.alone(self)).collect()
    }

    /// Runs one step of the plan with scalars `at`.
    fn run_step(&mut self, plan: &Arc<Plan>, step: usize, at: usize) -> Result<()>;

    /// Runs the plan once with scalars `at`, and tells when each of its steps began and ended, in seconds from a moment of the device's
    /// own. Slower than [`Executor::run`]: steps do not overlap, and the last is waited for.
    fn run_timed(&mut self, plan: &Arc<Plan>, at: usize) -> Result<Vec<(f64, f64)>>;

    /// What was measured, where this is a [`profile::Profiler`].
    fn profile(&self) -> Option<&profile::Profile> {
        None
    }

    /// Writes a buffer whole, creating it, or creating it anew where its size differs.
    fn write(&mut self, spec: &BufferSpec, values: &[f32]) -> Result<()> {
        check_content(spec, Element::Real, values.len())?;
        self.write_part(spec, 0, values)
    }

    /// Writes elements from `first` on, after everything that was run; creates the buffer as [`Executor::write`] does.
    fn write_part(&mut self, spec: &BufferSpec, first: usize, values: &[f32]) -> Result<()>;

    /// Writes a buffer of integers whole.
    fn write_u32(&mut self, spec: &BufferSpec, values: &[u32]) -> Result<()>;

    /// Gives back the memory of a buffer, where there is one. A plan that needs it does not run before it is written again.
    fn release(&mut self, name: &str);

    /// Whether its buffers are in the host's memory, where data are already.
    fn is_in_host_memory(&self) -> bool {
        false
    }

    /// Every buffer that there is, by name, and its bytes.
    fn sizes(&self) -> Vec<(&str, usize)>;

    /// Reads elements of a buffer, after everything that was run.
    fn read(&mut self, name: &str, range: Range<usize>) -> Result<Vec<f64>>;

    /// The same for integers.
    fn read_u32(&mut self, name: &str, range: Range<usize>) -> Result<Vec<u32>>;

    /// Begins to read parts of buffers as they are after everything that was run; more may be run before [`Executor::end_read`].
    fn begin_read(&mut self, wanted: &[ReadPart<'_>]) -> Result<Reading> {
        let mut read = |ReadPart { name, range, element }: &ReadPart<'_>| match element {
            Element::Real => self.read(name, range.clone()).map(Values::Real),
            Element::U32 => self.read_u32(name, range.clone()).map(Values::U32),
        };
        Ok(Reading(Progress::Done(wanted.iter().map(&mut read).collect::<Result<_>>()?)))
    }

    /// What was to be read, in the order in which it was wanted.
    fn end_read(&mut self, reading: Reading) -> Result<Vec<Values>> {
        match reading.0 {
            Progress::Done(values) => Ok(values),
            Progress::OnDevice(_) => Err(Error::usage("another executor began to read this")),
        }
    }

    /// What has been done so far.
    fn counters(&self) -> Counters;

    /// Which variants computed the kernels of this run, where there is a choice.
    fn choices(&self) -> Option<Choices> {
        None
    }

    /// Computes kernels by what computed them in an earlier run, on an adapter and driver that are the same.
    fn set_choices(&mut self, choices: Choices) {
        let _ = choices;
    }
}
