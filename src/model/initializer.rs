//! First values of variables, as Keras draws them, from a seeded generator.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::weight_args::{keras_object, number};
use crate::error::{Error, Result};

/// How a variable begins. The draws are not Keras's, whose generators differ between its backends; the distributions are.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// One value for all.
    Constant(f64),
    /// Normal.
    RandomNormal {
        /// Its mean; Keras's default is 0.
        mean: f64,
        /// Its standard deviation; Keras's default is 0.05.
        stddev: f64,
    },
    /// Uniform.
    RandomUniform {
        /// The least; Keras's default is -0.05.
        minval: f64,
        /// The largest; Keras's default is 0.05.
        maxval: f64,
    },
    /// Normal, drawn again where it is further than two standard deviations from the mean.
    TruncatedNormal {
        /// The mean; Keras's default is 0.
        mean: f64,
        /// The standard deviation of the normal distribution before it is cut; Keras's default is 0.05.
        stddev: f64,
    },
    /// Of the variance scale / n, n the number of inputs, outputs, or their mean.
    VarianceScaling {
        /// Keras's default is 1.
        scale: f64,
        /// What n is.
        mode: Fan,
        /// Its shape.
        distribution: Distribution,
    },
    /// Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).
    GlorotUniform,
    /// Truncated normal of the variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010).
    GlorotNormal,
    /// Uniform in ±sqrt(6 / fan_in) (He et al. 2015).
    HeUniform,
    /// Truncated normal of the variance 2 / fan_in (He et al. 2015).
    HeNormal,
    /// Uniform in ±sqrt(3 / fan_in) (LeCun et al. 1998).
    LecunUniform,
    /// Truncated normal of the variance 1 / fan_in (LeCun et al. 1998).
    LecunNormal,
    /// `gain` times a random orthogonal matrix (Saxe et al. 2014).
    Orthogonal {
        /// Keras's default is 1.
        gain: f64,
    },
    /// `gain` times the identity matrix.
    Identity {
        /// Keras's default is 1.
        gain: f64,
    },
    /// Drawn from a seed of its own, not from the model's.
    Seeded(u64, Box<Initializer>),
    /// The bias of an LSTM of so many gates, of which the last three are f, c, o: ones for the forget gate (Jozefowicz et al. 2015),
    /// the others as they would be.
    UnitForgetBias(usize, Box<Initializer>),
    /// Square roots of what another draws: the standard deviations of batch renormalisation.
    SquareRoot(Box<Initializer>),
}

/// What [`Initializer::VarianceScaling`] divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// Inputs, `fan_in`.
    In,
    /// Outputs, `fan_out`.
    Out,
    /// Their mean, `fan_avg`.
    Average,
}

/// How [`Initializer::VarianceScaling`] draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// `uniform`
    Uniform,
    /// `truncated_normal`, cut at two standard deviations and widened so that the variance is right all the same.
    TruncatedNormal,
    /// `untruncated_normal`
    UntruncatedNormal,
}

