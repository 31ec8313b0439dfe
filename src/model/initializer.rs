//! First values of variables, as Keras draws them, from a seeded generator.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// How a variable begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// One number for all.
    Constant(f64),
    /// Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).
    GlorotUniform,
    /// A random orthogonal matrix (Saxe et al. 2014).
    Orthogonal,
    /// The bias of an LSTM: zeros, but ones for the forget gate (Jozefowicz et al. 2015).
    UnitForgetBias,
}

impl Initializer {
    /// Values of this shape, in Keras's order.
    pub fn draw(self, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
        let len = shape.iter().product();
        match self {
            Initializer::Zeros => vec![0.0; len],
            Initializer::Ones => vec![1.0; len],
            Initializer::Constant(value) => vec![value as f32; len],
            Initializer::GlorotUniform => {
                let fans: usize = shape.iter().rev().take(2).sum();
                let limit = (6.0 / fans.max(1) as f64).sqrt();
                (0..len).map(|_| rng.random_range(-limit..limit) as f32).collect()
            }
            Initializer::Orthogonal => orthogonal(shape[0], len / shape[0].max(1), rng),
            Initializer::UnitForgetBias => {
                let units = len / 4;
                (0..len).map(|i| if i / units == 1 { 1.0 } else { 0.0 }).collect()
            }
        }
    }
}

/// Rows (or columns, whichever are fewer) drawn from a normal distribution and made orthonormal by Gram-Schmidt, done twice
/// so that rounding does not leave them oblique.
fn orthogonal(rows: usize, cols: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
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
    (0..rows * cols).map(|i| at(i / cols, i % cols) as f32).collect()
}

/// A normal deviate by Box and Muller's transform.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(1)
    }

    #[test]
    fn orthogonal_rows_are_orthonormal_when_wide_and_columns_when_tall() {
        for (rows, cols) in [(6, 24), (24, 6), (5, 5)] {
            let w = Initializer::Orthogonal.draw(&[rows, cols], &mut rng());
            let (count, at): (usize, Box<dyn Fn(usize, usize) -> f32>) = match rows <= cols {
                true => (rows, Box::new(move |v, i| w[v * cols + i])),
                false => (cols, Box::new(move |v, i| w[i * cols + v])),
            };
            for a in 0..count {
                for b in 0..count {
                    let dot: f32 = (0..rows.max(cols)).map(|i| at(a, i) * at(b, i)).sum();
                    assert!((dot - f32::from(u8::from(a == b))).abs() < 1e-5, "{rows}x{cols}: {a}·{b} = {dot}");
                }
            }
        }
    }

    #[test]
    fn glorot_stays_within_its_limit_and_fills_it() {
        let w = Initializer::GlorotUniform.draw(&[30, 70], &mut rng());
        let (limit, largest) = ((6.0f32 / 100.0).sqrt(), w.iter().fold(0f32, |m, v| m.max(v.abs())));
        assert!(largest <= limit && largest > 0.98 * limit);
    }

    #[test]
    fn the_forget_gate_is_the_second_of_four() {
        assert_eq!(Initializer::UnitForgetBias.draw(&[8], &mut rng()), [0., 0., 1., 1., 0., 0., 0., 0.]);
    }
}
