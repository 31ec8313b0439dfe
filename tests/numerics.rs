//! The functions of common.wgsl over the whole range of `f32`, on the test device, against `f64`.

mod common;

use std::sync::Arc;

use gatenorm::exec::lockstep::lockstep;
use gatenorm::exec::{DeviceOptions, Executor, GpuExecutor};
use gatenorm::kernels::{Activate, ActivateSlots, BatchNorm, BatchNormSlots, Loss, LossSlots, RowValues, StepScalars};
use gatenorm::model::Activation;
use gatenorm::plan::{BufferSpec, Plan};

const SIGMOID: u32 = 1;
const TANH: u32 = 2;
const RELU: u32 = 3;

/// Both signs of magnitudes from the smallest subnormal to the largest number, dense where the functions bend or change over.
fn sweep() -> Vec<f32> {
    let powers = (-149..128).flat_map(|e| [1.0, 1.25, 1.7].map(|m| m * 2f64.powi(e)));
    let lines = [(0.0, 1.0, 2000), (0.6, 0.65, 500), (1.0, 20.0, 4000), (20.0, 110.0, 2000)];
    let lines =
        lines.into_iter().flat_map(|(low, high, n)| (0..n).map(move |i| low + (high - low) * i as f64 / n as f64));
    let marks = [0.0, 0.625, 0.625f32.next_down() as f64, 0.625f32.next_up() as f64, 88.0, 88.8, 104.0, 1e4, 3.4e38];
    powers.chain(lines).chain(marks).flat_map(|x| [x as f32, -x as f32]).collect()
}

/// y = activation(x) on the device, held to the derived bound element by element.
fn activate(executor: &mut GpuExecutor, kind: u32, x: &[f32]) -> Vec<f64> {
    let mut plan = Plan::new(executor.limits());
    let (x_spec, y_spec) = (BufferSpec::persistent("x", &[x.len()]), BufferSpec::persistent("y", &[x.len()]));
    let slots = ActivateSlots { x: plan.persistent(&x_spec), y: plan.persistent(&y_spec) };
    Activate { n: x.len() as u32 }.record(kind, &mut plan, slots);
    executor.write(&x_spec, x).expect("x is written");
    let plan = Arc::new(plan.finish().expect("a sound plan"));
    let report = lockstep(executor, &plan, 0, StepScalars::default()).expect("the plan runs");
    report.agreed().expect("within the bound");
    executor.read("y", 0..x.len()).expect("y is read")
}

/// Distance in units in the last place of the truth's `f32`.
fn ulps(got: f64, truth: f64) -> f64 {
    let nearest = (truth as f32).abs().max(f32::MIN_POSITIVE);
    (got - truth).abs() / (nearest.next_up() as f64 - nearest as f64)
}

/// The largest distance where it is not a matter of flushing to zero, and where that is.
fn worst_ulps(x: &[f32], got: &[f64], truth: impl Fn(f64) -> f64) -> (f64, f32) {
    let normal = x.iter().zip(got).map(|(&x, &got)| (x, got, truth(x as f64)));
    let normal = normal.filter(|(x, _, t)| x.abs() >= f32::MIN_POSITIVE && t.abs() >= f32::MIN_POSITIVE as f64);
    normal.map(|(x, got, truth)| (ulps(got, truth), x)).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
}

fn executor() -> Option<GpuExecutor> {
    common::open(DeviceOptions::default()).map(|gpu| GpuExecutor::new(&gpu).expect("an executor"))
}

#[test]
fn sigmoid_and_tanh_keep_their_bounds_everywhere() {
    let Some(mut executor) = executor() else { return };
    let x = sweep();
    let y = activate(&mut executor, SIGMOID, &x);
    let (worst, at) = worst_ulps(&x, &y, |x| 1.0 / (1.0 + (-x).exp()));
    println!("sigmoid: {worst:.2} ulp at most, at {at}");
    let moderate: Vec<f32> = x.iter().copied().filter(|x| x.abs() <= 20.0).collect();
    let y_moderate = activate(&mut executor, SIGMOID, &moderate);
    let (worst, at) = worst_ulps(&moderate, &y_moderate, |x| 1.0 / (1.0 + (-x).exp()));
    println!("sigmoid, |x| <= 20: {worst:.2} ulp at most, at {at}");
    let y = activate(&mut executor, TANH, &x);
    let (worst, at) = worst_ulps(&x, &y, f64::tanh);
    println!("tanh: {worst:.2} ulp at most, at {at}");
    assert!(y.iter().all(|y| y.abs() <= 1.0), "tanh stays within -1..1");
}

/// Every activation, so that each is held to its bound where it bends, saturates and overflows.
#[test]
fn every_activation_keeps_its_bound_everywhere() {
    let Some(mut executor) = executor() else { return };
    let x = sweep();
    let kinds = Activation::ALL.len() as u32;
    (0..kinds).for_each(|kind| drop(activate(&mut executor, kind, &x)));
    // Where nothing is subtracted, the digits of small values are kept.
    let moderate: Vec<f32> = x.iter().copied().filter(|x| x.abs() <= 5.0).collect();
    let gelu = activate(&mut executor, 11, &moderate);
    let (worst, at) = worst_ulps(&moderate, &gelu, |x| 0.5 * x * libm::erfc(-x / 2f64.sqrt()));
    println!("gelu, |x| <= 5: {worst:.2} ulp at most, at {at}");
    // The exponential's argument is rounded to half an ulp of x²/2, up to 12.5 here.
    assert!(worst <= 20.0);
    let elu = activate(&mut executor, 8, &moderate);
    let (worst, at) = worst_ulps(&moderate, &elu, |x| if x > 0.0 { x } else { x.exp_m1() });
    println!("elu, |x| <= 5: {worst:.2} ulp at most, at {at}");
    assert!(worst <= 3.0);
}

