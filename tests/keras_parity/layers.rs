//! Layers without variables from a case's config.

use std::sync::Arc;

use gatenorm::model::{Dropout, Layer, Masking};

use serde_json::json;

use crate::build::Taking;

/// The layer of this class, if it is one without variables.
pub fn plain(class: &str, config: &mut Taking<'_>) -> Option<Arc<dyn Layer>> {
    Some(match class {
        "Masking" => Arc::new(Masking::new().mask_value(config.take("mask_value").as_f64().expect("mask_value"))),
        "Dropout" | "SpatialDropout1D" => {
            // Random numbers cannot be Keras's.
            config.expect("rate", &[json!(0.0)]);
            ["seed", "noise_shape"].iter().for_each(|key| drop(config.take(key)));
            Arc::new(Dropout::new(0.0))
        }
        _ => return None,
    })
}
