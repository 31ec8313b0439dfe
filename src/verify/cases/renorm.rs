//! Batch renormalisation.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use crate::kernels::{
    Options, RenormCorrection, RenormCorrectionSlots, RenormGrad, RenormGradSlots, RenormMoving, RenormMovingSlots,
    RenormScale, RenormScaleSlots,
};

const EPSILON: f32 = 1e-3;

fn features(b: &mut Builder) -> usize {
    b.draw.size(&[1, 2, 63, 64, 65, 127, 300], 1 << 12)
}

pub(super) fn correction(b: &mut Builder, _: &Options) {
    let features = features(b);
    let [mean, variance] = [("mean", Numbers::Logits), ("variance", Numbers::Positive)]
        .map(|(name, numbers)| b.input(name, features, numbers));
    let [renorm_mean, renorm_stddev] = [("renorm_mean", Numbers::Logits), ("renorm_stddev", Numbers::Positive)]
        .map(|(name, numbers)| b.input(name, features, numbers));
    let correction = b.output("correction", 2 * features, false, At::Aligned);
    let clipped = b.draw.one_in(2);
    let [r_min, r_max, d_max] = if clipped { [0.7, 1.5, 0.5] } else { [0.0, f32::MAX, f32::MAX] };
    let step = RenormCorrection { features: features as u32, epsilon: EPSILON, r_min, r_max, d_max };
    let slots = RenormCorrectionSlots { mean, variance, renorm_mean, renorm_stddev, correction };
    step.record(&mut b.plan, slots);
}

pub(super) fn scale(b: &mut Builder, options: &Options) {
    let features = features(b);
    let correction = b.input("correction", 2 * features, Numbers::Logits);
    let [gamma, beta] = [("SCALE", "gamma"), ("CENTER", "beta")]
        .map(|(option, name)| (options.get(option) != 0).then(|| b.input(name, features, Numbers::Logits)));
    let [scale, offset] = ["scale", "offset"].map(|name| b.output(name, features, false, At::Aligned));
    let slots = RenormScaleSlots { correction, gamma, beta, scale, offset };
    RenormScale { features: features as u32 }.record(&mut b.plan, slots);
}

pub(super) fn grad(b: &mut Builder, _: &Options) {
    let features = features(b);
    let [correction, sums] = ["correction", "sums"].map(|name| b.input(name, 2 * features, Numbers::Logits));
    let dgamma = b.output("dgamma", features, true, At::Aligned);
    let accumulate = b.draw.one_in(2);
    RenormGrad::record(accumulate, &mut b.plan, RenormGradSlots { correction, sums, dgamma });
}

pub(super) fn moving(b: &mut Builder, _: &Options) {
    let features = features(b);
    let health = b.health();
    let [mean, moving_mean, renorm_mean] =
        ["mean", "moving_mean", "renorm_mean"].map(|name| b.input(name, features, Numbers::Logits));
    let [variance, moving_variance, moving_stddev, renorm_stddev] =
        ["variance", "moving_variance", "moving_stddev", "renorm_stddev"]
            .map(|name| b.input(name, features, Numbers::Positive));
    let step = RenormMoving {
        features: features as u32,
        epsilon: EPSILON,
        momentum: 0.99,
        one_minus_momentum: 0.01,
        renorm_momentum: 0.9,
        one_minus_renorm_momentum: 0.1,
    };
    let slots = RenormMovingSlots {
        mean,
        variance,
        health,
        moving_mean,
        moving_variance,
        moving_stddev,
        renorm_mean,
        renorm_stddev,
    };
    step.record(&mut b.plan, slots);
}