#[test]
fn limits_are_reached_and_nan_is_kept() {
    let Some(mut executor) = executor() else { return };
    let x = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, -0.0, f32::NAN, -f32::NAN];
    let sigmoid = activate(&mut executor, SIGMOID, &x);
    assert_eq!(sigmoid[..6], [1.0, 0.0, 1.0, 0.0, 0.5, 0.5]);
    let tanh = activate(&mut executor, TANH, &x);
    assert_eq!(tanh[..6], [1.0, -1.0, 1.0, -1.0, 0.0, 0.0]);
    let relu = activate(&mut executor, RELU, &x);
    assert_eq!(relu[..6], [f64::INFINITY, 0.0, f32::MAX as f64, 0.0, 0.0, 0.0]);
    let exponential = activate(&mut executor, 12, &x);
    assert_eq!(exponential[..6], [f64::INFINITY, 0.0, f64::INFINITY, 0.0, 1.0, 1.0]);
    for kind in 0..Activation::ALL.len() as u32 {
        let y = activate(&mut executor, kind, &[f32::NAN, -f32::NAN]);
        assert!(y.iter().all(|y| y.is_nan()), "activation {kind} keeps NaN: {y:?}");
    }
}

/// With class 0 and a negative logit z, the loss is ln(1 + e^z) alone.
#[test]
fn log1p_keeps_its_bound_everywhere() {
    let Some(mut executor) = executor() else { return };
    let z: Vec<f32> = sweep().into_iter().filter(|&z| z <= 0.0).collect();
    let mut plan = Plan::new(executor.limits());
    let specs = ["prediction", "truth", "values"].map(|name| BufferSpec::persistent(name, &[z.len()]));
    let [prediction, truth, values] = [0, 1, 2].map(|i: usize| plan.persistent(&specs[i]));
    let rows = z.len() as u32;
    let loss = Loss {
        rows,
        outputs: 1,
        averaged: 1,
        total_rows: rows,
        flags: 0,
        columns: 1,
        column: 0,
        smoothing: 0.0,
        delta: 1.0,
        loss_weight: 1.0,
    };
    loss.record(
        0,
        &mut plan,
        LossSlots {
            prediction,
            truth,
            weights: None,
            divisor: None,
            values: RowValues::Each(values),
            dprediction: None,
        },
    );
    executor.write(&specs[0], &z).expect("written");
    executor.write(&specs[1], &vec![0.0; z.len()]).expect("written");
    let plan = Arc::new(plan.finish().expect("a sound plan"));
    lockstep(&mut executor, &plan, 0, StepScalars::default())
        .expect("the plan runs")
        .agreed()
        .expect("within the bound");
    let moderate: Vec<f32> = z.iter().copied().filter(|z| *z >= -4.0).collect();
    let got = executor.read("values", 0..z.len()).expect("read");
    let got: Vec<f64> = z.iter().zip(got).filter(|(z, _)| **z >= -4.0).map(|(_, got)| got).collect();
    let (worst, at) = worst_ulps(&moderate, &got, |z| z.exp().ln_1p());
    println!("ln(1 + e^z), z in -4..0: {worst:.2} ulp at most, at {at}");
}

/// The derived bound knows nothing of how the errors of a mean and of the deviations from it cancel. This holds the kernel to
/// what its algorithm is chosen for: a relative error of about n ulp (Chan, Golub & LeVeque 1983), however large the mean.
#[test]
fn the_variance_of_data_with_a_large_mean_is_not_lost() {
    let Some(mut executor) = executor() else { return };
    const ROWS: usize = 64;
    let means = [0.0f32, 1.0, 100.0, 1e4, -3e5];
    let x_of = |row: usize, mean: f32| mean + ((row * 37 + 11) % 64) as f32 / 16.0 - 2.0;
    let x: Vec<f32> = (0..ROWS).flat_map(|row| means.map(|mean| x_of(row, mean))).collect();
    let mut plan = Plan::new(executor.limits());
    let x_spec = BufferSpec::persistent("x", &[ROWS, means.len()]);
    let slot = plan.persistent(&x_spec);
    let outputs = ["mean", "variance"].map(|name| BufferSpec::persistent(name, &[means.len()]));
    let [mean, variance] = [0, 1].map(|i: usize| plan.persistent(&outputs[i]));
    // Without the division at the end: the sum of squared deviations.
    let step = BatchNorm { finish: 0, ..BatchNorm::of_rows(ROWS, means.len(), 0.0) };
    step.record(&mut plan, BatchNormSlots { x: slot, mask: None, mean, variance, output: None });
    executor.write(&x_spec, &x).expect("written");
    let plan = Arc::new(plan.finish().expect("a sound plan"));
    executor.run(&plan, 0..1).expect("the plan runs");
    let got = executor.read("variance", 0..means.len()).expect("read");
    for (feature, (&mean, got)) in means.iter().zip(got).enumerate() {
        let column: Vec<f64> = x.iter().skip(feature).step_by(means.len()).map(|&x| x as f64).collect();
        let center = column.iter().sum::<f64>() / ROWS as f64;
        let truth: f64 = column.iter().map(|x| (x - center).powi(2)).sum();
        let bound = (ROWS + 4) as f64 * f32::EPSILON as f64 * truth;
        assert!((got - truth).abs() <= bound, "mean {mean}: {got} for {truth}, bound {bound:.1e}");
    }
}
