//! Layers beside LSTM, BatchNormalization and Dense from a case's config.

use std::sync::Arc;

use gatenorm::model::{
    Activation, Dropout, Embedding, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, Layer, LayerNormalization,
    Masking, Normalization,
};

use serde_json::{Value, json};

use crate::build::Taking;

/// The layer of this class, if it is one of those here.
pub fn other(class: &str, config: &mut Taking<'_>) -> Option<Arc<dyn Layer>> {
    Some(match class {
        "Masking" => Arc::new(Masking::new().mask_value(config.take("mask_value").as_f64().expect("mask_value"))),
        "Dropout" | "SpatialDropout1D" => {
            // Random numbers cannot be Keras's.
            config.expect("rate", &[json!(0.0)]);
            ["seed", "noise_shape"].iter().for_each(|key| drop(config.take(key)));
            Arc::new(Dropout::new(0.0))
        }
        "Embedding" => {
            // The file gives the first values.
            drop(config.take("embeddings_initializer"));
            ["embeddings_regularizer", "embeddings_constraint"]
                .iter()
                .for_each(|key| config.expect(key, &[Value::Null]));
            let mut count = |key: &str| config.take(key).as_u64().expect("a count") as usize;
            let layer = Embedding::new(count("input_dim"), count("output_dim"));
            Arc::new(layer.mask_zero(config.take("mask_zero").as_bool().unwrap_or(false)))
        }
        "LayerNormalization" => {
            config.expect("axis", &[Value::Null, json!(-1), json!([-1])]);
            config.expect("rms_scaling", &[Value::Null, json!(false)]);
            // The file gives the first values.
            ["beta_initializer", "gamma_initializer"].iter().for_each(|key| drop(config.take(key)));
            for key in ["beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"] {
                config.expect(key, &[Value::Null]);
            }
            let epsilon = config.take("epsilon").as_f64().expect("epsilon");
            let [center, scale] = ["center", "scale"].map(|key| config.take(key).as_bool().unwrap_or(true));
            Arc::new(LayerNormalization::new().epsilon(epsilon).center(center).scale(scale))
        }
        "Normalization" => {
            config.expect("axis", &[Value::Null, json!(-1), json!([-1])]);
            config.expect("invert", &[Value::Null, json!(false)]);
            // The file gives them.
            ["mean", "variance"].iter().for_each(|key| drop(config.take(key)));
            Arc::new(Normalization::new())
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
