//! Every golden case, computed by Keras in single and in double precision, on the GPU and on the CPU: forward passes, losses,
//! gradients, moving statistics, training step by step, final weights and predictions.
//!
//! `GATENORM_GOLDENS=FOLDER` runs the cases of another folder.

mod bounds;
mod build;
#[path = "../common/mod.rs"]
mod common;
mod golden;
mod layers;
mod scores;
mod states;
mod weight_args;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use bounds::{Precision, Sway, Tally, single_pass, trajectory};
use build::{Architecture, Built, build};
use gatenorm::prelude::*;
use gatenorm::train::Trace;
use golden::Golden;

fn folder() -> PathBuf {
    let named = std::env::var_os("GATENORM_GOLDENS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens"))
}

fn cases() -> Vec<PathBuf> {
    let folder = folder();
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut cases: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    cases.retain(|p| p.extension().is_some_and(|e| e == "safetensors"));
    cases.sort();
    assert!(!cases.is_empty(), "no *.safetensors in {}", folder.display());
    cases
}

fn model(golden: &Golden, built: &Built, device: &Device) -> Result<Model> {
    let (device, metrics) = (device.clone(), built.metrics.iter().cloned());
    let mut model = match built.model.clone() {
        Architecture::Sequential(model) => {
            model.compile(device, built.loss.clone(), built.optimizer.clone(), metrics)?
        }
        Architecture::Functional(model) => {
            model.compile(device, built.loss.clone(), built.optimizer.clone(), metrics)?
        }
    };
    // The states before the first batch are zeros.
    let of_state = |path: &String| path.ends_with("/state_h") || path.ends_with("/state_c");
    let initial: Vec<(String, Vec<f32>)> = golden
        .names("init/")
        .into_iter()
        .filter(|path| !of_state(path))
        .map(|path| {
            let (_, values) = golden.tensor(&format!("init/{path}")).expect("listed");
            (path, values.iter().map(|&v| v as f32).collect())
        })
        .collect();
    model.set_weights(initial.iter().map(|(path, values)| (path.as_str(), values.as_slice())))?;
    let set: std::collections::BTreeSet<&str> = initial.iter().map(|(path, _)| path.as_str()).collect();
    for variable in model.network().table.variables() {
        assert!(set.contains(variable.path.as_str()), "the case gives no initial `{}`", variable.path);
    }
    Ok(model)
}

/// A variable, or what a stateful layer keeps.
fn variable_or_state(model: &mut Model, path: &str) -> Result<Vec<f64>> {
    match model.state(path)? {
        Some(state) => Ok(state),
        None => model.variable(path),
    }
}

fn first_rows(values: &[f64], rows: usize, stored: usize) -> &[f64] {
    &values[..values.len() / rows * stored]
}

fn check_forward(golden: &Golden, mode: &str, trace: &Trace, tally: &mut Tally) {
    let (rows, stored) = (golden.number("first_batch_rows"), golden.number("forward_stored_rows"));
    for layer in golden.names(&format!("f64/forward/{mode}/")) {
        let what = format!("forward/{mode}/{layer}");
        let truth = golden.truth(&what).expect("listed");
        let traced = trace
            .outputs
            .iter()
            .find(|t| t.name == states::traced(&layer))
            .unwrap_or_else(|| panic!("no layer `{layer}`"));
        // Keras's error is recorded for training only; in inference the same layers do less.
        let observed = golden.observed("forward_training_max_abs", Some(&layer)).or_else(|| golden.error(&what));
        let tolerance = single_pass(golden, tally.precision, truth, observed);
        tally.compare(&what, first_rows(&traced.values, rows, stored), truth, tolerance);
    }
}

/// Keras's own error in single precision as a share of a tensor's largest value.
fn relative(golden: &Golden, what: &str) -> Option<f64> {
    Some(golden.error(what)? / bounds::largest(golden.truth(what)?))
}

