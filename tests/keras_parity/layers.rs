//! Layers without variables from a case's config.

use std::sync::Arc;

use gatenorm::model::{Activation, Dropout, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, Layer, Masking};

use serde_json::{Value, json};

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
        "Activation" => {
            let name = config.take("activation");
            Arc::new(Activation::from_name(name.as_str().expect("a name")).ok()?)
        }
        "Flatten" => {
            config.expect("data_format", &[Value::Null, json!("channels_last")]);
            Arc::new(Flatten::new())
        }
        "GlobalAveragePooling1D" | "GlobalMaxPooling1D" => {
            config.expect("data_format", &[Value::Null, json!("channels_last")]);
            let keepdims = config.take("keepdims").as_bool().unwrap_or(false);
            match class {
                "GlobalAveragePooling1D" => Arc::new(GlobalAveragePooling1D::new().keepdims(keepdims)),
                _ => Arc::new(GlobalMaxPooling1D::new().keepdims(keepdims)),
            }
        }
        _ => return None,
    })
}
