//! Milliseconds, GB/s and GFLOP/s of every kernel, on every device of this machine.
//!
//! `cargo bench --bench kernels [-- KERNEL ...]`

use gatenorm::exec::{CpuExecutor, Device, DeviceOptions, Executor, GpuExecutor, adapters};
use gatenorm::kernels::ALL;
use gatenorm::verify::time_kernel;

/// Times are medians of so many measurements.
const REPEATS: usize = 5;

fn devices() -> Vec<(String, Box<dyn Executor>)> {
    let mut devices: Vec<(String, Box<dyn Executor>)> =
        vec![(Device::Cpu.to_string(), Box::new(CpuExecutor::<f32>::new()))];
    for adapter in adapters() {
        let index = adapter.index.to_string();
        let opened = Device::named(&index, DeviceOptions::default()).and_then(|device| match &device {
            Device::Gpu(gpu) => Ok((device.to_string(), GpuExecutor::new(gpu)?)),
            _ => unreachable!("an index names an adapter"),
        });
        match opened {
            Ok((name, executor)) => devices.push((name, Box::new(executor))),
            Err(error) => eprintln!("adapter {index} is left out: {error}"),
        }
    }
    devices
}

fn main() {
    // SAFETY: there is no other thread yet.
    unsafe { gatenorm::exec::prepare_environment() };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for (name, mut executor) in devices() {
        println!("\n{name}\n{:<22}{:>12}{:>10}{:>10}", "kernel", "ms", "GB/s", "GFLOP/s");
        for kernel in ALL.iter().filter(|k| wanted.is_empty() || wanted.iter().any(|w| w == k.name)) {
            let mut timings: Vec<_> =
                (0..REPEATS).filter_map(|_| time_kernel(executor.as_mut(), kernel, 0).ok()).collect();
            timings.sort_by_key(|t| t.time_per_run);
            let Some(median) = timings.get(timings.len() / 2) else {
                println!("{:<22} failed", kernel.name);
                continue;
            };
            println!(
                "{:<22}{:>12.3}{:>10.2}{:>10}",
                kernel.name,
                1e3 * median.time_per_run.as_secs_f64(),
                median.gigabytes_per_second(),
                median.gigaflops().map_or(String::new(), |g| format!("{g:.2}"))
            );
        }
    }
}