fn check_single_pass(golden: &Golden, built: &Built, device: &Device, tally: &mut Tally) -> Result<()> {
    let (data, rows) = (golden.dataset(), (0..golden.number("first_batch_rows") as u32).collect::<Vec<u32>>());
    let mut model = model(golden, built, device)?;
    check_forward(golden, "inference", &model.trace(&data, &rows, false)?, tally);
    model.reset_states()?;
    let trace = model.trace(&data, &rows, true)?;
    check_forward(golden, "training", &trace, tally);
    let loss = golden.truth("loss/0").expect("loss/0");
    let tolerance = single_pass(golden, tally.precision, loss, golden.observed("loss0_abs", None));
    tally.compare("loss/0", &[trace.loss], loss, tolerance);
    let gradients = trace.gradients.iter().chain(&trace.input_gradients);
    let names: Vec<String> = golden.names("f64/grad/");
    assert_eq!(names.len(), gradients.clone().count(), "as many gradients as the case has");
    for gradient in gradients {
        let what = format!("grad/{}", gradient.name);
        let truth = golden.truth(&what).unwrap_or_else(|| panic!("the case has no `{what}`"));
        let relative = match gradient.name.as_str() {
            "x" => golden.observed("grad_x_max_rel_to_max", None).or_else(|| relative(golden, &what)),
            name => golden.observed("grad_max_rel_to_max", Some(name)),
        };
        let tolerance = single_pass(golden, tally.precision, truth, relative.map(|r| r * bounds::largest(truth)));
        tally.compare(&what, &gradient.values, truth, tolerance);
    }
    for path in golden.names("f64/updated/") {
        let truth = golden.truth(&format!("updated/{path}")).expect("listed");
        let tolerance = single_pass(golden, tally.precision, truth, None);
        tally.compare(&format!("updated/{path}"), &variable_or_state(&mut model, &path)?, truth, tolerance);
    }
    Ok(())
}

/// Sequences that are longer than those that it was trained on, where the case has some.
fn check_long(golden: &Golden, built: &Built, device: &Device, tally: &mut Tally) -> Result<()> {
    let Some((shape, x)) = golden.tensor("x_long") else { return Ok(()) };
    let x = x.iter().map(|&v| v as f32).collect();
    let data = gatenorm::data::Dataset::from_arrays(x, shape, vec![], &[])?;
    let output =
        golden.names("f64/forward/inference_long/").into_iter().find(|name| name == "dense").expect("an output");
    let what = format!("forward/inference_long/{output}");
    let truth = golden.truth(&what).expect("listed");
    let observed = golden.error(&what);
    let tolerance = single_pass(golden, tally.precision, truth, observed);
    tally.compare(&what, &model(golden, built, device)?.predict_f64(&data)?, truth, tolerance);
    Ok(())
}

fn check_training(golden: &Golden, built: &Built, device: &Device, tally: &mut Tally) -> Result<()> {
    let (data, batches) = (golden.dataset(), golden.batches());
    if batches.is_empty() {
        return Ok(());
    }
    let mut model = model(golden, built, device)?;
    let mut scores = Vec::new();
    let mut moving: Vec<(String, Vec<f64>)> =
        golden.names("f64/train/moving/").into_iter().map(|path| (path, Vec::new())).collect();
    if moving.is_empty() {
        scores = model.train_on(&data, &batches)?;
    } else {
        for batch in &batches {
            scores.extend(model.train_on(&data, std::slice::from_ref(batch))?);
            for (path, values) in &mut moving {
                values.extend(variable_or_state(&mut model, path)?);
            }
        }
    }
    let losses: Vec<f64> = scores.iter().filter_map(|s| s.get("loss")).collect();
    let truth = golden.truth("train/loss").expect("train/loss");
    let observed = golden.observed("train_loss_max_abs", None);
    let tolerance = trajectory(golden, tally.precision, truth, observed);
    tally.compare("train/loss", &losses, truth, tolerance);
    for (path, values) in moving {
        let truth = golden.truth(&format!("train/moving/{path}")).expect("listed");
        let observed = golden.observed("final_max_abs", Some(&path));
        let tolerance = trajectory(golden, tally.precision, truth, observed);
        tally.compare(&format!("train/moving/{path}"), &values, truth, tolerance);
    }
    check_metrics(golden, built, &scores, &batches, tally);
    if let Some(truth) = golden.truth("train/learning_rate") {
        let rates: Vec<f64> = (0..truth.len() as u64).map(|done| built.optimizer.schedule().at(done)).collect();
        // Computed on the host, in double precision on every device.
        tally.compare("train/learning_rate", &rates, truth, f64::from(f32::EPSILON) * bounds::largest(truth));
    }
    for path in golden.names("f64/final/").into_iter().filter(|p| p != "predict") {
        let truth = golden.truth(&format!("final/{path}")).expect("listed");
        let tolerance = trajectory(golden, tally.precision, truth, golden.observed("final_max_abs", Some(&path)));
        tally.compare(&format!("final/{path}"), &model.variable(&path)?, truth, tolerance);
    }
    let truth = golden.truth("final/predict").expect("final/predict");
    let tolerance = trajectory(golden, tally.precision, truth, golden.observed("predict_max_abs", None));
    model.reset_states()?;
    let predicted = model.predict_in_batches(&data, golden.number("batch_size"))?;
    tally.compare("final/predict", &predicted, truth, tolerance);
    Ok(())
}

