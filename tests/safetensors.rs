//! Weights as `.safetensors` files: both namings there and back, and files that are refused.

use std::collections::BTreeMap;
use std::path::Path;

use gatenorm::formats::WeightNames;
use gatenorm::model::{Bidirectional, Embedding, Gru, TimeDistributed};
use gatenorm::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

fn compiled(layers: Sequential) -> Model {
    layers.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap()
}

/// A layer of each kind that PyTorch has a module for.
fn all(seed: u64) -> Model {
    let layers = Sequential::new(&[5, 3])
        .seed(seed)
        .add(Normalization::new())
        .add(Lstm::new(4).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Bidirectional::new(Lstm::new(3).return_sequences(true)))
        .add(Gru::new(2).return_sequences(true))
        .add(LayerNormalization::new())
        .add(TimeDistributed::new(Dense::new(3)))
        .add(Bidirectional::new(Gru::new(2).use_bias(false)))
        .add(BatchNormalization::new().center(false).scale(false))
        .add(Dense::new(1).use_bias(false));
    let mut model = compiled(layers);
    // All of them different, and variances above 0.
    let weights = model.weights().unwrap();
    let stirred: Vec<(String, Vec<f32>)> = weights
        .into_iter()
        .enumerate()
        .map(|(i, w)| (w.path, w.values.iter().enumerate().map(|(j, v)| v.abs() + 0.01 * (i + j + 1) as f32).collect()))
        .collect();
    model.set_weights(stirred.iter().map(|(path, values)| (path.as_str(), values.as_slice()))).unwrap();
    model
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, t)| (name.to_owned(), (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

fn write(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn floats((dtype, _, bytes): &(Dtype, Vec<usize>, Vec<u8>)) -> Vec<f32> {
    assert_eq!(*dtype, Dtype::F32);
    bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn weights_come_back_to_the_bit_under_either_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = all(1);
    for names in WeightNames::ALL {
        let path = folder.path().join("a.safetensors");
        model.save_safetensors(&path, names).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        model.save_safetensors(&path, names).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the same model gives the same bytes");
        let mut other = all(2);
        assert_ne!(other.weights().unwrap(), model.weights().unwrap());
        other.load_weights(&path).unwrap();
        assert_eq!(other.weights().unwrap(), model.weights().unwrap(), "{names:?}");
    }
    let path = folder.path().join("b.safetensors");
    model.save_weights(&path).unwrap();
    assert!(tensors(&path).contains_key("layers/lstm/cell/vars/0"));
}

#[test]
fn pytorch_gets_its_own_names_and_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut model = all(1);
    model.save_safetensors(&path, WeightNames::PyTorch).unwrap();
    let found = tensors(&path);
    let shapes: Vec<(&str, &[usize])> =
        found.iter().map(|(name, (_, shape, _))| (name.as_str(), shape.as_slice())).collect();
    let expected: Vec<(&str, &[usize])> = vec![
        ("batch_normalization.bias", &[4]),
        ("batch_normalization.num_batches_tracked", &[]),
        ("batch_normalization.running_mean", &[4]),
        ("batch_normalization.running_var", &[4]),
        ("batch_normalization.weight", &[4]),
        ("batch_normalization_1.num_batches_tracked", &[]),
        ("batch_normalization_1.running_mean", &[4]),
        ("batch_normalization_1.running_var", &[4]),
        ("bidirectional.bias_hh_l0", &[12]),
        ("bidirectional.bias_hh_l0_reverse", &[12]),
        ("bidirectional.bias_ih_l0", &[12]),
        ("bidirectional.bias_ih_l0_reverse", &[12]),
        ("bidirectional.weight_hh_l0", &[12, 3]),
        ("bidirectional.weight_hh_l0_reverse", &[12, 3]),
        ("bidirectional.weight_ih_l0", &[12, 4]),
        ("bidirectional.weight_ih_l0_reverse", &[12, 4]),
        ("bidirectional_1.weight_hh_l0", &[6, 2]),
        ("bidirectional_1.weight_hh_l0_reverse", &[6, 2]),
        ("bidirectional_1.weight_ih_l0", &[6, 3]),
        ("bidirectional_1.weight_ih_l0_reverse", &[6, 3]),
        ("dense.weight", &[1, 4]),
        ("gru.bias_hh_l0", &[6]),
        ("gru.bias_ih_l0", &[6]),
        ("gru.weight_hh_l0", &[6, 2]),
        ("gru.weight_ih_l0", &[6, 6]),
        ("layer_normalization.bias", &[2]),
        ("layer_normalization.weight", &[2]),
        ("lstm.bias_hh_l0", &[16]),
        ("lstm.bias_ih_l0", &[16]),
        ("lstm.weight_hh_l0", &[16, 4]),
        ("lstm.weight_ih_l0", &[16, 3]),
        ("normalization.mean", &[3]),
        ("normalization.variance", &[3]),
        ("time_distributed.bias", &[3]),
        ("time_distributed.weight", &[3, 2]),
    ];
    assert_eq!(shapes, expected);
    // Row 5 of [16, 3] is unit 1 of the forget gate.
    let kernel = model.variable("lstm/kernel").unwrap();
    assert_eq!(f64::from(floats(&found["lstm.weight_ih_l0"])[5 * 3 + 2]), kernel[2 * 16 + 5]);
    assert!(floats(&found["lstm.bias_hh_l0"]).iter().all(|&v| v == 0.0));
    // r comes first, which is Keras's second.
    let bias: Vec<f32> = model.variable("gru/bias").unwrap().into_iter().map(|v| v as f32).collect();
    assert_eq!(floats(&found["gru.bias_hh_l0"]), [bias[8], bias[9], bias[6], bias[7], bias[10], bias[11]]);
}

#[test]
fn both_biases_of_pytorch_count_and_doubles_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut model = compiled(Sequential::new(&[5, 3]).add(Lstm::new(2)));
    model.save_safetensors(&path, WeightNames::PyTorch).unwrap();
    let mut found = tensors(&path);
    let second: Vec<f32> = (0..8).map(|i| i as f32).collect();
    found.insert("lstm.bias_hh_l0".into(), (Dtype::F32, vec![8], f32_bytes(&second)));
    let doubles = [0.25f64; 8].iter().flat_map(|v| v.to_le_bytes()).collect();
    found.insert("lstm.bias_ih_l0".into(), (Dtype::F64, vec![8], doubles));
    write(&path, &found);
    model.load_weights(&path).unwrap();
    let expected: Vec<f64> = (0..8).map(|i| f64::from(i) + 0.25).collect();
    assert_eq!(model.variable("lstm/bias").unwrap(), expected);
}

/// Loading is refused with these words, and the model is as it was.
fn refused(model: &mut Model, path: &Path, words: &[&str]) {
    let before = model.weights().unwrap();
    let error = model.load_weights(path).unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error:?}");
    let text = error.to_string();
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is missing from: {text}"));
    assert_eq!(model.weights().unwrap(), before);
}

