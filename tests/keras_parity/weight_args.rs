//! Regularizers and constraints of a case.

use gatenorm::model::{Constraint, Regularizer};
use serde_json::Value;

use crate::build::{Taking, taking};

/// The class of an argument that is an object, and its numbers.
fn object(config: &mut Taking<'_>, key: &str) -> Option<(String, Value)> {
    let value = config.take(key);
    let class = value["class_name"].as_str()?.to_owned();
    Some((class, value["config"].clone()))
}

pub fn regularizer(config: &mut Taking<'_>, key: &str) -> Option<Regularizer> {
    let (class, arguments) = object(config, key)?;
    let place = format!("{} {key}", config.what);
    let mut arguments = taking(&place, &arguments, config.missing);
    let mut number = |key, default| arguments.take(key).as_f64().unwrap_or(default);
    let regularizer = match class.as_str() {
        "L1" => Regularizer::l1(number("l1", 0.01)),
        "L2" => Regularizer::l2(number("l2", 0.01)),
        "L1L2" => Regularizer::l1_l2(number("l1", 0.0), number("l2", 0.0)),
        other => {
            arguments.missing.insert(format!("{place}={other}"));
            return None;
        }
    };
    arguments.finish();
    Some(regularizer)
}

pub fn constraint(config: &mut Taking<'_>, key: &str) -> Option<Constraint> {
    let (class, arguments) = object(config, key)?;
    let place = format!("{} {key}", config.what);
    let mut arguments = taking(&place, &arguments, config.missing);
    let axes = match arguments.take("axis") {
        Value::Array(axes) => axes.iter().filter_map(Value::as_i64).collect(),
        axis => vec![axis.as_i64().unwrap_or(0)],
    };
    let mut number = |key, default| arguments.take(key).as_f64().unwrap_or(default);
    let constraint = match class.as_str() {
        "MaxNorm" => Constraint::MaxNorm { max_value: number("max_value", 2.0), axes },
        "NonNeg" => Constraint::NonNeg,
        "UnitNorm" => Constraint::UnitNorm { axes },
        "MinMaxNorm" => Constraint::MinMaxNorm {
            min_value: number("min_value", 0.0),
            max_value: number("max_value", 1.0),
            rate: number("rate", 1.0),
            axes,
        },
        other => {
            arguments.missing.insert(format!("{place}={other}"));
            return None;
        }
    };
    arguments.finish();
    Some(constraint)
}
