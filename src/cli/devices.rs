//! `gatenorm devices`

use anyhow::Result;
use clap::Args;
use gatenorm::exec::{AdapterSummary, adapters, best_gpu, why_cpu};
use gatenorm::kernels::Matrices;
use serde_json::{Value, json};

use super::report;

/// Lists the GPUs and software drivers of this machine, and says which one `--device auto` takes.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm devices")]
pub struct Devices {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Looks and tells.
pub fn run(args: &Devices) -> Result<()> {
    let all = adapters();
    let auto = best_gpu(&all).map(|best| best.index);
    if args.json {
        let adapters: Vec<Value> = all.iter().map(object).collect();
        let auto = auto.map_or(json!("cpu"), Value::from);
        return report::json(&json!({ "adapters": adapters, "auto": auto }));
    }
    let choice = match auto {
        Some(index) => format!("--device auto takes {index}"),
        None => format!("--device auto takes the CPU: {}", why_cpu(&all)),
    };
    if all.is_empty() {
        return report::print(choice);
    }
    report::print(format!("{}\n{choice}", table(&all)))
}

fn object(adapter: &AdapterSummary) -> Value {
    json!({
        "index": adapter.index,
        "name": adapter.info.name,
        "backend": adapter.info.backend.to_string(),
        "type": format!("{:?}", adapter.info.device_type),
        "driver": driver(adapter),
        "max_buffer_mib": adapter.limits.max_buffer_size >> 20,
        "max_binding_mib": adapter.limits.max_storage_buffer_binding_size >> 20,
        "cooperative_matrices": matrices(adapter),
    })
}

fn driver(adapter: &AdapterSummary) -> String {
    format!("{} {}", adapter.info.driver, adapter.info.driver_info).trim().to_owned()
}

/// The cooperative matrices that products can be computed by.
fn matrices(adapter: &AdapterSummary) -> Vec<&'static str> {
    let Matrices { half_16, half_8, single_8 } = adapter.matrices;
    let all = [(half_16, "16x16 f16"), (half_8, "8x8 f16"), (single_8, "8x8 f32")];
    all.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect()
}

fn table(all: &[AdapterSummary]) -> String {
    let header = ["index", "name", "backend", "type", "driver", "buffer MiB", "binding MiB", "cooperative matrices"]
        .map(str::to_owned);
    let row = |adapter: &AdapterSummary| {
        [
            adapter.index.to_string(),
            adapter.info.name.clone(),
            adapter.info.backend.to_string(),
            format!("{:?}", adapter.info.device_type),
            driver(adapter),
            (adapter.limits.max_buffer_size >> 20).to_string(),
            (adapter.limits.max_storage_buffer_binding_size >> 20).to_string(),
            matrices(adapter).join(", "),
        ]
    };
    let rows: Vec<[String; 8]> = std::iter::once(header).chain(all.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
