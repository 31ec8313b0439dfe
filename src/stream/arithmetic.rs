//! Loops over the numbers of one row.

use crate::kernels::activation::activation_value;
use crate::kernels::fast::{sigmoid, tanh, vectorised};
use crate::model::Activation;

/// `y[n] += x[k]·w[k, n]`, four rows of w at a time, so that y is loaded and stored once for four.
pub(super) fn add_product(x: &[f32], w: &[f32], y: &mut [f32]) {
    let n = y.len();
    vectorised(
        #[inline(always)]
        |fma| {
            let (fours, rest) = x.as_chunks::<4>();
            for (x, w) in fours.iter().zip(w.chunks_exact(4 * n)) {
                let (w0, w) = w.split_at(n);
                let (w1, w) = w.split_at(n);
                let (w2, w3) = w.split_at(n);
                for j in 0..n {
                    y[j] += fma.add(x[0], w0[j], x[1] * w1[j]) + fma.add(x[2], w2[j], x[3] * w3[j]);
                }
            }
            for (x, w) in rest.iter().zip(w[4 * n * fours.len()..].chunks_exact(n)) {
                for j in 0..n {
                    y[j] = fma.add(*x, w[j], y[j]);
                }
            }
        },
    );
}

/// The activation of every number, in place.
pub(super) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Linear => {}
        Activation::Sigmoid => vectorised(
            #[inline(always)]
            |fma| values.iter_mut().for_each(|v| *v = sigmoid(fma, *v)),
        ),
        Activation::Tanh => vectorised(
            #[inline(always)]
            |fma| values.iter_mut().for_each(|v| *v = tanh(fma, *v)),
        ),
        other => match other.code() {
            Some(code) => values.iter_mut().for_each(|v| *v = activation_value(code, *v)),
            None => softmax(values),
        },
    }
}

fn softmax(values: &mut [f32]) {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|v| *v = (*v - most).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}
