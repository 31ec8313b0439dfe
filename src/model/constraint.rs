//! What weights must be after each step of training.

use serde_json::{Map, Value, json};

use super::layer::Layout;
use super::weight_args::{keras_object, number};
use crate::error::{Error, Result};

/// Holds a variable to a set of values after the optimiser's update, as Keras's constraints of the same names.
///
/// Norms are Euclidean and taken along `axes` of Keras's shape, which count from the end where they are negative: 0 of a kernel
/// `[inputs, units]` holds each unit's incoming weights. No axes mean all.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// Weights whose norm is larger are scaled down to it.
    MaxNorm {
        /// The largest norm; Keras's default is 2.
        max_value: f64,
        /// Keras's default is 0.
        axes: Vec<i64>,
    },
    /// Negative weights become 0.
    NonNeg,
    /// Weights are scaled to the norm 1.
    UnitNorm {
        /// Keras's default is 0.
        axes: Vec<i64>,
    },
    /// Weights are scaled to the norm rate·clip(norm, min_value, max_value) + (1 - rate)·norm.
    MinMaxNorm {
        /// The least norm; Keras's default is 0.
        min_value: f64,
        /// The largest; Keras's default is 1.
        max_value: f64,
        /// How much of the way is gone at each step; Keras's default is 1.
        rate: f64,
        /// Keras's default is 0.
        axes: Vec<i64>,
    },
}

/// A norm constraint as the device computes it: w·desired / (norm + 1e-7), desired = rate·clip(norm, least, largest) +
/// (1 - rate)·norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NormBounds {
    pub least: f64,
    pub largest: f64,
    pub rate: f64,
}

/// Which elements of a variable, in C order, belong to one norm: those that differ in `reduced` alone in `[outer, reduced, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    pub outer: usize,
    pub reduced: usize,
    pub inner: usize,
}

impl Constraint {
    /// Each unit's incoming weights have at most this norm.
    pub fn max_norm(max_value: f64) -> Self {
        Constraint::MaxNorm { max_value, axes: vec![0] }
    }

    /// Each unit's incoming weights have the norm 1.
    pub fn unit_norm() -> Self {
        Constraint::UnitNorm { axes: vec![0] }
    }

    /// Each unit's incoming weights have a norm from `min_value` to `max_value`.
    pub fn min_max_norm(min_value: f64, max_value: f64) -> Self {
        Constraint::MinMaxNorm { min_value, max_value, rate: 1.0, axes: vec![0] }
    }

    /// Norms along other axes.
    pub fn along(mut self, along: &[i64]) -> Self {
        match &mut self {
            Constraint::MaxNorm { axes, .. } | Constraint::UnitNorm { axes } | Constraint::MinMaxNorm { axes, .. } => {
                *axes = along.to_vec();
            }
            Constraint::NonNeg => {}
        }
        self
    }

    /// What is wrong with its arguments, or with a variable of this shape.
    pub(super) fn check(&self, shape: &[usize], layout: Layout) -> Result<()> {
        if let Some(NormBounds { least, largest, rate }) = self.bounds() {
            if !(0.0 <= least && least <= largest && largest.is_finite()) {
                return Err(Error::usage(format!(
                    "no norm lies from {least} to {largest}, which a constraint asks for"
                )));
            }
            if !(0.0..=1.0).contains(&rate) {
                return Err(Error::usage(format!("the rate of min_max_norm must be from 0 to 1, not {rate}")));
            }
        }
        let groups = self.groups(shape)?;
        if matches!(layout, Layout::Gates([_, _, ..])) && self.bounds().is_some() && groups.inner > 1 {
            return Err(Error::usage(format!(
                "a norm along axis 0 of {shape:?}, whose rows lie in different orders on the device; supported here are norms along axis 1 or of all"
            )));
        }
        Ok(())
    }

    /// Of a norm constraint its bounds.
    pub(super) fn bounds(&self) -> Option<NormBounds> {
        match *self {
            Constraint::NonNeg => None,
            Constraint::MaxNorm { max_value, .. } => Some(NormBounds { least: 0.0, largest: max_value, rate: 1.0 }),
            Constraint::UnitNorm { .. } => Some(NormBounds { least: 1.0, largest: 1.0, rate: 1.0 }),
            Constraint::MinMaxNorm { min_value, max_value, rate, .. } => {
                Some(NormBounds { least: min_value, largest: max_value, rate })
            }
        }
    }

    fn axes(&self) -> &[i64] {
        match self {
            Constraint::MaxNorm { axes, .. } | Constraint::UnitNorm { axes } | Constraint::MinMaxNorm { axes, .. } => {
                axes
            }
            Constraint::NonNeg => &[],
        }
    }