/// Metrics per step (the goldens have them in single precision only), and both per epoch, weighted by batch size as in History.
fn check_metrics(
    golden: &Golden,
    built: &Built,
    scores: &[gatenorm::train::Scores],
    batches: &[Vec<u32>],
    tally: &mut Tally,
) {
    let steps_per_epoch = golden.number("steps_per_epoch");
    let names = ["loss"].into_iter().chain(built.metrics.iter().map(|m| m.name()));
    for (name, key) in names.zip(["loss", "metric"]) {
        let values: Vec<f64> = scores.iter().filter_map(|s| s.get(name)).collect();
        // Metrics honour masks, where Keras on JAX does so in `evaluate` only.
        let masked = golden.tensor(&format!("train/{key}_masked"));
        let Some((_, keras)) = masked.or_else(|| golden.tensor(&format!("train/{key}"))) else { continue };
        // Keras's own single precision, and ours, may each be off by Keras's error.
        let observed = golden.observed("train_loss_max_abs", None).map(|o| 2.0 * o);
        let tolerance = trajectory(golden, Precision::Single, keras, observed);
        tally.compare(&format!("train/{key} (float32)"), &values, keras, tolerance);
        let unmasked = golden.tensor(&format!("train/epoch_{key}")).filter(|_| masked.is_none());
        let Some((_, keras)) = unmasked else { continue };
        let epochs = values.chunks(steps_per_epoch).zip(batches.chunks(steps_per_epoch));
        let means: Vec<f64> = epochs
            .filter(|(values, _)| values.len() == steps_per_epoch)
            .map(|(values, batches)| {
                let rows: f64 = batches.iter().map(|b| b.len() as f64).sum();
                values.iter().zip(batches).map(|(v, b)| v * b.len() as f64).sum::<f64>() / rows
            })
            .collect();
        let tolerance = trajectory(golden, Precision::Single, keras, observed);
        tally.compare(&format!("train/epoch_{key} (float32)"), &means, keras, tolerance);
    }
}

/// Neighbours of a case's initial weights that its sway is taken from.
const NEIGHBOURS: u64 = 8;

/// How far what training leaves behind moves with the last bit of the initial weights.
fn sway(golden: &Golden, built: &Built) -> Result<Sway> {
    let train = |golden: &Golden| -> Result<Tally> {
        let mut tally = Tally::new(Precision::Double, Rc::default());
        check_training(golden, built, &Device::CpuF64, &mut tally)?;
        Ok(tally)
    };
    let (case, mut sway) = (train(golden)?, Sway::default());
    for seed in 0..NEIGHBOURS {
        sway.widen(&case, &train(&golden.neighbour(seed))?);
    }
    Ok(sway)
}

