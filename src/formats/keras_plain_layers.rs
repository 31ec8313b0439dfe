//! Layers without variables from Keras's JSON.

use std::sync::Arc;

use super::keras_args::{Args, Read};
use crate::model::{Layer, Masking};

/// The classes, for messages.
pub(super) const SUPPORTED: &str = "Masking";

/// The layer of this class, if it is one without variables.
pub(super) fn read(class: &str, args: &mut Args<'_>) -> Read<Option<Arc<dyn Layer>>> {
    let layer: Arc<dyn Layer> = match class {
        "Masking" => Arc::new(Masking::new().mask_value(args.number("mask_value", 0.0)?)),
        _ => return Ok(None),
    };
    // There is nothing to train.
    args.ignore(&["trainable"]);
    args.in_f32()?;
    Ok(Some(layer))
}
