//! Variables under their paths in `.keras` files.

use safetensors::Dtype;

use super::{Count, Entry, Source};
use crate::formats::keras_weights;
use crate::model::Network;

/// A tensor for each variable, and for what Keras keeps beside them.
pub(super) fn entries(network: &Network) -> Vec<Entry> {
    let places = keras_weights::places(network).into_iter().enumerate();
    let variables = places.map(|(index, (path, shape))| Entry::same(path, shape, index));
    let count =
        |name| Entry { name, shape: Vec::new(), source: Source::Count { value: Count::Zero, dtype: Dtype::I32 } };
    variables.chain(keras_weights::counts(network).into_iter().map(count)).collect()
}
