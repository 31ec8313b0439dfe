//! One golden case: its configuration and its tensors.

use std::collections::HashMap;
use std::path::Path;

use gatenorm::data::Dataset;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A case as the file holds it; integers are widened too.
#[derive(Clone)]
pub struct Golden {
    pub config: Value,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    pub fn read(path: &Path) -> Golden {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let config = metadata.metadata().as_ref().and_then(|m| m.get("config")).expect("a config in the metadata");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F32 => numbers(view.data(), |b| f32::from_le_bytes(b) as f64),
                Dtype::F64 => numbers(view.data(), f64::from_le_bytes),
                Dtype::I32 => numbers(view.data(), |b| i32::from_le_bytes(b) as f64),
                other => panic!("{}: `{name}` has the type {other:?}", path.display()),
            };
            (name, (view.shape().to_vec(), values))
        });
        Golden { config: serde_json::from_str(config).expect("JSON"), tensors: tensors.collect() }
    }

    /// Shape and values of a tensor.
    pub fn tensor(&self, name: &str) -> Option<&(Vec<usize>, Vec<f64>)> {
        self.tensors.get(name)
    }

    /// The truth: the tensor in double precision.
    pub fn truth(&self, name: &str) -> Option<&[f64]> {
        self.tensors.get(&format!("f64/{name}")).map(|(_, values)| values.as_slice())
    }

    /// The case that begins at neighbours of its initial weights: each of them the next number above or below in single precision, or
    /// itself, at random.
    pub fn neighbour(&self, seed: u64) -> Golden {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut moved = |value: f64| match rng.random_range(0..3) {
            0 => f64::from((value as f32).next_down()),
            1 => f64::from((value as f32).next_up()),
            _ => value,
        };
        let mut golden = self.clone();
        for name in self.names("init/") {
            let (_, values) = golden.tensors.get_mut(&format!("init/{name}")).expect("listed");
            values.iter_mut().for_each(|value| *value = moved(*value));
        }
        golden
    }

    /// Names after a prefix, sorted.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.tensors.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect();
        names.sort();
        names
    }

    pub fn number(&self, key: &str) -> usize {
        self.config[key].as_u64().unwrap_or(0) as usize
    }

    /// Keras's own error in single precision.
    pub fn observed(&self, kind: &str, name: Option<&str>) -> Option<f64> {
        let of_kind = &self.config["observed_float32_error"][kind];
        match name {
            Some(name) => of_kind[name].as_f64(),
            None => of_kind.as_f64(),
        }
    }

    /// The same of one tensor, of which the case holds both.
    pub fn error(&self, name: &str) -> Option<f64> {
        let (_, single) = self.tensor(name)?;
        let differences = single.iter().zip(self.truth(name)?).map(|(single, truth)| (single - truth).abs());
        Some(differences.fold(0.0, f64::max))
    }

    /// All rows of the case.
    pub fn dataset(&self) -> Dataset {
        let single = |name: &str| {
            let (shape, values) = self.tensor(name).unwrap_or_else(|| panic!("no tensor `{name}`"));
            (values.iter().map(|&v| v as f32).collect::<Vec<f32>>(), shape.clone())
        };
        let ((x, x_shape), (y, y_shape)) = (single("x"), single("y"));
        let mut data = Dataset::from_arrays(x, &x_shape, y, &y_shape).expect("a data set");
        for state in ["h", "c"].iter().filter(|_| self.tensor("h0").is_some()) {
            let ((x, x_shape), (y, y_shape)) = (single(&format!("{state}0")), single(&format!("y_{state}")));
            data = data.with_input(x, &x_shape).and_then(|d| d.with_target(y, &y_shape)).expect("a state");
        }
        match self.tensor("sample_weight") {
            Some((shape, values)) => {
                let weights = values.iter().map(|&v| v as f32).collect();
                data.with_sample_weight(weights, shape).expect("a weight for each sample")
            }
            None => data,
        }
    }

    /// Rows of each training step.
    pub fn batches(&self) -> Vec<Vec<u32>> {
        let Some((shape, rows)) = self.tensor("train/batch_index") else { return Vec::new() };
        rows.chunks(shape[1]).map(|rows| rows.iter().filter(|&&r| r >= 0.0).map(|&r| r as u32).collect()).collect()
    }
}

fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.chunks_exact(N).map(|b| read(b.try_into().expect("N bytes"))).collect()
}
