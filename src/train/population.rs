//! Statistics of batch normalisation over a whole data set.

use super::model::Model;
use super::run::{batch_sizes, check_batch_size};
use crate::data::Dataset;
use crate::error::Result;
use crate::kernels::StepScalars;
use crate::model::{Mode, buffers};
use crate::plan::BufferSpec;

impl Model {
    /// Whether some batch normalisation is trained, so that there are statistics to estimate on this data set.
    ///
    /// Errors: a data set that does not fit the model.
    pub fn has_batch_statistics(&mut self, data: &Dataset) -> Result<bool> {
        self.check_data(data, false)?;
        Ok(self.plan(data, Mode::Statistics, 1)?.buffers().iter().any(counts_rows))
    }

    /// Sets the moving statistics of all batch normalisations that are trained to those of a whole data set, at the weights as they
    /// are: mean and biased variance of all rows, joined from batches of this size in one pass.
    ///
    /// In the pass every layer is in training mode, so that each batch is normalised by its own statistics, and a later layer's
    /// statistics are those of what it saw in training. This is "precise BN" (Wu & Johnson 2021, section 3); Ioffe & Szegedy's
    /// algorithm 2 (2015) leaves out how the batches' means vary. Of masked sequences only valid steps count. Samples are drawn in
    /// random order, by the model's seed; the batch size should be that of training. The statistics are gathered on the device.
    /// A model without batch normalisation stays as it is.
    ///
    /// Errors: a data set that does not fit the model, a batch size of 0, a BatchNormalization with `renorm`, a device that fails.
    pub fn estimate_population_statistics(&mut self, data: &Dataset, batch_size: usize) -> Result<()> {
        check_batch_size(batch_size)?;
        self.check_data(data, false)?;
        let feed = self.feed("population", data, batch_size)?;
        self.set_order(&feed, self.next_order(data.len()))?;
        let mut first = 0;
        for size in batch_sizes(data.len(), batch_size) {
            let program = self.program(&feed, Mode::Statistics, size)?;
            if first == 0 {
                for spec in program.plan.buffers().iter().filter(|spec| counts_rows(spec)) {
                    self.executor.write(spec, &vec![0.0; spec.len()])?;
                }
            }
            // Other elements are dropped in each batch.
            let step = (self.iterations() + 1 + first as u64) as u32;
            let at = self.bring(&feed, first)?;
            self.executor.set_scalars(&[StepScalars { first: at as u32, step, ..StepScalars::default() }])?;
            self.executor.run(&program.plan, 0..1)?;
            self.look_ahead(&feed, first)?;
            first += size;
        }
        Ok(())
    }
}

/// Whether a buffer counts the rows that a normalisation's statistics are of.
fn counts_rows(spec: &BufferSpec) -> bool {
    spec.name.starts_with(buffers::POPULATION_ROWS)
}
