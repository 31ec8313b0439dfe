//! Where the time of training goes: every step of every plan timed, kernel by kernel.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Choices, Counters, Executor};
use crate::error::Result;
use crate::kernels::StepScalars;
use crate::plan::{BufferSpec, Limits, Plan};

/// Steps that are kept one by one.
const SPANS: usize = 20_000;

/// One run of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The step's label, as `lstm/matmul`.
    pub label: String,
    /// The kernel's name.
    pub kernel: &'static str,
    /// Which run of a plan it belongs to, from 0.
    pub run: usize,
    /// Seconds from the first span's beginning.
    pub start: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// What one kernel took in all its runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelTime {
    /// Steps that ran it.
    pub runs: usize,
    /// Seconds of all.
    pub seconds: f64,
    /// Bytes that were bound in all.
    pub bytes: u64,
    /// Multiplications and additions of matrix products in all.
    pub flops: f64,
}

impl KernelTime {
    /// Bytes a second, in 1e9.
    pub fn gigabytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds / 1e9
    }

    /// Operations a second, in 1e9, of a kernel whose work is matrix products.
    pub fn gigaflops(&self) -> Option<f64> {
        (self.flops > 0.0).then(|| self.flops / self.seconds / 1e9)
    }
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Runs of plans.
    pub runs: usize,
    /// Seconds from each run's first step to the end of its last, together.
    pub seconds: f64,
    /// By kernel.
    pub kernels: BTreeMap<&'static str, KernelTime>,
    /// The first steps one by one.
    pub spans: Vec<Span>,
    origin: Option<f64>,
}

impl Profile {
    /// Kernels, the one that took most time first.
    pub fn by_time(&self) -> Vec<(&'static str, &KernelTime)> {
        let mut kernels: Vec<_> = self.kernels.iter().map(|(&name, time)| (name, time)).collect();
        kernels.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
        kernels
    }

    /// The spans as a trace that chrome://tracing, Perfetto and Firefox's profiler open (Trace Event Format, complete events, in
    /// microseconds).
    pub fn chrome_trace(&self) -> Value {
        let event = |span: &Span| {
            json!({
                "name": span.label, "cat": span.kernel, "ph": "X", "pid": 1, "tid": 1,
                "ts": 1e6 * span.start, "dur": 1e6 * span.seconds, "args": { "kernel": span.kernel, "run": span.run },
            })
        };
        json!({ "displayTimeUnit": "ms", "traceEvents": self.spans.iter().map(event).collect::<Vec<_>>() })
    }

    fn add(&mut self, plan: &Plan, times: &[(f64, f64)]) {
        let (Some(&(first, _)), Some(&(_, last))) = (times.first(), times.last()) else { return };
        let origin = *self.origin.get_or_insert(first);
        for (step, &(start, end)) in plan.steps().iter().zip(times) {
            let seconds = (end - start).max(0.0);
            let kernel = self.kernels.entry(step.kernel.name).or_default();
            kernel.runs += 1;
            kernel.seconds += seconds;
            kernel.bytes += step.bytes();
            kernel.flops += step.flops();
            if self.spans.len() < SPANS {
                let (label, kernel, start) = (step.label.clone(), step.kernel.name, start - origin);
                self.spans.push(Span { label, kernel, run: self.runs, start, seconds });
            }
        }
        self.runs += 1;
        self.seconds += (last - first).max(0.0);
    }
}

/// An executor that times every step that it runs.
pub struct Profiler {
    inner: Box<dyn Executor>,
    profile: Profile,
}

impl Profiler {
    /// Nothing measured yet.
    pub fn new(inner: Box<dyn Executor>) -> Self {
        Profiler { inner, profile: Profile::default() }
    }
}

impl Executor for Profiler {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn prepare(&mut self, plan: &Arc<Plan>) -> Result<()> {
        self.inner.prepare(plan)
    }

    fn set_scalars(&mut self, scalars: &[StepScalars]) -> Result<()> {
        self.inner.set_scalars(scalars)
    }

    fn run(&mut self, plan: &Arc<Plan>, range: Range<usize>) -> Result<()> {
        for at in range {
            self.run_timed(plan, at)?;
        }
        Ok(())
    }

    fn run_step(&mut self, plan: &Arc<Plan>, step: usize, at: usize) -> Result<()> {
        self.inner.run_step(plan, step, at)
    }

    fn run_timed(&mut self, plan: &Arc<Plan>, at: usize) -> Result<Vec<(f64, f64)>> {
        let times = self.inner.run_timed(plan, at)?;
        self.profile.add(plan, &times);
        Ok(times)
    }

    fn profile(&self) -> Option<&Profile> {
        Some(&self.profile)
    }

    fn write_part(&mut self, spec: &BufferSpec, first: usize, values: &[f32]) -> Result<()> {
        self.inner.write_part(spec, first, values)
    }

    fn write_u32(&mut self, spec: &BufferSpec, values: &[u32]) -> Result<()> {
        self.inner.write_u32(spec, values)
    }

    fn release(&mut self, name: &str) {
        self.inner.release(name);
    }

    fn is_in_host_memory(&self) -> bool {
        self.inner.is_in_host_memory()
    }

    fn sizes(&self) -> Vec<(&str, usize)> {
        self.inner.sizes()
    }

    fn read(&mut self, name: &str, range: Range<usize>) -> Result<Vec<f64>> {
        self.inner.read(name, range)
    }

    fn read_u32(&mut self, name: &str, range: Range<usize>) -> Result<Vec<u32>> {
        self.inner.read_u32(name, range)
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }

    fn choices(&self) -> Option<Choices> {
        self.inner.choices()
    }

    fn set_choices(&mut self, choices: Choices) {
        self.inner.set_choices(choices);
    }
}
