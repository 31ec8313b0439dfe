//! Every kernel on random cases, against its reference.

mod case;
mod cases;
mod draw;

use std::time::{Duration, Instant};

use case::Builder;
pub use case::Case;
use draw::Draw;

use crate::error::{Error, Result};
use crate::exec::lockstep::{Disagreement, lockstep};
use crate::exec::{Executor, Gpu, GpuExecutor};
use crate::kernels::{Access, Element, KernelInfo};
use crate::plan::Step;

/// Large cases among which one is looked for that a variant fits.
const LARGE_CASES: usize = 32;

/// How one kernel did on a device.
#[derive(Clone, Debug)]
pub struct KernelReport {
    /// The kernel.
    pub name: &'static str,
    /// The variant that computed it; of a kernel with one, and on a CPU, `main`.
    pub variant: &'static str,
    /// Cases run.
    pub cases: usize,
    /// Elements compared.
    pub elements: usize,
    /// The largest absolute difference.
    pub worst_error: f64,
    /// The largest share of its tolerance that an element used; 1 is the bound.
    pub worst_share: f64,
    /// The first element that disagrees, and the number of the case.
    pub disagreement: Option<(usize, Disagreement)>,
    /// How fast it is.
    pub timing: Timing,
}

/// How fast a kernel is, on one large case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// How long one run takes.
    pub time_per_run: Duration,
    /// Bytes bound in that run.
    pub bytes: u64,
    /// Floating-point operations of that run, for kernels that they bound.
    pub flops: Option<f64>,
}

impl Timing {
    /// Bytes a second of the large run, in 1e9.
    pub fn gigabytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.time_per_run.as_secs_f64() / 1e9
    }

    /// Floating-point operations a second of the large run, in 1e9.
    pub fn gigaflops(&self) -> Option<f64> {
        self.flops.map(|flops| flops / self.time_per_run.as_secs_f64() / 1e9)
    }
}

impl KernelReport {
    /// The report, or the first disagreement as an error.
    pub fn agreed(self) -> Result<KernelReport> {
        match &self.disagreement {
            Some((case, disagreement)) => {
                let KernelReport { name, variant, .. } = self;
                Err(Error::Disagreement(format!("kernel `{name}` ({variant}), case {case}: {disagreement}")))
            }
            None => Ok(self),
        }
    }
}