/// The standard deviation of a standard normal distribution that is cut at ±2.
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// Draws from a seed of its own.
    pub fn seeded(self, seed: u64) -> Self {
        Initializer::Seeded(seed, Box::new(self))
    }

    /// What is wrong with its arguments, or with a variable of this shape.
    pub fn check(&self, shape: &[usize]) -> Result<()> {
        let wrong = |why: String| Err(Error::usage(why));
        match *self {
            Initializer::Identity { .. } if shape.len() != 2 => {
                wrong(format!("the initializer `identity` makes matrices, and the shape is {shape:?}"))
            }
            Initializer::Orthogonal { .. } if shape.len() < 2 => {
                wrong(format!("the initializer `orthogonal` needs two axes, and the shape is {shape:?}"))
            }
            Initializer::VarianceScaling { scale, .. } if !(scale > 0.0 && scale.is_finite()) => {
                wrong(format!("variance scaling needs a scale above 0, not {scale}"))
            }
            Initializer::RandomNormal { mean, stddev } | Initializer::TruncatedNormal { mean, stddev }
                if !(mean.is_finite() && stddev >= 0.0 && stddev.is_finite()) =>
            {
                wrong(format!("a mean of {mean} and a standard deviation of {stddev} make no normal distribution"))
            }
            Initializer::RandomUniform { minval, maxval } if !(minval <= maxval && (maxval - minval).is_finite()) => {
                wrong(format!("there is nothing to draw from {minval} to {maxval}"))
            }
            Initializer::Constant(value)
            | Initializer::Orthogonal { gain: value }
            | Initializer::Identity { gain: value }
                if !value.is_finite() =>
            {
                wrong(format!("the first values would be {value}"))
            }
            Initializer::Seeded(_, ref inner) | Initializer::SquareRoot(ref inner) => inner.check(shape),
            Initializer::UnitForgetBias(gates, ref inner) => inner.check(&[shape.iter().product::<usize>() / gates]),
            _ => Ok(()),
        }
    }

    /// Values of this shape, in Keras's order.
    pub fn draw(&self, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
        let len = shape.iter().product();
        let scaled = |scale, mode, distribution| Initializer::VarianceScaling { scale, mode, distribution };
        match *self {
            Initializer::Zeros => vec![0.0; len],
            Initializer::Ones => vec![1.0; len],
            Initializer::Constant(value) => vec![value as f32; len],
            Initializer::RandomNormal { mean, stddev } => {
                (0..len).map(|_| (mean + stddev * normal(rng)) as f32).collect()
            }
            Initializer::RandomUniform { minval, maxval } if minval < maxval => {
                (0..len).map(|_| rng.random_range(minval..maxval) as f32).collect()
            }
            Initializer::RandomUniform { minval, .. } => vec![minval as f32; len],
            Initializer::TruncatedNormal { mean, stddev } => {
                (0..len).map(|_| (mean + stddev * cut_normal(rng)) as f32).collect()
            }
            Initializer::VarianceScaling { scale, mode, distribution } => {
                let (fan_in, fan_out) = fans(shape);
                let n = match mode {
                    Fan::In => fan_in,
                    Fan::Out => fan_out,
                    Fan::Average => (fan_in + fan_out) / 2.0,
                };
                distribution.of_deviation((scale / n.max(1.0)).sqrt()).draw(shape, rng)
            }
            Initializer::GlorotUniform => scaled(1.0, Fan::Average, Distribution::Uniform).draw(shape, rng),
            Initializer::GlorotNormal => scaled(1.0, Fan::Average, Distribution::TruncatedNormal).draw(shape, rng),
            Initializer::HeUniform => scaled(2.0, Fan::In, Distribution::Uniform).draw(shape, rng),
            Initializer::HeNormal => scaled(2.0, Fan::In, Distribution::TruncatedNormal).draw(shape, rng),
            Initializer::LecunUniform => scaled(1.0, Fan::In, Distribution::Uniform).draw(shape, rng),
            Initializer::LecunNormal => scaled(1.0, Fan::In, Distribution::TruncatedNormal).draw(shape, rng),
            Initializer::Orthogonal { gain } => {
                let cols = shape.last().copied().unwrap_or(1);
                orthogonal(len / cols.max(1), cols, gain, rng)
            }
            Initializer::Identity { gain } => {
                let cols = shape.last().copied().unwrap_or(1);
                (0..len).map(|i| if i / cols == i % cols { gain as f32 } else { 0.0 }).collect()
            }
            Initializer::Seeded(seed, ref inner) => inner.draw(shape, &mut ChaCha8Rng::seed_from_u64(seed)),
            Initializer::SquareRoot(ref inner) => inner.draw(shape, rng).into_iter().map(f32::sqrt).collect(),
            Initializer::UnitForgetBias(gates, ref inner) => {
                let units = len / gates;
                let [mut bias, rest] = [gates - 3, 2].map(|gates| match gates {
                    0 => Vec::new(),
                    _ => inner.draw(&[gates * units], rng),
                });
                bias.extend(std::iter::repeat_n(1.0, units).chain(rest));
                bias
            }
        }
    }

    /// The object of Keras's files.
    pub(crate) fn config(&self) -> Value {
        let (class, mut config) = self.class_and_config();
        let random = !matches!(class, "Zeros" | "Ones" | "Constant" | "Identity");
        if let Initializer::Seeded(seed, _) = self {
            config.insert("seed".into(), (*seed).into());
        } else if random {
            config.insert("seed".into(), Value::Null);
        }
        keras_object("keras.initializers", class, config)
    }

    fn class_and_config(&self) -> (&'static str, Map<String, Value>) {
        let with = |class, values: &[(&str, f64)]| {
            (class, values.iter().map(|&(name, value)| (name.to_owned(), number(value))).collect())
        };
        match *self {
            Initializer::Zeros => with("Zeros", &[]),
            Initializer::Ones => with("Ones", &[]),
            Initializer::Constant(value) => with("Constant", &[("value", value)]),
            Initializer::RandomNormal { mean, stddev } => with("RandomNormal", &[("mean", mean), ("stddev", stddev)]),
            Initializer::RandomUniform { minval, maxval } => {
                with("RandomUniform", &[("minval", minval), ("maxval", maxval)])
            }
            Initializer::TruncatedNormal { mean, stddev } => {
                with("TruncatedNormal", &[("mean", mean), ("stddev", stddev)])
            }
            Initializer::VarianceScaling { scale, mode, distribution } => {
                let (class, mut config) = with("VarianceScaling", &[("scale", scale)]);
                config.insert("mode".into(), json!(mode.name()));
                config.insert("distribution".into(), json!(distribution.name()));
                (class, config)
            }
            Initializer::GlorotUniform => with("GlorotUniform", &[]),
            Initializer::GlorotNormal => with("GlorotNormal", &[]),
            Initializer::HeUniform => with("HeUniform", &[]),
            Initializer::HeNormal => with("HeNormal", &[]),
            Initializer::LecunUniform => with("LecunUniform", &[]),
            Initializer::LecunNormal => with("LecunNormal", &[]),
            Initializer::Orthogonal { gain } => with("Orthogonal", &[("gain", gain)]),
            Initializer::Identity { gain } => with("Identity", &[("gain", gain)]),
            Initializer::Seeded(_, ref inner)
            | Initializer::UnitForgetBias(_, ref inner)
            | Initializer::SquareRoot(ref inner) => inner.class_and_config(),
        }
    }
}