#[test]
fn wrong_files_are_named_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut model = all(1);
    model.save_safetensors(&path, WeightNames::PyTorch).unwrap();
    let good = tensors(&path);
    let changed = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = good.clone();
        change(&mut tensors);
        write(&path, &tensors);
    };
    changed(&|t| drop(t.remove("gru.weight_hh_l0")));
    refused(&mut model, &path, &["PyTorch's names", "missing: gru.weight_hh_l0"]);
    changed(&|t| drop(t.insert("lstm.weight_ih_l1".into(), t["lstm.weight_ih_l0"].clone())));
    refused(&mut model, &path, &["not of the model: lstm.weight_ih_l1"]);
    changed(&|t| drop(t.remove("batch_normalization.num_batches_tracked")));
    model.load_weights(&path).unwrap();
    let shaped = |shape: &[usize], values: Vec<u8>| (Dtype::F32, shape.to_vec(), values);
    changed(&|t| drop(t.insert("dense.weight".into(), shaped(&[4, 1], f32_bytes(&[0.0; 4])))));
    refused(&mut model, &path, &["`dense.weight` (of `dense/kernel`) has the shape [4, 1]", "[1, 4]"]);
    changed(&|t| drop(t.insert("dense.weight".into(), shaped(&[1, 4], f32_bytes(&[0.0, f32::NAN, 0.0, 0.0])))));
    refused(&mut model, &path, &["`dense.weight`", "NaN at element 1"]);
    changed(&|t| {
        drop(t.insert("batch_normalization.running_var".into(), shaped(&[4], f32_bytes(&[1.0, -1.0, 1.0, 1.0]))))
    });
    refused(&mut model, &path, &["running_var", "-1", "at least 0"]);
    changed(&|t| drop(t.insert("dense.weight".into(), (Dtype::F16, vec![1, 4], vec![0; 8]))));
    refused(&mut model, &path, &["`dense.weight`", "F16", "32-bit floats"]);
    changed(&|t| t.clear());
    refused(&mut model, &path, &["Keras's names", "missing: layers/", "more"]);
    changed(&|t| {
        t.clear();
        t.insert("of_another_program".into(), shaped(&[1], f32_bytes(&[0.0])));
    });
    refused(&mut model, &path, &["missing"]);
    let error = model.load_weights(folder.path().join("no.safetensors")).unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut model = compiled(Sequential::new(&[3]).add(Dense::new(2)));
    model.save_weights(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        refused(&mut model, &path, &["no whole .safetensors file"]);
    }
}