/// Runs every variant of these kernels on this GPU. Those that disagree are in the reports, as [`KernelReport::disagreement`].
pub fn verify_kernels(
    device: &Gpu,
    kernels: &[&'static KernelInfo],
    seed: u64,
    cases_per_kernel: usize,
) -> Result<Vec<KernelReport>> {
    let mut executor = GpuExecutor::new(device)?;
    let of_kernel = |kernel: &&'static KernelInfo| verify_variants(&mut executor, kernel, seed, cases_per_kernel);
    let reports: Vec<Vec<KernelReport>> = kernels.iter().map(of_kernel).collect::<Result<_>>()?;
    Ok(reports.into_iter().flatten().collect())
}

/// Runs a kernel on a GPU, once for each of its variants that fits, or for the one that the device was told to take.
pub fn verify_variants(
    executor: &mut GpuExecutor,
    kernel: &'static KernelInfo,
    seed: u64,
    cases: usize,
) -> Result<Vec<KernelReport>> {
    let mut reports = Vec::new();
    let gpu = executor.gpu().clone();
    let wanted = |number: usize| gpu.forced(kernel.name).is_none_or(|forced| forced == number);
    for (number, variant) in kernel.variants.all.iter().enumerate().filter(|(number, _)| wanted(*number)) {
        executor.insist(kernel.name, number);
        let fits = |case: &Case| case.plan.steps().iter().any(|step| gpu.fits(step, number));
        let report = verify_fitting(executor, kernel, seed, cases, fits)?;
        if report.cases > 0 {
            reports.push(KernelReport { variant: variant.name, ..report });
        }
    }
    Ok(reports)
}

/// Runs one kernel on a device: at least `cases`, and at least one for every combination of its options.
pub fn verify_kernel(
    executor: &mut dyn Executor,
    kernel: &'static KernelInfo,
    seed: u64,
    cases: usize,
) -> Result<KernelReport> {
    verify_fitting(executor, kernel, seed, cases, |_| true)
}

fn verify_fitting(
    executor: &mut dyn Executor,
    kernel: &'static KernelInfo,
    seed: u64,
    cases: usize,
    fits: impl Fn(&Case) -> bool,
) -> Result<KernelReport> {
    let mut report = KernelReport {
        name: kernel.name,
        variant: kernel.variants.all[0].name,
        cases: 0,
        elements: 0,
        worst_error: 0.0,
        worst_share: 0.0,
        disagreement: None,
        timing: Timing::default(),
    };
    for number in 0..cases.max(kernel.all_options().len()) {
        let case = self::case(kernel, seed, number)?;
        if !fits(&case) {
            continue;
        }
        case.load(executor)?;
        let found = lockstep(executor, &case.plan, 0, case.scalars)?;
        report.cases += 1;
        report.elements += found.elements;
        if let Some(closeness) = found.kernels.get(kernel.name) {
            report.worst_error = report.worst_error.max(closeness.worst_error);
            report.worst_share = report.worst_share.max(closeness.worst_share);
        }
        report.disagreement = report.disagreement.or(found.disagreement.map(|d| (number, d)));
    }
    if report.cases > 0 {
        report.timing = time_fitting(executor, kernel, seed, fits)?;
    }
    Ok(report)
}

/// Times one kernel on a device.
pub fn time_kernel(executor: &mut dyn Executor, kernel: &'static KernelInfo, seed: u64) -> Result<Timing> {
    time_fitting(executor, kernel, seed, |_| true)
}

/// The same on the first large case that fits; no time where none of them does.
fn time_fitting(
    executor: &mut dyn Executor,
    kernel: &'static KernelInfo,
    seed: u64,
    fits: impl Fn(&Case) -> bool,
) -> Result<Timing> {
    let mut cases = (0..LARGE_CASES).map(|number| build(kernel, Draw::new(seed, kernel.name, number, true)));
    let fitting = cases.find(|case| case.as_ref().map_or(true, &fits));
    let Some(large) = fitting.transpose()? else { return Ok(Timing::default()) };
    let flops: f64 = large.plan.steps().iter().map(Step::flops).sum();
    let bytes = large.plan.steps().iter().map(Step::bytes).sum();
    Ok(Timing { time_per_run: time(executor, &large)?, bytes, flops: (flops > 0.0).then_some(flops) })
}

/// Case `number` of a kernel; cases go through the combinations of its options.
pub fn case(kernel: &KernelInfo, seed: u64, number: usize) -> Result<Case> {
    build(kernel, Draw::new(seed, kernel.name, number, false))
}

fn build(kernel: &KernelInfo, draw: Draw) -> Result<Case> {
    let generator = cases::generator(kernel.name)
        .ok_or_else(|| Error::Disagreement(format!("kernel `{}` has no cases to verify it with", kernel.name)))?;
    let combinations = kernel.all_options();
    let options = &combinations[draw.number % combinations.len()];
    let mut builder = Builder::new(draw);
    generator(&mut builder, options);
    builder.finish()
}

/// How long one run of the case takes, as the mean of about a hundredth of a second.
fn time(executor: &mut dyn Executor, case: &Case) -> Result<Duration> {
    const MOST_RUNS: usize = 64;
    case.load(executor)?;
    executor.set_scalars(&[case.scalars; MOST_RUNS])?;
    let mut seconds_of = |runs: usize| -> Result<Duration> {
        let start = Instant::now();
        executor.run(&case.plan, 0..runs)?;
        wait(executor, case)?;
        Ok(start.elapsed())
    };
    seconds_of(1)?; // compiles
    let once = seconds_of(1)?;
    let runs = (0.01 / once.as_secs_f64().max(1e-9)).clamp(1.0, MOST_RUNS as f64) as usize;
    Ok(seconds_of(runs)? / runs as u32)
}

/// Reading back waits for all that was run.
fn wait(executor: &mut dyn Executor, case: &Case) -> Result<()> {
    let written = case.plan.steps().iter().flat_map(|step| step.slots.iter().zip(step.kernel.bindings));
    for (slot, binding) in written.filter(|(_, binding)| binding.access != Access::Read).take(1) {
        let name = &case.plan.place(slot.buffer).name;
        match binding.element {
            Element::Real => executor.read(name, 0..1).map(drop)?,
            Element::U32 => executor.read_u32(name, 0..1).map(drop)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::ALL;

    #[test]
    fn every_kernel_has_cases_of_every_combination_of_its_options() {
        for kernel in ALL {
            let combinations = kernel.all_options();
            for (number, options) in combinations.iter().enumerate() {
                let case = case(kernel, 1, number).expect("a sound case");
                let steps = case.plan.steps();
                assert!(!steps.is_empty() && steps.iter().all(|step| step.kernel.name == kernel.name));
                // A kernel of several phases runs the others too.
                let has = |s: &Step| kernel.overrides.iter().all(|o| s.options.get(o.name) == options.get(o.name));
                assert!(steps.iter().any(has), "{} {options:?}", kernel.name);
            }
        }
    }

    #[test]
    fn cases_need_windows_and_several_workgroups() {
        for name in ["lstm_sequence", "gru_sequence", "batch_norm", "loss", "column_sum", "gather"] {
            let kernel = ALL.iter().find(|k| k.name == name).expect("a kernel of this name");
            let cases: Vec<Case> = (0..104).map(|number| case(kernel, 1, number).expect("a sound case")).collect();
            assert!(cases.iter().any(|case| case.plan.steps().len() > 1), "{name} in several steps");
            let groups = |case: &Case| case.plan.steps().iter().any(|s| s.grid.iter().product::<u32>() > 1);
            assert!(cases.iter().any(groups), "{name} in several workgroups");
        }
    }

    #[test]
    fn a_case_can_be_repeated() {
        let kernel = ALL[0];
        let [a, b, other] = [(1, 3), (1, 3), (2, 3)].map(|(seed, n)| format!("{:?}", case(kernel, seed, n)));
        let values = |text: String| text.split_once("contents").map(|(_, values)| values.to_owned());
        let [a, b, other] = [a, b, other].map(values);
        assert!(a.is_some() && a == b && a != other);
    }
}