impl Fan {
    /// All of them.
    pub const ALL: [Fan; 3] = [Fan::In, Fan::Out, Fan::Average];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Fan::In => "fan_in",
            Fan::Out => "fan_out",
            Fan::Average => "fan_avg",
        }
    }
}

impl Distribution {
    /// All of them.
    pub const ALL: [Distribution; 3] =
        [Distribution::Uniform, Distribution::TruncatedNormal, Distribution::UntruncatedNormal];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::TruncatedNormal => "truncated_normal",
            Distribution::UntruncatedNormal => "untruncated_normal",
        }
    }

    /// What draws numbers of mean 0 and this standard deviation.
    fn of_deviation(self, deviation: f64) -> Initializer {
        let limit = 3f64.sqrt() * deviation;
        match self {
            Distribution::Uniform => Initializer::RandomUniform { minval: -limit, maxval: limit },
            Distribution::TruncatedNormal => {
                Initializer::TruncatedNormal { mean: 0.0, stddev: deviation / CUT_DEVIATION }
            }
            Distribution::UntruncatedNormal => Initializer::RandomNormal { mean: 0.0, stddev: deviation },
        }
    }
}

/// `fan_in` and `fan_out`: the last two axes, each times all axes before them; of a vector its length, twice.
fn fans(shape: &[usize]) -> (f64, f64) {
    match *shape {
        [] => (1.0, 1.0),
        [n] => (n as f64, n as f64),
        [ref window @ .., fan_in, fan_out] => {
            let window: f64 = window.iter().map(|&n| n as f64).product();
            (window * fan_in as f64, window * fan_out as f64)
        }
    }
}

/// Rows (or columns, whichever are fewer) drawn from a normal distribution and made orthonormal by Gram-Schmidt, done twice
/// so that rounding does not leave them oblique, then times `gain`.
fn orthogonal(rows: usize, cols: usize, gain: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let (count, len) = (rows.min(cols), rows.max(cols));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut vector: Vec<f64> = (0..len).map(|_| normal(rng)).collect();
        for _ in 0..2 {
            for other in &basis {
                let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|a| *a /= norm);
        basis.push(vector);
    }
    let at = |row: usize, col: usize| if rows <= cols { basis[row][col] } else { basis[col][row] };
    (0..rows * cols).map(|i| (gain * at(i / cols, i % cols)) as f32).collect()
}

/// A normal deviate by Box and Muller's transform.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A normal deviate within ±2.
fn cut_normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let z = normal(rng);
        if z.abs() <= 2.0 {
            return z;
        }
    }
}

#[cfg(test)]
mod tests;
