//! Every kernel against its reference on random cases, on the test device and on the CPU executor.

mod common;

use gatenorm::exec::{CpuExecutor, DeviceOptions, Gpu};
use gatenorm::kernels::{ALL, KernelInfo};
use gatenorm::verify::{KernelReport, verify_kernel, verify_kernels};

const SEED: u64 = 20;
/// Meets every size of a list of 13 with every combination of up to 4 options, twice.
const CASES: usize = 104;

fn print(reports: &[KernelReport]) {
    println!(
        "{:<22} {:<14} {:>5} {:>9} {:>12} {:>10}",
        "kernel", "variant", "cases", "elements", "worst error", "of bound"
    );
    for r in reports {
        let share = 100.0 * r.worst_share;
        let KernelReport { name, variant, cases, elements, worst_error, .. } = r;
        println!("{name:<22} {variant:<14} {cases:>5} {elements:>9} {worst_error:>12.1e} {share:>8.1} %");
    }
}

fn all_agree(reports: Vec<KernelReport>) {
    print(&reports);
    assert!(reports.iter().all(|r| r.elements > 0));
    let whole = |kernel: &&KernelInfo| reports.iter().any(|r| r.name == kernel.name && r.cases >= CASES);
    assert!(ALL.iter().all(whole), "every kernel runs all cases by one variant");
    let wrong: Vec<String> = reports.into_iter().filter_map(|r| r.agreed().err()).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn every_kernel_agrees(gpu: &Gpu) {
    println!("{:?}", gpu.info());
    all_agree(verify_kernels(gpu, SEED, CASES).expect("the cases run"));
}

#[test]
fn every_kernel_agrees_with_its_reference() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    every_kernel_agrees(&gpu);
}

#[test]
fn every_kernel_agrees_with_the_runtime_checks_on() {
    let Some(gpu) = common::open(DeviceOptions { checked: true, ..DeviceOptions::default() }) else { return };
    every_kernel_agrees(&gpu);
}

#[test]
fn the_fast_cpu_agrees_with_the_references() {
    let mut cpu = CpuExecutor::fast();
    all_agree(ALL.iter().map(|k| verify_kernel(&mut cpu, k, SEED, CASES).expect("the cases run")).collect());
}

#[test]
fn the_cpu_in_f32_agrees_with_the_references() {
    let mut cpu = CpuExecutor::<f32>::new();
    all_agree(ALL.iter().map(|k| verify_kernel(&mut cpu, k, SEED, CASES).expect("the cases run")).collect());
}

#[test]
fn the_cpu_in_f64_agrees_with_the_references() {
    let mut cpu = CpuExecutor::<f64>::new();
    all_agree(ALL.iter().map(|k| verify_kernel(&mut cpu, k, SEED, CASES).expect("the cases run")).collect());
}
