//! What normalisation is worth on given data: the same model trained without it and with each kind of it, over learning rates and
//! seeds, and the figures that its promised benefits can be judged by.
//!
//! [`Ablation::run`] trains and gives a [`Run`] for each variant, rate and seed; [`Summary::of`] condenses them, and
//! [`curves`] makes lines of them to draw.

mod curve;
mod figure;
mod run;
mod spread;
mod summary;
mod variant;

pub use curve::{Curve, curves};
pub use figure::figure;
pub use run::{Ablation, Divergence, Run};
pub use spread::Spread;
pub use summary::{Cell, Judged, Standing, Summary, common_goal};
pub use variant::Variant;
