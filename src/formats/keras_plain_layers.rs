//! Layers without variables from Keras's JSON.

use std::sync::Arc;

use serde_json::Value;

use super::keras_args::{Args, Read, count};
use crate::model::{
    Activation, Concatenate, Dropout, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, Layer, Masking, Merge,
    RepeatVector, Rescaling, Reshape, SpatialDropout1D,
};

/// The classes, for messages.
pub(super) const SUPPORTED: &str = "Masking, Dropout, SpatialDropout1D, Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Activation, Flatten, Reshape, RepeatVector, GlobalAveragePooling1D, GlobalMaxPooling1D, Rescaling";

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
        "Activation" => Arc::new(activation(args)?),
        "Flatten" => {
            channels_last(args)?;
            Arc::new(Flatten::new())
        }
        "Reshape" => Arc::new(reshape(args)?),
        "Rescaling" => Arc::new(Rescaling::new(args.number("scale", 1.0)?).offset(args.number("offset", 0.0)?)),
        "RepeatVector" => Arc::new(RepeatVector::new(args.count("n")?)),
        "GlobalAveragePooling1D" => {
            channels_last(args)?;
            Arc::new(GlobalAveragePooling1D::new().keepdims(args.flag("keepdims", false)?))
        }
        "GlobalMaxPooling1D" => {
            channels_last(args)?;
            Arc::new(GlobalMaxPooling1D::new().keepdims(args.flag("keepdims", false)?))
        }
        _ => match Merge::ALL.into_iter().find(|merge| merge.class_name() == class) {
            Some(merge) => Arc::new(merge),
            None => return Ok(None),
        },
    };
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

fn activation(args: &mut Args<'_>) -> Read<Activation> {
    if args.get("activation").is_none() {
        return Err(args.missing("activation"));
    }
    let names = [&Activation::ALL.map(Activation::name)[..], &[Activation::Softmax.name()]].concat();
    let name = args.name_of("activation", "linear", &names)?;
    Activation::from_name(name).map_err(|error| error.to_string())
}

fn channels_last(args: &mut Args<'_>) -> Read<()> {
    args.name_of("data_format", "channels_last", &["channels_last"]).map(drop)
}

/// Of one axis the size may be -1 or null.
fn reshape(args: &mut Args<'_>) -> Read<Reshape> {
    let value = args.get("target_shape").ok_or_else(|| args.missing("target_shape"))?;
    let open = |value: &Value| value.is_null() || value.as_i64() == Some(-1);
    let axis = |value: &Value| if open(value) { Some(None) } else { count(value).map(Some) };
    let axes = value.as_array().and_then(|axes| axes.iter().map(axis).collect::<Option<Vec<_>>>());
    let axes = axes.ok_or_else(|| args.wrong("target_shape", value, "a list of sizes, one of which may be -1"))?;
    Ok(Reshape::new(&axes))
}
