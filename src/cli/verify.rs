//! `gatenorm verify`

use anyhow::Result;
use clap::Args;

use super::options::{DeviceFlags, at_least_one};

/// Proves that a GPU computes what the CPU reference computes: every kernel, then whole training steps.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm verify --device gpu")]
pub struct Verify {
    #[command(flatten)]
    pub device: DeviceFlags,
    /// Seed of the cases.
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// Cases of each kernel.
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub cases: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Verifies and reports.
pub fn run(args: &Verify) -> Result<()> {
    let _ = (&args.device, args.seed, args.cases, args.json);
    Err(gatenorm::Error::usage("`verify` is not there yet").into())
}
