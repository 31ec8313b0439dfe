//! Where batches come from: data sets that lie on the device whole, and larger ones that pass through it. This is the one place that
//! decides which.

use std::collections::HashMap;

use super::feed::Feed;
use super::model::Model;
use super::stream::{Prepared, Stream};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::exec::Executor;
use crate::plan::Limits;

/// The most that two chunks of a data set take on the device: larger ones would only be waited for longer.
const ROOM: usize = 64 << 20;

/// The data sets of a training, which lie on the device at the same time, and stay there until it ends.
pub(super) const TRAINING: &str = "train";
pub(super) const VALIDATION: &str = "validation";

/// A data set to take batches of.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'d> {
    /// What its buffers are called.
    pub name: &'static str,
    pub data: &'d Dataset,
    /// Samples of its largest batch.
    pub batch: usize,
}

/// What data sets may take on a device.
#[derive(Clone, Copy)]
struct Space {
    /// Bytes of all.
    most: usize,
    limits: Limits,
    /// Whether it is the memory where they are already.
    host: bool,
}

impl Space {
    fn of(executor: &dyn Executor, most: usize) -> Space {
        Space { most, limits: executor.limits(), host: executor.is_in_host_memory() }
    }

    /// Whether a data set may lie there whole: not where that would be a second copy of much.
    fn takes_whole(self, feed: &Feed, batch: usize) -> bool {
        let much = ROOM.max(least(feed, batch).bytes());
        feed.fits(self.limits) && (!self.host || feed.shares_rows() || feed.bytes() <= much)
    }
}

/// Data sets that batches are taken of.
#[derive(Default)]
pub(super) struct Supplies {
    /// The most bytes that all of them may take on the device.
    pub most: Option<usize>,
    /// How each lies on the device.
    held: HashMap<&'static str, Feed>,
    /// Those that pass through it.
    streams: HashMap<&'static str, Stream>,
}

impl Supplies {
    /// Whether a data set of this name is on the device, whole or in part.
    pub fn holds(&self, name: &str) -> bool {
        self.held.contains_key(name)
    }
}

impl Model {
    /// What the data set of a plan is called that is only looked at.
    pub(super) const PLANNED: &'static str = "data";

    /// Sets the most bytes that data sets take on the device, all together; weights and activations come on top. Larger ones pass
    /// through it in two chunks of batches: while the device works on one, the next is gathered and brought. Samples are taken in
    /// the same order, and results have the same bits, as where all data lie on the device. Without a limit a data set lies there
    /// whole unless a buffer would be larger than the device allows, or the device is the CPU and it would be a second copy of more than
    /// 64 MiB.
    pub fn set_device_memory(&mut self, most: Option<usize>) {
        self.supplies.most = most;
    }

    /// Makes a data set ready to take batches of up to `batch` samples.
    pub(super) fn feed(&mut self, name: &'static str, data: &Dataset, batch: usize) -> Result<Feed> {
        let mut feeds = self.feeds(&[Wanted { name, data, batch }])?;
        feeds.pop().ok_or_else(|| Error::usage("no data set was asked for"))
    }

