//! Layers without variables from a case's config.

use std::sync::Arc;

use gatenorm::model::{Layer, Masking};

use crate::build::Taking;

/// The layer of this class, if it is one without variables.
pub fn plain(class: &str, config: &mut Taking<'_>) -> Option<Arc<dyn Layer>> {
    Some(match class {
        "Masking" => Arc::new(Masking::new().mask_value(config.take("mask_value").as_f64().expect("mask_value"))),
        _ => return None,
    })
}
