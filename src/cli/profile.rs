//! `--profile`: where the time of training went.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use gatenorm::exec::profile::Profile;
use gatenorm::exec::{Ceilings, Device};
use gatenorm::formats::atomic;
use gatenorm::model::grouped;
use serde_json::{Value, json};

/// Whether to measure.
#[derive(Args)]
pub struct ProfileFlags {
    /// Time every kernel (a pass of its own, with timestamps on a GPU: training gets slower) and print what each took, against the
    /// best copy and the best matrix product of the device. With a file, the first steps one by one as well, as a trace that
    /// chrome://tracing or ui.perfetto.dev opens.
    #[arg(long, value_name = "TRACE.json", num_args = 0..=1, require_equals = true)]
    profile: Option<Option<PathBuf>>,
}

impl ProfileFlags {
    /// Whether it was asked for.
    pub fn wanted(&self) -> bool {
        self.profile.is_some()
    }

    /// The trace's file.
    pub fn file(&self) -> Option<&PathBuf> {
        self.profile.as_ref().and_then(Option::as_ref)
    }

    /// Refuses a file that cannot be written.
    pub fn check(&self) -> gatenorm::Result<()> {
        self.file().map_or(Ok(()), |file| atomic::check(file))
    }

    /// Writes the trace.
    pub fn save(&self, profile: &Profile) -> gatenorm::Result<()> {
        self.file().map_or(Ok(()), |file| write_trace(file, profile))
    }
}

fn write_trace(file: &Path, profile: &Profile) -> gatenorm::Result<()> {
    let text = profile.chrome_trace().to_string();
    atomic::write_file(file, |out| out.write_all(text.as_bytes()))
}

/// The table of kernels.
pub fn table(profile: &Profile, device: &Device) -> Result<String> {
    let Ceilings { gigabytes_per_second, gigaflops } = Ceilings::measure(device)?;
    let total: f64 = profile.kernels.values().map(|kernel| kernel.seconds).sum();
    let mut text = format!(
        "{:<24} {:>9} {:>11} {:>7} {:>10} {:>8} {:>8} {:>9} {:>8}\n",
        "kernel", "runs", "ms", "share", "us a run", "GB/s", "of best", "GFLOP/s", "of best"
    );
    for (name, time) in profile.by_time() {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let (bytes, flops) = (time.gigabytes_per_second(), time.gigaflops());
        writeln!(
            text,
            "{name:<24} {:>9} {:>11.3} {:>7} {:>10.1} {bytes:>8.1} {:>8} {:>9} {:>8}",
            grouped(time.runs),
            1e3 * time.seconds,
            percent(time.seconds / total),
            1e6 * time.seconds / time.runs as f64,
            percent(bytes / gigabytes_per_second),
            flops.map_or(String::new(), |f| format!("{f:.1}")),
            flops.map_or(String::new(), |f| percent(f / gigaflops)),
        )?;
    }
    writeln!(
        text,
        "{} runs of plans, {:.3} ms each: {:.3} ms in kernels, the rest between them",
        grouped(profile.runs),
        1e3 * profile.seconds / profile.runs as f64,
        1e3 * total / profile.runs as f64
    )?;
    write!(
        text,
        "best on this device: {gigabytes_per_second:.1} GB/s (copy of 64 MiB), {gigaflops:.1} GFLOP/s (product of large matrices)"
    )?;
    Ok(text)
}

/// The same for machines.
pub fn object(profile: &Profile, device: &Device) -> Result<Value> {
    let ceilings = Ceilings::measure(device)?;
    let kernel = |(name, time): (&str, &gatenorm::exec::profile::KernelTime)| {
        json!({
            "kernel": name, "runs": time.runs, "seconds": time.seconds,
            "gigabytes_per_second": time.gigabytes_per_second(), "gigaflops": time.gigaflops(),
        })
    };
    Ok(json!({
        "runs": profile.runs,
        "seconds": profile.seconds,
        "best_gigabytes_per_second": ceilings.gigabytes_per_second,
        "best_gigaflops": ceilings.gigaflops,
        "kernels": profile.by_time().into_iter().map(kernel).collect::<Vec<_>>(),
    }))
}