    /// The same for several at once.
    pub(super) fn feeds(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<Feed>> {
        let mut prepared = Vec::with_capacity(wanted.len());
        for Wanted { data, .. } in wanted {
            prepared.push(self.prepared(data)?);
        }
        let whole = wanted.iter().zip(&prepared).map(|(wanted, p)| (Feed::new(wanted.name, &p.data), wanted.batch));
        let feeds = self.make_room(&whole.collect::<Vec<_>>())?;
        for (feed, from) in feeds.iter().zip(prepared) {
            let executor = self.executor.as_mut();
            self.supplies.held.insert(feed.name(), feed.clone());
            if feed.passes() {
                feed.make_room(executor)?;
                self.supplies.streams.insert(feed.name(), Stream::new(feed.clone(), from));
            } else {
                self.supplies.streams.remove(feed.name());
                feed.upload(executor, &from.data, from.padding.as_deref())?;
            }
        }
        Ok(feeds)
    }

    /// A data set as it is put on the device, padded where its samples have unequal lengths or rows to mask.
    fn prepared(&mut self, data: &Dataset) -> Result<Prepared> {
        let data = self.lengthened(data)?;
        let padded = data.lengths().is_some() || data.has_masked_rows();
        let padding = if padded { Some(self.padding(&data)?) } else { None };
        Ok(Prepared { data, padding })
    }

    /// How these data sets, with their largest batches, will lie on the device. Others are released where there is no room for all.
    fn make_room(&mut self, wanted: &[(Feed, usize)]) -> Result<Vec<Feed>> {
        let is_wanted = |name: &str| wanted.iter().any(|(feed, _)| feed.name() == name);
        let stays = |name: &str| self.fitting && [TRAINING, VALIDATION].contains(&name);
        let others: Vec<Feed> = self.supplies.held.values().filter(|feed| !is_wanted(feed.name())).cloned().collect();
        let (staying, others): (Vec<Feed>, Vec<Feed>) = others.into_iter().partition(|feed| stays(feed.name()));
        let left = self.supplies.most.map_or(usize::MAX, |most| most.saturating_sub(bytes(&staying)));
        let feeds = laid_out(Space::of(self.executor.as_ref(), left), wanted)?;
        if bytes(&feeds) > left.saturating_sub(bytes(&others)) {
            others.iter().for_each(|feed| self.release(feed));
        }
        for feed in &feeds {
            // Not beside what takes its place.
            if let Some(earlier) = self.supplies.held.get(feed.name()).filter(|earlier| *earlier != feed).cloned() {
                self.release(&earlier);
            }
        }
        Ok(feeds)
    }

    fn release(&mut self, feed: &Feed) {
        feed.specs().iter().for_each(|spec| self.executor.release(&spec.name));
        self.supplies.held.remove(feed.name());
        self.supplies.streams.remove(feed.name());
    }

    /// How a data set would lie on the device by itself.
    pub(super) fn laid_out(&self, data: &Dataset, batch: usize) -> Result<Feed> {
        let whole = Feed::new(Self::PLANNED, &self.lengthened(data)?);
        let most = self.supplies.most.unwrap_or(usize::MAX);
        let mut feeds = laid_out(Space::of(self.executor.as_ref(), most), &[(whole, batch)])?;
        feeds.pop().ok_or_else(|| Error::usage("no data set was asked for"))
    }

    /// Samples at once in inference, where none is asked for; fewer where two such batches do not fit into what data may take.
    pub(super) fn default_batch(&self, data: &Dataset) -> Result<usize> {
        const DEFAULT: usize = 256;
        let Some(most) = self.supplies.most else { return Ok(DEFAULT) };
        let feed = Feed::new(Self::PLANNED, &self.lengthened(data)?);
        match feed.bytes() <= most {
            true => Ok(DEFAULT),
            false => Ok((most / feed.with_room(2).bytes()).clamp(1, DEFAULT)),
        }
    }

    /// Sets the order in which batches take the samples; it may name fewer than all.
    pub(super) fn set_order(&mut self, feed: &Feed, order: Vec<u32>) -> Result<()> {
        match self.supplies.streams.get_mut(feed.name()) {
            Some(stream) => {
                stream.set_order(order);
                Ok(())
            }
            None => feed.set_order(self.executor.as_mut(), &order),
        }
    }

    /// How many of these batches, the first of which begins at `at` in the order, can be run at once.
    pub(super) fn together(&self, feed: &Feed, at: usize, sizes: &[usize]) -> usize {
        self.supplies.streams.get(feed.name()).map_or(sizes.len(), |stream| stream.together(at, sizes))
    }

    /// Where on the device the samples of such batches begin, once they are there.
    pub(super) fn bring(&mut self, feed: &Feed, at: usize) -> Result<usize> {
        match self.supplies.streams.get_mut(feed.name()) {
            Some(stream) => stream.bring(self.executor.as_mut(), at),
            None => Ok(at),
        }
    }

    /// Prepares what comes behind such batches, while the device works on them.
    pub(super) fn look_ahead(&mut self, feed: &Feed, at: usize) -> Result<()> {
        match self.supplies.streams.get_mut(feed.name()) {
            Some(stream) => stream.look_ahead(self.executor.as_mut(), at),
            None => Ok(()),
        }
    }
}

fn bytes(feeds: &[Feed]) -> usize {
    feeds.iter().map(Feed::bytes).sum()
}

/// How data sets, with their largest batches, lie on a device: whole, or two chunks of each that does not fit.
fn laid_out(space: Space, wanted: &[(Feed, usize)]) -> Result<Vec<Feed>> {
    let need = |(feed, batch): &(Feed, usize)| match space.takes_whole(feed, *batch) {
        true => feed.bytes(),
        false => feed.bytes().min(ROOM).max(least(feed, *batch).bytes()),
    };
    let needs: Vec<usize> = wanted.iter().map(need).collect();
    let lies = |((feed, batch), share): (&(Feed, usize), usize)| {
        let whole = space.takes_whole(feed, *batch) && feed.bytes() <= share;
        if whole { Ok(feed.clone()) } else { two_chunks(feed, *batch, share) }
    };
    wanted.iter().zip(shares(space.most, &needs)).map(lies).collect()
}

/// Shares of `most` so that as many needs as possible are met, and the others get equal ones.
fn shares(most: usize, needs: &[usize]) -> Vec<usize> {
    let mut by_need: Vec<usize> = (0..needs.len()).collect();
    by_need.sort_by_key(|&i| needs[i]);
    let (mut left, mut shares) = (most, vec![0; needs.len()]);
    for (given, i) in by_need.into_iter().enumerate() {
        shares[i] = needs[i].min(left / (needs.len() - given));
        left -= shares[i];
    }
    shares
}

/// Room for two batches of a data set.
fn least(feed: &Feed, batch: usize) -> Feed {
    feed.with_room(2 * batch.min(feed.samples()))
}

/// Room for two chunks of whole batches of a data set in so many bytes.
fn two_chunks(feed: &Feed, batch: usize, share: usize) -> Result<Feed> {
    let batch = batch.min(feed.samples());
    let least = least(feed, batch);
    if least.bytes() > share {
        return Err(Error::usage(format!(
            "two batches of {batch} samples of the data set `{}` take {} bytes, but the device memory for data leaves {share} of them: allow more, or use smaller batches",
            feed.name(),
            least.bytes()
        )));
    }
    let batches = (share.min(ROOM) / least.bytes()).clamp(1, feed.samples().div_ceil(batch));
    Ok(feed.with_room(2 * batch * batches))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12 bytes a sample on the device: a value, a place in the order, a first row.
    fn feed(samples: usize) -> Feed {
        let data = Dataset::from_arrays(vec![0.0; samples], &[samples, 1], vec![], &[]).expect("a data set");
        Feed::new("data", &data)
    }

    const ANY: Space = Space { most: usize::MAX, limits: Limits::NONE, host: false };

    fn rooms(space: Space, wanted: &[(usize, usize)]) -> Vec<usize> {
        let wanted: Vec<(Feed, usize)> = wanted.iter().map(|&(samples, batch)| (feed(samples), batch)).collect();
        let feeds = laid_out(space, &wanted).expect("there is room");
        assert!(bytes(&feeds) <= space.most);
        feeds.iter().map(Feed::samples).collect()
    }

    #[test]
    fn small_needs_are_met_and_the_rest_is_shared_evenly() {
        assert_eq!(shares(100, &[60, 10, 70]), [45, 10, 45]);
        assert_eq!(shares(100, &[30, 10, 70]), [30, 10, 60]);
        assert_eq!(shares(usize::MAX, &[30, 10]), [30, 10]);
    }

    #[test]
    fn what_fits_lies_whole_and_the_rest_in_two_chunks_of_whole_batches() {
        let bytes = |most: usize| Space { most, ..ANY };
        assert_eq!(rooms(bytes(1200), &[(100, 8)]), [100]);
        assert_eq!(rooms(bytes(1199), &[(100, 8)]), [96]);
        assert_eq!(rooms(bytes(400), &[(100, 8)]), [32]);
        // 20 samples take 240 bytes, and leave 660.
        assert_eq!(rooms(bytes(900), &[(100, 8), (20, 8)]), [48, 20]);
        let limits = Limits { max_buffer: 399, ..Limits::NONE };
        assert_eq!(rooms(Space { limits, ..ANY }, &[(100, 8), (99, 8)]), [96, 99]);
    }

    #[test]
    fn there_is_no_second_copy_of_much_in_the_hosts_memory() {
        let (few, many) = (ROOM / 12, ROOM / 12 + 1);
        assert_eq!(rooms(ANY, &[(many, 1)]), [many]);
        let host = Space { host: true, ..ANY };
        assert_eq!(rooms(host, &[(few, 1)]), [few]);
        assert!(rooms(host, &[(many, 1)])[0] < many);
        // Two batches may take more than two chunks do elsewhere.
        assert_eq!(rooms(host, &[(2 * few, 3 * few / 4)]), [2 * (3 * few / 4)]);
        assert_eq!(rooms(host, &[(many, few)]), [many]);
    }

    #[test]
    fn less_than_two_batches_is_refused() {
        let error = laid_out(Space { most: 191, ..ANY }, &[(feed(100), 8)]).expect_err("too little").to_string();
        assert!(error.contains("192 bytes") && error.contains("smaller batches"), "{error}");
    }
}
