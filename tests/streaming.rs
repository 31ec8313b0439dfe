//! Rows that come one by one: the same predictions as of the whole sequence so far, without allocating.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gatenorm::data::Dataset;
use gatenorm::model::{ANY_LENGTH, Bidirectional, Flatten, Gru, Masking, Rescaling};
use gatenorm::prelude::*;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FEATURES: usize = 3;
const ROWS: usize = 12;

fn rows() -> Vec<[f32; FEATURES]> {
    (0..ROWS).map(|i| std::array::from_fn(|f| ((i * 7 + f * 3) as f32 * 0.61).sin() * 2.0 + f as f32)).collect()
}

/// Weights and statistics that are none of them 0 or 1.
fn stirred(mut model: Model) -> Model {
    let weights = model.weights().unwrap();
    for (n, weight) in weights.iter().enumerate() {
        let positive = weight.path.contains("variance");
        let value = |i: usize| ((i * 31 + n * 17) as f32 * 0.37).sin() * 0.4;
        let values: Vec<f32> =
            (0..weight.values.len()).map(|i| if positive { 0.6 + value(i) } else { value(i) }).collect();
        model.set_weights([(weight.path.as_str(), values.as_slice())]).unwrap();
    }
    model
}

fn compiled(layers: Sequential) -> Model {
    stirred(layers.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap())
}

fn front() -> Sequential {
    Sequential::new(&[ANY_LENGTH, FEATURES]).add(Normalization::new())
}

/// Each row's prediction is that of the sequence that ends with it.
#[track_caller]
fn agrees(what: &str, mut model: Model) {
    let (rows, mut predictor) = (rows(), model.predictor().unwrap());
    let width = predictor.outputs();
    for again in 0..2 {
        for n in 1..=ROWS {
            let x: Vec<f32> = rows[..n].concat();
            let data = Dataset::from_arrays(x, &[1, n, FEATURES], vec![], &[]).unwrap();
            let whole = model.predict(&data).unwrap();
            let found = predictor.step(&rows[n - 1]).unwrap();
            let expected = &whole[whole.len() - width..];
            for (f, e) in found.iter().zip(expected) {
                assert!(
                    (f - e).abs() <= 1e-5 * e.abs().max(1.0),
                    "{what}, row {n}, pass {again}: {found:?}, {expected:?}"
                );
            }
        }
        predictor.reset();
    }
}

#[test]
fn a_row_gives_what_the_sequence_that_ends_with_it_gives() {
    let lstm = Lstm::new(7);
    agrees(
        "the lesson's kind",
        compiled(
            front()
                .add(lstm.clone().return_sequences(true))
                .add(BatchNormalization::new())
                .add(Dropout::new(0.5))
                .add(Lstm::new(5))
                .add(BatchNormalization::new())
                .add(Dense::new(2).activation(Activation::Sigmoid)),
        ),
    );
    let scaled = front().add(Gru::new(3)).add(Dense::new(1)).add(Rescaling::new(40.0).offset(-3.0));
    agrees("targets scaled back", compiled(scaled));
    agrees("an output for each step", compiled(front().add(lstm.clone().return_sequences(true)).add(Dense::new(1))));
    agrees(
        "without bias",
        compiled(front().add(lstm.use_bias(false)).add(Dense::new(3).activation(Activation::Softmax))),
    );
    let odd = Lstm::new(6).activation(Activation::Gelu).recurrent_activation(Activation::HardSigmoid);
    agrees("other activations", compiled(front().add(odd).add(Dense::new(1).activation(Activation::Softplus))));
    for reset_after in [true, false] {
        for use_bias in [true, false] {
            let gru = Gru::new(6).reset_after(reset_after).use_bias(use_bias);
            let what = format!("GRU, reset_after {reset_after}, use_bias {use_bias}");
            agrees(&what, compiled(front().add(gru).add(Dense::new(1))));
        }
    }
}

#[test]
fn masked_rows_leave_the_state_alone() {
    let layers = || {
        let front = Sequential::new(&[ANY_LENGTH, FEATURES]).add(Masking::new().mask_value(9.0));
        front.add(Lstm::new(4).return_sequences(true)).add(Gru::new(5)).add(Dense::new(1))
    };
    let mut with = compiled(layers()).predictor().unwrap();
    let mut without = compiled(layers()).predictor().unwrap();
    for row in rows() {
        let expected = without.step(&row).unwrap().to_vec();
        assert_eq!(with.step(&row).unwrap(), expected);
        assert_eq!(with.step(&[9.0; FEATURES]).unwrap(), expected);
    }
}

#[test]
fn a_step_allocates_nothing() {
    let lstm = front().add(Lstm::new(64).return_sequences(true)).add(BatchNormalization::new()).add(Gru::new(32));
    let mut predictor = compiled(lstm.add(Dense::new(1).activation(Activation::Sigmoid))).predictor().unwrap();
    let rows = rows();
    let before = ALLOCATIONS.with(Cell::get);
    for row in &rows {
        predictor.step(row).unwrap();
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    drop(vec![0u8; 100]);
    assert_eq!(ALLOCATIONS.with(Cell::get), before + 1, "allocations are counted");
}

#[test]
fn models_that_need_more_than_the_past_are_refused_by_name() {
    let refused = |layers: Sequential, words: &[&str]| {
        let error = compiled(layers).predictor().unwrap_err().to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "`{word}` is missing from: {error}"));
    };
    let steps = || Sequential::new(&[4, FEATURES]);
    refused(steps().add(Bidirectional::new(Lstm::new(3))), &["`bidirectional`", "Bidirectional", "one by one"]);
    refused(steps().add(Lstm::new(3).go_backwards(true)), &["`lstm`", "go_backwards"]);
    refused(steps().add(Flatten::new()).add(Dense::new(1)), &["`flatten`", "Flatten"]);
    refused(steps().add(BatchNormalization::new().axis(1)).add(Lstm::new(2)), &["axis 1"]);
    let mut fits = compiled(front().add(Lstm::new(2))).predictor().unwrap();
    let error = fits.step(&[1.0]).unwrap_err().to_string();
    assert!(error.contains("3 numbers") && error.contains("not 1"), "{error}");
}
