//! Which variant computes a kernel: what was measured is kept, and a run goes on by what it began with.

mod common;

use std::sync::Arc;

use gatenorm::data::Dataset;
use gatenorm::exec::{Choices, Device, DeviceOptions, Executor, Gpu, GpuExecutor, tune};
use gatenorm::model::Mode;
use gatenorm::plan::Plan;
use gatenorm::prelude::*;
use serde_json::Value;

const STEPS: usize = 3;
const BATCH: usize = 8;

fn data() -> Dataset {
    let x = (0..2 * BATCH * STEPS * 4).map(|i| (i as f32 * 0.618).fract() - 0.5).collect();
    let y = (0..2 * BATCH).map(|i| (i % 2) as f32).collect();
    Dataset::from_arrays(x, &[2 * BATCH, STEPS, 4], y, &[2 * BATCH, 1]).unwrap()
}

fn model(gpu: &Gpu) -> Model {
    Sequential::new(&[STEPS, 4])
        .add(Lstm::new(8).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(8))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::Gpu(gpu.clone()), Loss::BinaryCrossentropy, Adam::default(), [])
        .unwrap()
}

fn plan(gpu: &Gpu) -> Plan {
    model(gpu).plan(&data(), Mode::Train, BATCH).unwrap()
}

fn open(cache: &str) -> Option<Gpu> {
    // Variants that somebody insists on would leave nothing to choose.
    common::open(DeviceOptions { cache: Some(cache.to_owned()), variants: Some(String::new()), ..Default::default() })
}

fn variants_of(choices: &Choices, kernel: &str) -> Vec<String> {
    let all = serde_json::to_value(choices).unwrap();
    let of_kernel =
        |(key, name): (&String, &Value)| (key.split(' ').next()? == kernel).then(|| name.as_str())??.to_owned().into();
    all["variants"].as_object().unwrap().iter().filter_map(of_kernel).collect()
}

/// The same choices, but for this kernel by one variant wherever that fits.
fn changed(choices: &Choices, kernel: &str, variant: &str) -> Choices {
    let mut all = serde_json::to_value(choices).unwrap();
    for (key, name) in all["variants"].as_object_mut().unwrap() {
        if key.split(' ').next() == Some(kernel) {
            *name = variant.into();
        }
    }
    serde_json::from_value(all).unwrap()
}

#[test]
fn what_was_measured_is_used_by_the_next_who_opens_the_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().to_str().unwrap();
    let Some(gpu) = open(cache) else { return };
    let rows = tune(&gpu, &plan(&gpu)).unwrap();
    assert!(rows.iter().any(|row| row.key.starts_with("matmul ")));
    for row in &rows {
        assert!(row.times.len() > 1 && row.times.iter().any(|(name, _)| *name == row.choice), "{row:?}");
        assert!(row.times.iter().all(|(_, time)| !time.is_zero()), "{row:?}");
    }
    // What another run finds there, it takes: here every product by what is nobody's first choice.
    let file = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.to_string_lossy().ends_with("tuning.json")).expect("the file");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for row in kept["rows"].as_array_mut().unwrap().iter_mut().filter(|row| row["kernel"] == "matmul") {
        row["choice"] = "tiles32".into();
    }
    std::fs::write(&file, kept.to_string()).unwrap();
    for (cache, all_tiles) in [(cache, true), ("off", false)] {
        let gpu = open(cache).unwrap();
        let mut executor = GpuExecutor::new(&gpu).unwrap();
        executor.prepare(&Arc::new(plan(&gpu))).unwrap();
        let taken = variants_of(&executor.choices().unwrap(), "matmul");
        assert_eq!(taken.iter().all(|name| name == "tiles32"), all_tiles, "{cache}: {taken:?}");
    }
}

#[test]
fn a_saved_model_goes_on_by_the_variants_that_it_began_with() {
    let Some(gpu) = open("off") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let batches = [(0..BATCH as u32).collect::<Vec<_>>(), (BATCH as u32..2 * BATCH as u32).collect()];
    let bits = |model: &mut Model| -> Vec<u32> {
        model.train_on(&data(), &batches[1..]).unwrap();
        model.weights().unwrap().iter().flat_map(|w| w.values.iter().map(|v| v.to_bits())).collect()
    };
    // A run that began by variants that the table would not take.
    let mut begun = model(&gpu);
    begun.train_on(&data(), &batches[..1]).unwrap();
    let table = begun.choices().unwrap();
    let mut begun = model(&gpu);
    begun.set_choices(changed(&table, "matmul", "tiles32"));
    begun.train_on(&data(), &batches[..1]).unwrap();
    let choices = begun.choices().unwrap();
    assert!(choices != table && variants_of(&choices, "matmul").iter().all(|name| name == "tiles32"), "{choices:?}");
    begun.save(&path).unwrap();
    let mut resumed = Model::load(&path, Device::Gpu(gpu.clone())).unwrap();
    assert_eq!(bits(&mut resumed), bits(&mut begun));
    assert_eq!(resumed.choices().unwrap(), choices);
}

#[test]
fn what_computed_a_run_on_another_adapter_does_not_count() {
    let Some(gpu) = open("off") else { return };
    let mut begun = model(&gpu);
    begun.train_on(&data(), &[(0..BATCH as u32).collect()]).unwrap();
    let table = begun.choices().unwrap();
    for (elsewhere, counts) in [(false, true), (true, false)] {
        let mut all = serde_json::to_value(changed(&table, "matmul", "tiles32")).unwrap();
        if elsewhere {
            all["adapter"] = "another-gpu-0123456789abcdef.adapter".into();
        }
        let mut resumed = model(&gpu);
        resumed.set_choices(serde_json::from_value(all).unwrap());
        resumed.train_on(&data(), &[(0..BATCH as u32).collect()]).unwrap();
        assert_eq!(resumed.choices().unwrap() != table, counts, "of another adapter: {elsewhere}");
    }
}
