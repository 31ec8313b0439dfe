//! A data set that passes through the device in chunks: batches are taken of one while the next is brought.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::feed::Feed;
use crate::data::{Dataset, Gathered};
use crate::error::{Error, Result};
use crate::exec::Executor;

/// A data set as its samples are put on the device.
#[derive(Clone)]
pub(super) struct Prepared {
    pub data: Dataset,
    /// `[F]`, what stands for steps that are not there, where some are not.
    pub padding: Option<Vec<f32>>,
}

/// Samples in the order in which batches take them, of which two chunks lie on the device: chunk c in half c mod 2 of the room there.
pub(super) struct Stream {
    /// Room for two chunks.
    room: Feed,
    from: Arc<Prepared>,
    order: Arc<Vec<u32>>,
    /// Which chunk each half holds.
    halves: [Option<usize>; 2],
    /// A chunk that is being gathered.
    ahead: Option<(usize, JoinHandle<Result<Gathered>>)>,
    /// Memory for the next to be gathered.
    spare: Gathered,
}

impl Stream {
    pub fn new(room: Feed, from: Prepared) -> Self {
        let (order, halves, spare) = (Arc::default(), [None; 2], Gathered::default());
        Stream { room, from: Arc::new(from), order, halves, ahead: None, spare }
    }

    /// Begins again, in this order.
    pub fn set_order(&mut self, order: Vec<u32>) {
        (self.order, self.halves, self.ahead) = (Arc::new(order), [None; 2], None);
    }

    /// Samples in a chunk.
    fn chunk(&self) -> usize {
        self.room.samples() / 2
    }

    /// How many of these batches, the first of which begins at `at` in the order, lie in one chunk.
    pub fn together(&self, at: usize, sizes: &[usize]) -> usize {
        let mut left = self.chunk() - at % self.chunk();
        let fits = |size: &&usize| {
            let fits = **size <= left;
            left = left.saturating_sub(**size);
            fits
        };
        sizes.iter().take_while(fits).count()
    }

    /// Brings the chunk with the sample at `at` in the order, where it is not there; gives where the sample lies on the device.
    pub fn bring(&mut self, executor: &mut dyn Executor, at: usize) -> Result<usize> {
        self.put(executor, at / self.chunk())?;
        Ok(at % self.room.samples())
    }

    /// While the device works on the chunk with the sample at `at`: gathers the next one, and brings it once that is done.
    pub fn look_ahead(&mut self, executor: &mut dyn Executor, at: usize) -> Result<()> {
        let next = at / self.chunk() + 1;
        if next * self.chunk() >= self.order.len() || self.halves[next % 2] == Some(next) {
            return Ok(());
        }
        match &self.ahead {
            None => self.gather_ahead(next),
            Some((chunk, gathering)) if *chunk == next && gathering.is_finished() => self.put(executor, next),
            Some(_) => Ok(()),
        }
    }

    fn gather_ahead(&mut self, chunk: usize) -> Result<()> {
        let (from, order, range) = (self.from.clone(), self.order.clone(), self.range(chunk));
        let spare = std::mem::take(&mut self.spare);
        let gather = move || gather(&from, &order[range], spare);
        let thread = std::thread::Builder::new().name("chunk".into()).spawn(gather);
        let thread = thread.map_err(|e| Error::Device(format!("cannot start a thread that gathers samples: {e}")))?;
        self.ahead = Some((chunk, thread));
        Ok(())
    }

    fn put(&mut self, executor: &mut dyn Executor, chunk: usize) -> Result<()> {
        if self.halves[chunk % 2] == Some(chunk) {
            return Ok(());
        }
        let gathered = match self.ahead.take() {
            Some((ahead, thread)) if ahead == chunk => {
                thread.join().map_err(|_| Error::Device("the thread that gathers samples ended early".into()))??
            }
            _ => gather(&self.from, &self.order[self.range(chunk)], std::mem::take(&mut self.spare))?,
        };
        // The device reads what lay there before it is overwritten: both stand in its queue.
        self.room.put(executor, chunk % 2 * self.chunk(), &gathered)?;
        (self.halves[chunk % 2], self.spare) = (Some(chunk), gathered);
        Ok(())
    }

    fn range(&self, chunk: usize) -> std::ops::Range<usize> {
        let at = |chunk: usize| self.order.len().min(chunk * self.chunk());
        at(chunk)..at(chunk + 1)
    }
}

fn gather(from: &Prepared, samples: &[u32], mut into: Gathered) -> Result<Gathered> {
    from.data.gather(samples, from.padding.as_deref(), &mut into)?;
    Ok(into)
}
