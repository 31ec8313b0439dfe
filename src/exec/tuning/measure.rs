//! How long each variant of a step takes, on buffers of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::pipelines::Wanted;
use super::super::{Counters, Executor, Gpu, GpuExecutor, MAX_SCALARS};
use crate::error::{Error, Result};
use crate::kernels::{Access, Element, StepScalars};
use crate::plan::{BufferSpec, Plan, Step};

/// How long one measurement should take, and how many there are.
const SPAN: Duration = Duration::from_millis(2);
const REPEATS: usize = 3;
/// A variant that takes so many times as long as the fastest so far is not measured any further.
const HOPELESS: u32 = 3;
/// Most memory that measuring may take beside what training needs.
const MOST_BYTES: usize = 512 << 20;
/// How much faster than the table's variant another must be, so that chance alone does not choose.
const MARGIN: f64 = 0.97;

/// The time of one run by each of these variants.
pub(super) fn variants(gpu: &Gpu, step: &Step, numbers: &[usize]) -> Result<Vec<(usize, Duration)>> {
    let bytes: usize = step.slots.iter().map(|slot| 4 * slot.len).sum();
    if bytes > MOST_BYTES {
        return Err(Error::Device(format!("measuring `{}` would take {} MiB", step.label, bytes >> 20)));
    }
    let pipelines: Vec<Wanted> = numbers.iter().flat_map(|&number| Wanted::of(step, number)).collect();
    gpu.create_pipelines(&pipelines, &mut Counters::default())?;
    let mut executor = GpuExecutor::new(gpu)?;
    let plan = Arc::new(alone(step, &mut executor)?);
    executor.set_scalars(&[StepScalars { step: 1, ..StepScalars::default() }; MAX_SCALARS])?;
    let mut times: Vec<(usize, Duration)> = Vec::new();
    for &number in numbers {
        executor.insist(step.kernel.name, number);
        let fastest = times.iter().map(|&(_, time)| time).min();
        times.push((number, time(&mut executor, &plan, fastest)?));
    }
    Ok(times)
}

/// The number of the fastest; the table's unless another is clearly faster.
pub(super) fn fastest(times: &[(usize, Duration)], preferred: usize) -> usize {
    let of_preferred = times.iter().find(|&&(number, _)| number == preferred).map_or(f64::MAX, |t| t.1.as_secs_f64());
    match times.iter().min_by_key(|&&(_, time)| time) {
        Some(&(number, time)) if time.as_secs_f64() < MARGIN * of_preferred => number,
        _ => preferred,
    }
}

/// The step by itself, each slot a buffer of its own. Inputs hold numbers of an ordinary size: zeros would switch masked parts off.
fn alone(step: &Step, executor: &mut GpuExecutor) -> Result<Plan> {
    let mut plan = Plan::new(executor.limits());
    let mut slots = Vec::new();
    for (slot, binding) in step.slots.iter().zip(step.kernel.bindings) {
        let spec = BufferSpec { element: binding.element, ..BufferSpec::persistent(binding.name, &[slot.len]) };
        slots.push(plan.persistent(&spec));
        match (binding.element, binding.access) {
            (Element::Real, Access::Read | Access::ReadWrite) => executor.write(&spec, &vec![0.5; slot.len])?,
            (Element::Real, Access::Write | Access::Scratch) | (Element::U32, _) => {}
        }
    }
    let slots: Vec<_> = slots.iter().collect();
    plan.push(step.kernel, &step.params, step.options.clone(), &slots, step.grid);
    plan.finish()
}

/// The least of several measurements.
fn time(executor: &mut GpuExecutor, plan: &Arc<Plan>, fastest: Option<Duration>) -> Result<Duration> {
    let written = plan.steps()[0].kernel.bindings.iter().find(|binding| binding.access != Access::Read);
    let mut of_runs = |runs: usize| -> Result<Duration> {
        let began = Instant::now();
        executor.run(plan, 0..runs)?;
        // Reading back waits for all that was run.
        match written {
            Some(binding) if binding.element == Element::Real => executor.read(binding.name, 0..1).map(drop)?,
            Some(binding) => executor.read_u32(binding.name, 0..1).map(drop)?,
            None => {}
        }
        Ok(began.elapsed())
    };
    of_runs(1)?; // compiles
    let once = of_runs(1)?.min(of_runs(1)?);
    if fastest.is_some_and(|fastest| once > HOPELESS * fastest.max(SPAN / 10)) {
        return Ok(once);
    }
    let runs = (SPAN.as_secs_f64() / once.as_secs_f64().max(1e-9)).clamp(1.0, MAX_SCALARS as f64) as usize;
    let mut least = once;
    for _ in 0..REPEATS {
        least = least.min(of_runs(runs)? / runs as u32);
    }
    Ok(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides_where_times_are_close() {
        let times = |ms: [u64; 3]| ms.map(Duration::from_millis).into_iter().enumerate().collect::<Vec<_>>();
        assert_eq!(fastest(&times([100, 99, 120]), 0), 0);
        assert_eq!(fastest(&times([100, 50, 120]), 0), 1);
        assert_eq!(fastest(&times([100, 50, 120]), 1), 1);
        assert_eq!(fastest(&[], 2), 2);
    }
}
