//! The values that a hyper-parameter may have, and drawing one.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::{Error, Result};

/// The values of a number.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// From the one to the other, both included.
    Between(f64, f64),
    /// One of these, each as likely.
    OneOf(Vec<f64>),
}

/// How a number is drawn from between two others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Each as likely.
    Even,
    /// Each order of magnitude as likely.
    Logarithmic,
}

impl Values {
    /// This value alone.
    pub fn fixed(value: f64) -> Values {
        Values::OneOf(vec![value])
    }

    /// The smallest.
    pub fn least(&self) -> f64 {
        match self {
            Values::Between(least, _) => *least,
            Values::OneOf(values) => values.iter().copied().fold(f64::INFINITY, f64::min),
        }
    }

    /// The largest.
    pub fn most(&self) -> f64 {
        match self {
            Values::Between(_, most) => *most,
            Values::OneOf(values) => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// Refuses what nothing can be drawn from, and values out of bounds.
    pub(super) fn check(&self, name: &str, (least, most): (f64, f64)) -> Result<()> {
        let refuse = |why: String| Err(Error::usage(format!("the space of {name}: {why}")));
        let all = match self {
            Values::Between(from, to) if from > to => {
                return refuse(format!("{from} is more than {to}: turn them round"));
            }
            Values::Between(from, to) => &[*from, *to][..],
            Values::OneOf(values) => values,
        };
        match all.iter().find(|value| !(least..=most).contains(*value)) {
            Some(value) if most == f64::MAX => refuse(format!("{value} is not above 0")),
            Some(value) if most < 1.0 => refuse(format!("{value} is not from 0 to less than 1")),
            Some(value) => refuse(format!("{value} is not from {least} to {most}")),
            None if all.is_empty() => refuse("there is no value to draw".into()),
            None => Ok(()),
        }
    }

    /// A number; from between two others it has three significant digits, so that it can be typed again.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng, scale: Scale) -> f64 {
        match *self {
            Values::OneOf(ref values) => values[rng.random_range(0..values.len())],
            Values::Between(least, most) => rounded(between(least, most, rng, scale)).clamp(least, most),
        }
    }

    /// A whole number.
    pub(super) fn draw_whole(&self, rng: &mut ChaCha8Rng, scale: Scale) -> usize {
        let value = match *self {
            Values::OneOf(_) => self.draw(rng, scale),
            // The first and the last number have as much room as those between.
            Values::Between(least, most) => between(least - 0.5, most + 0.5, rng, scale).round().clamp(least, most),
        };
        value as usize
    }
}

fn between(least: f64, most: f64, rng: &mut ChaCha8Rng, scale: Scale) -> f64 {
    let share: f64 = rng.random();
    match scale {
        Scale::Even => least + (most - least) * share,
        Scale::Logarithmic => (least.ln() + (most.ln() - least.ln()) * share).exp(),
    }
}

fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
