//! What callbacks keep over a checkpoint, as JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// A callback's state in words.
pub(super) fn write(state: &impl Serialize) -> Result<String> {
    serde_json::to_string(state).map_err(|e| Error::usage(format!("a callback's state cannot be saved: {e}")))
}

/// The same back.
pub(super) fn read<S: DeserializeOwned>(of: &str, text: &str) -> Result<S> {
    let wrong = |e| {
        let advice = "resume with the same callbacks in the same order";
        Error::usage(format!("{of} cannot go on from what the checkpoint holds ({e}): {advice}"))
    };
    serde_json::from_str(text).map_err(wrong)
}

/// Numbers by their bits: JSON knows neither NaN nor infinity.
pub(super) mod exact {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        value.map(f64::to_bits).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(f64::from_bits))
    }
}
