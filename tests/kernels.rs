//! Every kernel against its reference on random cases, on the test device and on the CPU executor.

mod common;

use gatenorm::exec::{CpuExecutor, DeviceOptions};
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

fn all_agree(kernels: &[&KernelInfo], reports: Vec<KernelReport>) {
    print(&reports);
    assert!(reports.iter().all(|r| r.elements > 0));
    let whole = |kernel: &&KernelInfo| reports.iter().any(|r| r.name == kernel.name && r.cases >= CASES);
    assert!(kernels.iter().all(whole), "every kernel runs all cases by one variant");
    let wrong: Vec<String> = reports.into_iter().filter_map(|r| r.agreed().err()).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Recurrences, or all others: the two take drivers about as long to compile.
fn kernels(recurrences: bool) -> Vec<&'static KernelInfo> {
    let wanted = |kernel: &&KernelInfo| kernel.name.contains("_sequence") == recurrences;
    let kernels: Vec<&KernelInfo> = ALL.iter().copied().filter(wanted).collect();
    assert!(!kernels.is_empty() && kernels.len() < ALL.len());
    kernels
}

fn every_variant_agrees(kernels: &[&'static KernelInfo], options: DeviceOptions) {
    let Some(gpu) = common::open(options) else { return };
    println!("{:?}", gpu.info());
    all_agree(kernels, verify_kernels(&gpu, kernels, SEED, CASES).expect("the cases run"));
}

fn checked() -> DeviceOptions {
    DeviceOptions { checked: true, ..DeviceOptions::default() }
}

#[test]
fn every_recurrence_agrees_with_its_reference() {
    every_variant_agrees(&kernels(true), DeviceOptions::default());
}

#[test]
fn every_recurrence_agrees_with_the_runtime_checks_on() {
    every_variant_agrees(&kernels(true), checked());
}

#[test]
fn every_other_kernel_agrees_with_its_reference() {
    every_variant_agrees(&kernels(false), DeviceOptions::default());
}

#[test]
fn every_other_kernel_agrees_with_the_runtime_checks_on() {
    every_variant_agrees(&kernels(false), checked());
}

#[test]
fn the_fast_cpu_agrees_with_the_references() {
    let mut cpu = CpuExecutor::fast();
    all_agree(ALL, ALL.iter().map(|k| verify_kernel(&mut cpu, k, SEED, CASES).expect("the cases run")).collect());
}

#[test]
fn the_cpu_in_f32_agrees_with_the_references() {
    let mut cpu = CpuExecutor::<f32>::new();
    all_agree(ALL, ALL.iter().map(|k| verify_kernel(&mut cpu, k, SEED, CASES).expect("the cases run")).collect());
}

#[test]
fn the_cpu_in_f64_agrees_with_the_references() {
    let mut cpu = CpuExecutor::<f64>::new();
    all_agree(ALL, ALL.iter().map(|k| verify_kernel(&mut cpu, k, SEED, CASES).expect("the cases run")).collect());
}