#[test]
fn what_pytorch_does_not_have_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let lstm = || Lstm::new(2);
    let sequence = || Sequential::new(&[5, 3]);
    let models = [
        (
            sequence().add(lstm().activation(Activation::Relu)),
            "layer `lstm` (LSTM): nn.LSTM has the activations tanh and sigmoid",
        ),
        (sequence().add(Gru::new(2).reset_after(false)), "`reset_after=True`"),
        (sequence().add(lstm().peepholes(true)), "(PeepholeLSTM): PyTorch has no such module"),
        (sequence().add(lstm().layer_norm()), "(LayerNormLSTM)"),
        (sequence().add(BatchNormalization::new().scale(false)), "gamma and beta, or neither"),
        (sequence().add(BatchNormalization::new().renorm(true)), "renormalisation"),
        (sequence().add(LayerNormalization::new().scale(false)), "`scale=True`"),
        (sequence().add_named("a.b", std::sync::Arc::new(Dense::new(2))), "a `.`"),
        (
            sequence().add(Bidirectional::new(lstm()).backward_layer(Gru::new(2).go_backwards(true))),
            "its two layers differ",
        ),
    ];
    for (layers, words) in models {
        let mut model = compiled(layers);
        let text = model.save_safetensors(&path, WeightNames::PyTorch).unwrap_err().to_string();
        assert!(text.contains(words) && text.contains("take Keras's names"), "{text}");
        assert!(!path.exists());
        model.save_safetensors(&path, WeightNames::Keras).unwrap();
        model.load_weights(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    let mut words = Functional::new();
    let ids = words.input("ids", &[4]).unwrap();
    let table = words.add(Embedding::new(9, 2), &[ids]).unwrap();
    let mut model = words.outputs(&[table]).compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
    model.save_safetensors(&path, WeightNames::PyTorch).unwrap();
    assert_eq!(tensors(&path)["embedding.weight"].1, [9, 2]);
    let mut peepholes = compiled(sequence().add(lstm().peepholes(true)));
    refused(&mut peepholes, &path, &["none of its tensors", "layers/peephole_lstm/cell/vars/0", "no such module"]);
}
