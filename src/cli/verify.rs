//! `gatenorm verify`

use std::time::Instant;

use anyhow::Result;
use clap::Args;
use gatenorm::exec::{Device, GpuExecutor};
use gatenorm::kernels::{ALL, KernelInfo};
use gatenorm::train::{TrainingReport, lockstep_training};
use gatenorm::verify::{KernelReport, verify_kernel, verify_variants};
use serde_json::json;

use super::options::{DeviceFlags, at_least_one};
use super::report::{self, talk};

/// Proves that a device computes what the reference computes: every kernel, in every way that fits the device, then whole training
/// steps.
#[derive(Args)]
#[command(
    after_help = "Example:\n  gatenorm verify --device gpu\n\nWithout --device it takes the best adapter there is, software drivers included."
)]
pub struct Verify {
    #[command(flatten)]
    pub device: DeviceFlags,
    /// Seed of the cases.
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// Cases of each kernel.
    #[arg(long, value_name = "N", default_value = "104", value_parser = at_least_one, allow_negative_numbers = true)]
    pub cases: usize,
    /// Training steps of the lesson's model in lockstep.
    #[arg(long, value_name = "N", default_value = "32", value_parser = at_least_one, allow_negative_numbers = true)]
    pub steps: usize,
    /// Only these kernels, by name, separated by commas, and the training steps [default: all].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = kernel)]
    pub kernels: Option<Vec<&'static KernelInfo>>,
    /// Only print which variants there are of kernels that have several, as GATENORM_VARIANT takes them.
    #[arg(long)]
    pub variants: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Verifies and reports; fails where device and reference disagree.
pub fn run(args: &Verify) -> Result<()> {
    if args.variants {
        return report::print(variants().join("\n"));
    }
    let device = args.device.open_gpu()?;
    talk!("device   {device}");
    let kernels = verify_kernels(&device, args)?;
    let began = Instant::now();
    let training = lockstep_training(&device, args.seed, args.steps)?;
    talk!("lockstep training took {:.1} s", began.elapsed().as_secs_f64());
    if args.json {
        report::json(&object(&device, &kernels, &training))?;
    } else {
        report::print(training_line(&training))?;
    }
    for kernel in kernels {
        kernel.agreed()?;
    }
    training.agreed()?;
    if !args.json {
        report::print(match device {
            Device::Gpu(_) => "this GPU computes what the CPU reference computes.",
            _ => "the fast kernels of the CPU compute what the reference computes.",
        })?;
    }
    Ok(())
}

/// The kernel of this name.
fn kernel(name: &str) -> Result<&'static KernelInfo, String> {
    let found = ALL.iter().find(|kernel| kernel.name == name).copied();
    found.ok_or_else(|| {
        format!("no kernel of this name; there are {}", ALL.iter().map(|k| k.name).collect::<Vec<_>>().join(", "))
    })
}

/// Every variant of kernels with several, as `kernel=variant`.
fn variants() -> Vec<String> {
    let several = ALL.iter().filter(|kernel| kernel.variants.all.len() > 1);
    several.flat_map(|k| k.variants.all.iter().map(move |v| format!("{}={}", k.name, v.name))).collect()
}

fn verify_kernels(device: &Device, args: &Verify) -> Result<Vec<KernelReport>> {
    let mut verify: Box<dyn FnMut(&'static KernelInfo) -> gatenorm::Result<Vec<KernelReport>>> = match device {
        Device::Gpu(gpu) => {
            let mut executor = GpuExecutor::new(gpu)?;
            Box::new(move |kernel| verify_variants(&mut executor, kernel, args.seed, args.cases))
        }
        cpu => {
            let mut executor = cpu.executor()?;
            Box::new(move |kernel| Ok(vec![verify_kernel(executor.as_mut(), kernel, args.seed, args.cases)?]))
        }
    };
    if !args.json {
        report::print(format!(
            "{:<22}{:<14}{:>6}{:>13}{:>18}{:>12}{:>9}{:>10}",
            "kernel", "variant", "cases", "worst error", "of its tolerance", "time", "GB/s", "GFLOP/s"
        ))?;
    }
    let mut reports = Vec::with_capacity(ALL.len());
    for kernel in args.kernels.as_deref().unwrap_or(ALL) {
        let found_of_kernel = verify(kernel)?;
        if found_of_kernel.is_empty() && !args.json {
            report::print(format!("{:<22}fits no case on this device as it is demanded", kernel.name))?;
        }
        for found in found_of_kernel {
            if !args.json {
                report::print(row(&found))?;
            }
            reports.push(found);
        }
    }
    Ok(reports)
}

fn row(found: &KernelReport) -> String {
    let share = match found.disagreement {
        Some(_) => "DISAGREES".into(),
        None => format!("{:.0} %", 100.0 * found.worst_share),
    };
    format!(
        "{:<22}{:<14}{:>6}{:>13.1e}{share:>18}{:>9.3} ms{:>9.1}{:>10}",
        found.name,
        found.variant,
        found.cases,
        found.worst_error,
        1e3 * found.timing.time_per_run.as_secs_f64(),
        found.timing.gigabytes_per_second(),
        found.timing.gigaflops().map_or(String::new(), |g| format!("{g:.1}"))
    )
}

fn training_line(training: &TrainingReport) -> String {
    let TrainingReport { training_steps, kernels, first_wrong, loss_error, loss_tolerance } = training;
    let outcome = match &kernels.disagreement {
        Some(disagreement) => format!("DISAGREES in training step {}, {disagreement}", first_wrong.unwrap_or(0)),
        None => format!("all agree (at most {:.0} % of the tolerance)", 100.0 * kernels.worst_share),
    };
    format!(
        "lockstep: {training_steps} training steps of the lesson's model, {} kernel runs, {} buffers compared: {outcome}\nlosses: at most {loss_error:.1e} from a run on the CPU in f64, {loss_tolerance:.1e} allowed",
        kernels.steps, kernels.buffers
    )
}

fn object(device: &Device, kernels: &[KernelReport], training: &TrainingReport) -> serde_json::Value {
    let kernel = |k: &KernelReport| {
        json!({
            "kernel": k.name,
            "variant": k.variant,
            "cases": k.cases,
            "worst_error": k.worst_error,
            "share_of_tolerance": k.worst_share,
            "milliseconds": 1e3 * k.timing.time_per_run.as_secs_f64(),
            "disagreement": k.disagreement.as_ref().map(|(case, d)| format!("case {case}: {d}")),
        })
    };
    let agreed = kernels.iter().all(|k| k.disagreement.is_none()) && training.clone().agreed().is_ok();
    json!({
        "device": device.to_string(),
        "agreed": agreed,
        "kernels": kernels.iter().map(kernel).collect::<Vec<_>>(),
        "training": {
            "steps": training.training_steps,
            "kernel_runs": training.kernels.steps,
            "buffers": training.kernels.buffers,
            "share_of_tolerance": training.kernels.worst_share,
            "disagreement": training.kernels.disagreement.as_ref().map(ToString::to_string),
            "loss_error": training.loss_error,
            "loss_tolerance": training.loss_tolerance,
        },
    })
}