    /// The elements of each norm, of a shape in Keras's order or on the device: a [`super::Layout`] changes the order within the
    /// last axis only, which one norm takes whole or a single element of, and adds zeros to it.
    pub(super) fn groups(&self, shape: &[usize]) -> Result<Groups> {
        let rank = shape.len();
        let mut reduced = vec![self.axes().is_empty(); rank];
        for &axis in self.axes() {
            let from_start = if axis < 0 { axis + rank as i64 } else { axis };
            match usize::try_from(from_start).ok().and_then(|axis| reduced.get_mut(axis)) {
                Some(reduced) => *reduced = true,
                None => {
                    return Err(Error::usage(format!(
                        "a constraint along axis {axis} of {shape:?}, which has {rank} axes"
                    )));
                }
            }
        }
        let first = reduced.iter().position(|&r| r).unwrap_or(0);
        let end = reduced.iter().rposition(|&r| r).map_or(0, |last| last + 1);
        if reduced[first..end].contains(&false) {
            return Err(Error::usage(format!(
                "a constraint along the axes {:?} of {shape:?}: supported here are axes next to each other",
                self.axes()
            )));
        }
        let size = |range: &[usize]| range.iter().product();
        Ok(Groups { outer: size(&shape[..first]), reduced: size(&shape[first..end]), inner: size(&shape[end..]) })
    }

    /// The object of Keras's files.
    pub(crate) fn config(&self) -> Value {
        let axis = match self.axes() {
            [] => Value::Null,
            [axis] => json!(axis),
            axes => json!(axes),
        };
        let with = |class, values: &[(&str, f64)]| {
            let mut config: Map<String, Value> =
                values.iter().map(|&(name, value)| (name.to_owned(), number(value))).collect();
            config.insert("axis".into(), axis.clone());
            keras_object("keras.constraints", class, config)
        };
        match *self {
            Constraint::NonNeg => keras_object("keras.constraints", "NonNeg", Map::new()),
            Constraint::MaxNorm { max_value, .. } => with("MaxNorm", &[("max_value", max_value)]),
            Constraint::UnitNorm { .. } => with("UnitNorm", &[]),
            Constraint::MinMaxNorm { min_value, max_value, rate, .. } => {
                with("MinMaxNorm", &[("min_value", min_value), ("max_value", max_value), ("rate", rate)])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_taken_along_any_axes_that_lie_together() {
        let groups = |axes: &[i64], shape: &[usize]| {
            let Groups { outer, reduced, inner } = Constraint::unit_norm().along(axes).groups(shape).expect("they do");
            [outer, reduced, inner]
        };
        assert_eq!(groups(&[0], &[5, 8]), [1, 5, 8]);
        assert_eq!(groups(&[-1], &[5, 8]), [5, 8, 1]);
        assert_eq!(groups(&[0, 1], &[5, 8]), [1, 40, 1]);
        assert_eq!(groups(&[], &[5, 8]), [1, 40, 1]);
        assert_eq!(groups(&[0], &[8]), [1, 8, 1]);
        assert_eq!(groups(&[-2, 0], &[3, 5, 8]), [1, 15, 8]);
        assert_eq!(groups(&[1], &[3, 5, 8]), [3, 5, 8]);
    }

    #[test]
    fn what_no_weights_can_meet_is_refused() {
        let refused = |constraint: Constraint, words: &str| {
            let error = constraint.check(&[3, 4, 5], Layout::Plain).expect_err("it is wrong").to_string();
            assert!(error.contains(words), "`{words}` is not in: {error}");
        };
        refused(Constraint::max_norm(-1.0), "no norm lies from 0 to -1");
        refused(Constraint::max_norm(f64::NAN), "no norm");
        refused(Constraint::min_max_norm(2.0, 1.0), "from 2 to 1");
        refused(Constraint::unit_norm().along(&[3]), "axis 3 of [3, 4, 5]");
        refused(Constraint::unit_norm().along(&[-4]), "axis -4");
        refused(Constraint::unit_norm().along(&[0, 2]), "next to each other");
        let rate = Constraint::MinMaxNorm { min_value: 0.0, max_value: 1.0, rate: 1.5, axes: vec![0] };
        refused(rate, "rate");
        let biases = Constraint::max_norm(1.0).check(&[2, 6], Layout::GRU_BIASES).expect_err("it is wrong");
        assert!(biases.to_string().contains("along axis 1 or of all"), "{biases}");
        assert!(Constraint::max_norm(1.0).along(&[1]).check(&[2, 6], Layout::GRU_BIASES).is_ok());
        assert!(Constraint::NonNeg.check(&[4], Layout::Plain).is_ok());
    }
}
