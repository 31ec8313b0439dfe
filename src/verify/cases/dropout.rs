//! Dropout: which elements are dropped must agree to the bit.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, LENGTHS, Numbers};
use crate::kernels::{Dropout, DropoutMask, DropoutMaskSlots, DropoutSlots, Options};

fn key(b: &mut Builder) -> [u32; 2] {
    [0; 2].map(|_: u32| (b.draw.below(1 << 16) << 16 | b.draw.below(1 << 16)) as u32)
}

fn rate(b: &mut Builder) -> f32 {
    let any = b.draw.unit().abs();
    [0.0, 0.1, 0.5, 0.999, any][b.draw.below(5)]
}

pub(super) fn dropout_mask(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let (key, rate) = (key(b), rate(b));
    let mask = b.output("mask", n, false, At::Aligned);
    DropoutMask::record(key, rate, &mut b.plan, DropoutMaskSlots { mask });
}

/// Whole sequences, with factors that all or some axes share.
pub(super) fn dropout(b: &mut Builder, _: &Options) {
    let tiny = b.perhaps_tiny_bindings();
    let steps = b.draw.size(&[1, 2, 3, 5, 10], 16);
    let samples = b.draw.size(&[1, 2, 3, 16, 17, 31, 64], 256);
    let features = if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.size(&FEATURES, 64) };
    let (key, rate, accumulate) = (key(b), rate(b), b.draw.one_in(2));
    let mut stride = |stride: usize| if b.draw.one_in(3) { 0 } else { stride as u32 };
    let kernel = Dropout {
        samples: samples as u32,
        features: features as u32,
        step_stride: stride(samples * features),
        sample_stride: stride(features),
        feature_stride: stride(1),
        key_0: key[0],
        key_1: key[1],
        rate,
        accumulate: accumulate.into(),
        ..bytemuck::Zeroable::zeroed()
    };
    let rows = steps * samples;
    let x = b.input("x", rows * features, Numbers::Shifted);
    let y = b.output("y", rows * features, accumulate, At::Aligned);
    kernel.record_whole(rows, &mut b.plan, DropoutSlots { x, y });
}
