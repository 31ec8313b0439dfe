//! What a training step takes: memory, in which activations whose lives are over make room for others, and steps of its plan.

use gatenorm::data::Dataset;
use gatenorm::memory_plan::MemoryPlan;
use gatenorm::model::{Bidirectional, Mode};
use gatenorm::plan::Plan;
use gatenorm::prelude::*;

/// How much more memory than the least may be taken.
const MOST: f64 = 1.3;

fn data(samples: usize, [steps, features]: [usize; 2]) -> Dataset {
    let x = (0..samples * steps * features).map(|i| (i as f32 * 0.618).fract()).collect();
    let y = (0..samples).map(|i| (i % 2) as f32).collect();
    Dataset::from_arrays(x, &[samples, steps, features], y, &[samples, 1]).expect("a data set")
}

fn plan(batch: usize, shape: [usize; 2], model: Sequential) -> Plan {
    let mut model = model
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::Cpu, Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])
        .expect("a sound model");
    model.plan(&data(batch, shape), Mode::Train, batch).expect("a sound plan")
}

fn memory(batch: usize, shape: [usize; 2], model: Sequential) -> MemoryPlan {
    plan(batch, shape, model).memory().clone()
}

fn stacked(shape: [usize; 2], [first, second]: [usize; 2]) -> Sequential {
    Sequential::new(&shape)
        .add(Lstm::new(first).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(second))
}

#[track_caller]
fn is_enough(memory: &MemoryPlan) {
    let MemoryPlan { shared, unshared, least, .. } = *memory;
    assert!(shared >= least && least > 0, "{shared} bytes for {least}");
    assert!(shared as f64 <= MOST * least as f64, "{shared} bytes where {least} are needed at once");
    assert!(shared < unshared, "{shared} bytes where {unshared} would be without sharing");
}

#[test]
fn a_training_step_takes_little_more_memory_than_what_it_needs_at_once() {
    for (batch, shape, units) in [(32, [10, 1], [64, 32]), (64, [100, 8], [64, 32]), (128, [100, 32], [128, 128])] {
        is_enough(&memory(batch, shape, stacked(shape, units)));
    }
}

#[test]
fn a_bidirectional_model_takes_little_more_memory_than_what_it_needs_at_once() {
    let shape = [20, 4];
    let both = |units: usize, sequences: bool| Bidirectional::new(Lstm::new(units).return_sequences(sequences));
    is_enough(&memory(16, shape, Sequential::new(&shape).add(both(32, true)).add(both(16, false))));
}

#[test]
fn a_training_step_of_the_lessons_model_is_done_in_few_steps() {
    let plan = plan(32, [10, 1], stacked([10, 1], [64, 32]));
    assert!(plan.steps().len() <= 28, "{plan}");
}