fn check_with(golden: &Golden, built: &Built, device: &Device, precision: Precision, sway: Rc<Sway>) -> Tally {
    let mut tally = Tally::new(precision, sway);
    let run = check_single_pass(golden, built, device, &mut tally)
        .and_then(|()| check_long(golden, built, device, &mut tally))
        .and_then(|()| check_training(golden, built, device, &mut tally));
    if let Err(error) = run {
        tally.failures.push(error.to_string());
    }
    tally
}

/// Checks a case on a device. Its sway, which takes time to find out, is asked for only by what is off by more than else allowed.
fn check(golden: &Golden, built: &Built, device: &Device, precision: Precision) -> Tally {
    let tally = check_with(golden, built, device, precision, Rc::default());
    if tally.failures.is_empty() || precision == Precision::Double {
        return tally;
    }
    match sway(golden, built) {
        Ok(sway) => check_with(golden, built, device, precision, Rc::new(sway)),
        Err(_) => tally,
    }
}

#[test]
fn every_case_agrees_with_keras_on_gpu_and_cpu() {
    let mut devices = vec![("cpu f64", Device::CpuF64, Precision::Double), ("cpu f32", Device::Cpu, Precision::Single)];
    if let Some(gpu) = common::gpu() {
        devices.push(("gpu f32", gpu, Precision::Single));
    }
    let (mut passed, mut failed, mut unsupported) = (0, 0, 0);
    for path in cases() {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let golden = Golden::read(&path);
        let built = match build(&golden) {
            Ok(built) => built,
            Err(missing) => {
                let list: Vec<String> = missing.into_iter().collect();
                println!("unsupported {name}: {}", list.join(", "));
                unsupported += 1;
                continue;
            }
        };
        let tallies = devices.iter().map(|(on, device, precision)| (on, check(&golden, &built, device, *precision)));
        let tallies: Vec<_> = tallies.collect();
        let mut worst: Vec<(f64, String)> = tallies
            .iter()
            .map(|(on, tally)| {
                let ((share, at), by) = (&tally.worst, if tally.sway.is_empty() { "" } else { ", sway allowed" });
                (*share, format!("{share:.2} at {at} ({on}{by})"))
            })
            .collect();
        worst.sort_by(|a, b| b.0.total_cmp(&a.0));
        let worst = worst.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("; ");
        if tallies.iter().all(|(_, tally)| tally.failures.is_empty() && tally.compared > 0) {
            println!("pass {name} worst={worst}");
            passed += 1;
        } else {
            println!("FAIL {name} worst={worst}");
            for (on, tally) in &tallies {
                tally.failures.iter().for_each(|failure| println!("     {on}: {failure}"));
            }
            failed += 1;
        }
    }
    println!("parity: {passed} passed, {failed} failed, {unsupported} unsupported");
    assert_eq!(failed, 0, "cases that disagree with Keras");
    assert_eq!(unsupported, 0, "cases that need what is not there");
}

/// What a tiny slip does to Adam must go beyond what a case's sway allows, or the sway would excuse everything.
#[test]
fn a_slip_in_adam_goes_beyond_what_sway_allows() {
    for case in ["seed_model", "deep3"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/{case}.safetensors"));
        let golden = Golden::read(&path);
        let sway = Rc::new(sway(&golden, &build(&golden).expect("supported")).expect("trained"));
        let adam = golden.config["optimizer"]["config"].clone();
        for (argument, factor) in [("epsilon", 2.0), ("beta_1", 0.999), ("beta_2", 0.9999), ("learning_rate", 1.0001)] {
            let mut slipped = golden.clone();
            slipped.config["optimizer"]["config"][argument] =
                (factor * adam[argument].as_f64().expect("a number")).into();
            let built = build(&slipped).expect("supported");
            let tally = check_with(&slipped, &built, &Device::Cpu, Precision::Single, sway.clone());
            println!("{case}, {argument} times {factor}: {:.1} at {}", tally.worst.0, tally.worst.1);
            assert!(!tally.failures.is_empty(), "{case} with {argument} times {factor} passed");
        }
    }
}
