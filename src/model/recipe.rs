//! Layers that go together.

use super::{BatchNormalization, Lstm, Sequential};

impl Sequential {
    /// Adds an LSTM of each of these sizes, each followed by batch normalisation; all but the last give whole sequences.
    pub fn add_lstms(self, units: &[usize]) -> Self {
        let last = units.len().saturating_sub(1);
        units.iter().enumerate().fold(self, |model, (i, &units)| {
            model.add(Lstm::new(units).return_sequences(i < last)).add(BatchNormalization::new())
        })
    }
}
