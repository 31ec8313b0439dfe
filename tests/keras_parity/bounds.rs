//! How far a result may be from Keras's in double precision, and the worst found.

use std::collections::HashMap;
use std::rc::Rc;

use crate::golden::Golden;

/// The precision of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Single,
    Double,
}

impl Precision {
    /// Half the distance of 1 to the next number.
    pub fn unit_roundoff(self) -> f64 {
        match self {
            Precision::Single => f32::EPSILON as f64 / 2.0,
            Precision::Double => f64::EPSILON / 2.0,
        }
    }
}

/// How far each element of what training leaves behind moves, at most, where the initial weights move to neighbouring numbers of single
/// precision ([`Golden::neighbour`]) and all else is computed in double precision.
#[derive(Debug, Default)]
pub struct Sway(HashMap<String, Vec<f64>>);

impl Sway {
    /// Takes in how far one neighbour's results are from those of the case itself.
    pub fn widen(&mut self, case: &Tally, neighbour: &Tally) {
        for (what, values) in &neighbour.got {
            let distances = values.iter().zip(&case.got[what]).map(|(a, b)| (a - b).abs());
            let known = self.0.entry(what.clone()).or_insert_with(|| vec![0.0; values.len()]);
            known.iter_mut().zip(distances).for_each(|(known, distance)| *known = known.max(distance));
        }
    }

    /// Whether nothing is known of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What an element may be off by because of it.
    fn allowed(&self, what: &str, index: usize) -> f64 {
        self.0.get(what).map_or(0.0, |of| 4.0 * of[index])
    }
}

/// Comparisons of one case on one device.
#[derive(Debug)]
pub struct Tally {
    pub precision: Precision,
    pub sway: Rc<Sway>,
    /// What was computed.
    pub got: HashMap<String, Vec<f64>>,
    pub compared: usize,
    /// Largest share of a tolerance used, and where.
    pub worst: (f64, String),
    pub failures: Vec<String>,
}

impl Tally {
    pub fn new(precision: Precision, sway: Rc<Sway>) -> Tally {
        let worst = (0.0, "nothing".into());
        Tally { precision, sway, got: HashMap::new(), compared: 0, worst, failures: Vec::new() }
    }

    /// Compares a tensor with the truth; anything not finite, or of another length, fails.
    pub fn compare(&mut self, what: &str, got: &[f64], truth: &[f64], tolerance: f64) {
        self.compared += 1;
        if got.len() != truth.len() || truth.is_empty() {
            self.failures.push(format!("{what}: {} values, {} expected", got.len(), truth.len()));
            return;
        }
        self.got.insert(what.to_owned(), got.to_vec());
        let allowed = |index: usize| tolerance.max(self.sway.allowed(what, index));
        let shares =
            got.iter().zip(truth).enumerate().map(|(i, (got, truth))| (i, share((got - truth).abs(), allowed(i))));
        let (index, share) = shares.fold((0, 0.0), |a, b| if b.1 > a.1 { b } else { a });
        if share > 1.0 {
            let (got, truth, allowed) = (got[index], truth[index], allowed(index));
            let distance = (got - truth).abs();
            let failure =
                format!("{what}[{index}]: {got} against {truth}, off by {distance:.2e}, tolerance {allowed:.2e}");
            self.failures.push(failure);
        }
        if share > self.worst.0 {
            self.worst = (share, what.to_owned());
        }
    }
}

/// The share of what is allowed that a distance uses: above 1 where it goes beyond, or where either is no number.
fn share(distance: f64, allowed: f64) -> f64 {
    match distance <= allowed {
        true if distance == 0.0 => 0.0,
        true => distance / allowed,
        false => (distance / allowed).max(1.0).next_up(),
    }
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

/// Terms that a value of the model's output, or of a gradient, is a sum of, layer after layer and step after step.
pub fn terms(golden: &Golden) -> f64 {
    let shape: Vec<usize> = serde_json::from_value(golden.config["input_shape"].clone()).expect("input_shape");
    let (steps, mut features) = (if shape.len() == 2 { shape[0] } else { 1 }, shape[shape.len() - 1]);
    let rows = steps * golden.number("first_batch_rows");
    let mut terms = 0;
    for layer in golden.config["layers"].as_array().expect("layers") {
        let units = layer["config"]["units"].as_u64().unwrap_or(features as u64) as usize;
        terms += match layer["class_name"].as_str() {
            Some("LSTM") => steps * (features + units),
            // And of each step three sums over the batch.
            Some("RecurrentBatchNormLSTM") => steps * (features + units) + 3 * rows,
            Some("BatchNormalization") => rows,
            _ => features,
        };
        features = units;
    }
    terms as f64
}

/// How far the goldens' own doubles are known: the worst difference between Keras and PyTorch over all cases.
const TRUTH: f64 = 1.7e-13;

/// A single pass may be off by 4 times Keras's own error, or by what rounding does to a sum of n terms: with high probability
/// λ √n u of its largest value (Higham & Mary 2019, theorem 2.4), λ = 4, whichever is larger.
pub fn single_pass(golden: &Golden, precision: Precision, truth: &[f64], observed: Option<f64>) -> f64 {
    let rounding = 4.0 * terms(golden).sqrt() * precision.unit_roundoff() * largest(truth);
    match precision {
        Precision::Single => rounding.max(4.0 * observed.unwrap_or(0.0)),
        Precision::Double => rounding.max(TRUTH),
    }
}

/// A trajectory may be off by 4 times Keras's own error, but is allowed one ulp of its largest value per step.
pub fn trajectory(golden: &Golden, precision: Precision, truth: &[f64], observed: Option<f64>) -> f64 {
    let ulp = 2.0 * precision.unit_roundoff() * largest(truth).max(f64::MIN_POSITIVE);
    let floor = golden.number("n_steps").max(1) as f64 * ulp;
    match precision {
        Precision::Single => floor.max(4.0 * observed.unwrap_or(0.0)),
        Precision::Double => floor.max(TRUTH),
    }
}
