//! Layers without variables from Keras's JSON.

use std::sync::Arc;

use serde_json::Value;

use super::keras_args::{Args, Read, count};
use crate::model::{Concatenate, Dropout, Layer, Masking, Merge, SpatialDropout1D};

/// The classes, for messages.
pub(super) const SUPPORTED: &str =
    "Masking, Dropout, SpatialDropout1D, Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate";

/// The layer of this class, if it is one without variables.
pub(super) fn read(class: &str, args: &mut Args<'_>) -> Read<Option<Arc<dyn Layer>>> {
    let layer: Arc<dyn Layer> = match class {
        "Masking" => Arc::new(Masking::new().mask_value(args.number("mask_value", 0.0)?)),
        "Dropout" => Arc::new(dropout(args)?),
        "SpatialDropout1D" => {
            let layer = SpatialDropout1D::new(rate(args)?);
            Arc::new(seed(args)?.map_or(layer.clone(), |seed| layer.seed(seed)))
        }
        "Concatenate" => Arc::new(concatenate(args)?),
        _ => match Merge::ALL.into_iter().find(|merge| merge.class_name() == class) {
            Some(merge) => Arc::new(merge),
            None => return Ok(None),
        },
    };
    // There is nothing to train.
    args.ignore(&["trainable"]);
    args.in_f32()?;
    Ok(Some(layer))
}

fn dropout(args: &mut Args<'_>) -> Read<Dropout> {
    let mut layer = Dropout::new(rate(args)?);
    if let Some(seed) = seed(args)? {
        layer = layer.seed(seed);
    }
    let Some(value) = args.get("noise_shape") else { return Ok(layer) };
    let axis = |value: &Value| if value.is_null() { Some(None) } else { count(value).map(Some) };
    let axes = value.as_array().and_then(|axes| axes.iter().map(axis).collect::<Option<Vec<_>>>());
    let axes = axes.ok_or_else(|| args.wrong("noise_shape", value, "a list of null, 1 and the sizes of axes"))?;
    Ok(layer.noise_shape(&axes))
}

fn rate(args: &mut Args<'_>) -> Read<f64> {
    match args.get("rate") {
        Some(value) => value.as_f64().ok_or_else(|| args.wrong("rate", value, "a number from 0 to below 1")),
        None => Err(args.missing("rate")),
    }
}

/// The seed of a layer's random numbers, which are not Keras's.
fn seed(args: &mut Args<'_>) -> Read<Option<u64>> {
    let Some(value) = args.get("seed") else { return Ok(None) };
    value.as_u64().map(Some).ok_or_else(|| args.wrong("seed", value, "null, or a whole number from 0"))
}

fn concatenate(args: &mut Args<'_>) -> Read<Concatenate> {
    let Some(value) = args.get("axis") else { return Ok(Concatenate::new()) };
    let axis = value.as_i64().ok_or_else(|| args.wrong("axis", value, "a whole number"))?;
    Ok(Concatenate::new().axis(axis))
}
