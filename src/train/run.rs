//! Running batches: many training steps at once, their losses read back afterwards.

use std::time::{Duration, Instant};

use super::feed::Feed;
use super::history::Scores;
use super::model::Model;
use super::programs::{LOG_ROWS, Program};
use super::scores::{Measured, Tally};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::exec::{Apart, MAX_SCALARS, ReadPart, Reading};
use crate::kernels::{Element, StepScalars};
use crate::model::{Mode, buffers};
use crate::plan::Step;

/// What one batch left in the log.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub row: Vec<f64>,
    pub measured: Measured,
    pub samples: usize,
}

/// Batches of a data set that is on the device.
pub(super) struct Batches<'a> {
    pub feed: &'a Feed,
    pub mode: Mode,
    /// Where the first begins in the order of samples.
    pub first: usize,
    /// The size of each.
    pub sizes: Vec<usize>,
}

/// The sizes of batches over `samples`: the last may be short.
pub(super) fn batch_sizes(samples: usize, batch_size: usize) -> Vec<usize> {
    (0..samples).step_by(batch_size).map(|at| batch_size.min(samples - at)).collect()
}

/// The fewest samples that a thread of the CPU predicts at once, if there are more.
const LEAST_APART: usize = 16;
/// Multiplications and additions beside which the beginning of a run does not count.
const WORTH_A_RUN: f64 = 4e6;

/// How long the device works before its losses are read, so that progress can be shown about ten times a second.
const BETWEEN_READS: Duration = Duration::from_millis(100);

/// Batches that were run between two readings of their losses.
pub(super) struct Bunch {
    pub sums: Vec<Sums>,
    /// How many were run.
    batches: usize,
    /// Where a gradient of the last of them was not finite.
    pub diverged: Option<Error>,
}

/// Batches that are run in order, many between two readings of their losses. While a device works on some of them, it is told
/// what comes next.
pub(super) struct Bunches<'a, 'f> {
    batches: &'a Batches<'f>,
    /// One at a time.
    each: bool,
    /// Batches that the device was told to run.
    told: usize,
    at_once: usize,
    first: usize,
    under_way: Option<UnderWay>,
    /// Whether the device is told nothing more while it works.
    held: bool,
    /// When the last reading ended.
    since: Option<Instant>,
}

/// Batches whose losses are being read.
struct UnderWay {
    reading: Reading,
    sizes: Vec<usize>,
    measured: Vec<Measured>,
    /// Training steps before them.
    iterations: u64,
}

impl<'a, 'f> Bunches<'a, 'f> {
    pub fn new(batches: &'a Batches<'f>, each: bool) -> Self {
        Bunches { batches, each, told: 0, at_once: 1, first: batches.first, under_way: None, held: false, since: None }
    }

    /// What some more of them gave; none once all are done.
    pub fn next(&mut self, model: &mut Model) -> Result<Option<Bunch>> {
        let began = *self.since.get_or_insert_with(Instant::now);
        let earlier = match self.under_way.take() {
            Some(earlier) => Some(earlier),
            None => self.begin(model)?,
        };
        let Some(earlier) = earlier else { return Ok(None) };
        if !self.each && !self.held && earlier.reading.is_under_way() {
            self.under_way = self.begin(model)?;
        }
        let bunch = model.finish_some(self.batches, earlier)?;
        if bunch.diverged.is_some() {
            // From then on the device has done nothing.
            self.stop(model)?;
        }
        let now = Instant::now();
        self.since = Some(now);
        if !self.each {
            let per_batch = (now - began) / bunch.batches as u32;
            let fitting = BETWEEN_READS.as_nanos() / per_batch.as_nanos().max(1);
            self.at_once = (fitting as usize).clamp(1, (2 * self.at_once).min(LOG_ROWS));
        }
        Ok(Some(bunch))
    }

    fn begin(&mut self, model: &mut Model) -> Result<Option<UnderWay>> {
        let all = &self.batches.sizes;
        let sizes = &all[self.told..all.len().min(self.told + self.at_once)];
        let sizes = &sizes[..model.together(self.batches.feed, self.first, sizes)];
        if sizes.is_empty() {
            return Ok(None);
        }
        let under_way = model.begin_some(self.batches, sizes, self.first)?;
        self.told += sizes.len();
        self.first += sizes.iter().sum::<usize>();
        Ok(Some(under_way))
    }

    /// Whether all that the device was told to run has been heard of; until [`Bunches::go_on`] nothing more is told ahead, so that it will be.
    pub fn pause(&mut self) -> bool {
        self.held = true;
        self.under_way.is_none()
    }

    /// Tells the device again what comes next while it works.
    pub fn go_on(&mut self) {
        self.held = false;
    }

    /// Runs no more of them; those that are under way have been run, but nobody hears of them.
    pub fn stop(&mut self, model: &mut Model) -> Result<()> {
        self.told = self.batches.sizes.len();
        match self.under_way.take() {
            Some(under_way) => model.finish_some(self.batches, under_way).map(drop),
            None => Ok(()),
        }
    }
}

impl Model {
    /// Runs batches in order; `seen` gets the sums of those done since it was last called.
    pub(super) fn run_batches(&mut self, batches: &Batches<'_>, mut seen: impl FnMut(&[Sums])) -> Result<()> {
        let mut bunches = Bunches::new(batches, false);
        while let Some(bunch) = bunches.next(self)? {
            seen(&bunch.sums);
            if let Some(error) = bunch.diverged {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Tells the device to run batches of these sizes, and to hand over what they leave in the log.
    fn begin_some(&mut self, batches: &Batches<'_>, sizes: &[usize], first: usize) -> Result<UnderWay> {
        let training = batches.mode == Mode::Train;
        let mut at = self.bring(batches.feed, first)?;
        let mut scalars = Vec::with_capacity(sizes.len());
        for (row, size) in sizes.iter().enumerate() {
            let step = self.iterations + 1 + if training { row as u64 } else { 0 };
            let of_step = self.compiled.optimizer.scalars(step);
            scalars.push(StepScalars { first: at as u32, log_row: row as u32, ..of_step });
            at += size;
        }
        self.executor.set_scalars(&scalars)?;
        let mut measured = Vec::with_capacity(sizes.len());
        // Plans of one kind after another: of a size, and with an update of the weights or without.
        let kind = |row: usize| {
            let updates = !training || self.compiled.optimizer.is_update(self.iterations + 1 + row as u64);
            (if updates { batches.mode } else { Mode::Accumulate }, sizes[row])
        };
        let kinds: Vec<(Mode, usize)> = (0..sizes.len()).map(kind).collect();
        let mut begin = 0;
        while begin < sizes.len() {
            let same = kinds[begin..].iter().take_while(|&&kind| kind == kinds[begin]).count();
            let (mode, size) = kinds[begin];
            let program = self.program(batches.feed, mode, size)?;
            self.executor.run(&program.plan, begin..begin + same)?;
            measured.extend(std::iter::repeat_n(program.measured, same));
            begin += same;
        }
        let iterations = self.iterations;
        if training {
            self.iterations += sizes.len() as u64;
        }
        let log = sizes.len() * self.compiled.scoring.columns;
        let wanted = [
            ReadPart { name: buffers::LOG, range: 0..log, element: Element::Real },
            ReadPart { name: buffers::HEALTH, range: 0..2, element: Element::U32 },
        ];
        let reading = self.executor.begin_read(if training { &wanted } else { &wanted[..1] })?;
        self.look_ahead(batches.feed, first)?;
        Ok(UnderWay { reading, sizes: sizes.to_vec(), measured, iterations })
    }

    /// What such batches gave.
    fn finish_some(&mut self, batches: &Batches<'_>, under_way: UnderWay) -> Result<Bunch> {
        let UnderWay { reading, sizes, measured, iterations } = under_way;
        let mut values = self.executor.end_read(reading)?.into_iter();
        let mut next = || values.next().ok_or_else(|| Error::usage("the executor read less than was wanted"));
        let mut sums = self.sums(next()?.real()?, measured, &sizes);
        let diverged = if batches.mode == Mode::Train { self.diverged(&next()?.u32()?)? } else { None };
        if let Some((step, _)) = diverged {
            sums.truncate(step.saturating_sub(iterations) as usize);
            self.iterations = step - 1;
        }
        Ok(Bunch { sums, batches: sizes.len(), diverged: diverged.map(|(_, error)| error) })
    }

    /// The rows of the log that batches of these sizes wrote.
    pub(super) fn read_log(&mut self, measured: Vec<Measured>, sizes: &[usize]) -> Result<Vec<Sums>> {
        let log = self.executor.read(buffers::LOG, 0..sizes.len() * self.compiled.scoring.columns)?;
        Ok(self.sums(log, measured, sizes))
    }

    fn sums(&self, log: Vec<f64>, measured: Vec<Measured>, sizes: &[usize]) -> Vec<Sums> {
        let scoring = &self.compiled.scoring;
        let of_batch = |((row, measured), &samples): ((&[f64], Measured), &usize)| {
            let mut row = row.to_vec();
            measured.complete(scoring, &mut row);
            Sums { row, measured, samples }
        };
        log.chunks(scoring.columns).zip(measured).zip(sizes).map(of_batch).collect()
    }

    /// The step in which a gradient was not finite, as an error; from that step on the device has left the weights alone.
    fn diverged(&mut self, health: &[u32]) -> Result<Option<(u64, Error)>> {
        if health[0] == 0 {
            return Ok(None);
        }
        self.executor.write_u32(&buffers::health(), &[0, 0])?;
        let step = health[0] as u64;
        let (tensor, index) = match self.table().locate(health[1] as usize) {
            Some((variable, index)) => (variable.path.clone(), index),
            None => (buffers::GRADIENTS.to_owned(), health[1] as usize),
        };
        Ok(Some((step, Error::NonFinite { step, tensor, index })))
    }

    /// Names of loss and metrics.
    pub(crate) fn score_names(&self, prefix: &str) -> Vec<String> {
        self.tally().scores(prefix).0.into_iter().map(|(name, _)| name).collect()
    }

    /// What batches are added up in.
    pub(super) fn tally(&self) -> Tally {
        Tally::new(&self.compiled.scoring)
    }

    /// Loss and metrics in inference, as Keras's `evaluate`.
    ///
    /// Errors: a data set that does not fit the model, a device that fails.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Scores> {
        self.evaluate_in_batches(data, self.default_batch(data)?)
    }

    /// The same with a batch size of one's own, which bounds the memory it takes.
    pub fn evaluate_in_batches(&mut self, data: &Dataset, batch_size: usize) -> Result<Scores> {
        self.check_data(data, true)?;
        check_batch_size(batch_size)?;
        let feed = self.feed("evaluate", data, batch_size)?;
        self.evaluate_feed(&feed, data.len(), &batch_sizes(data.len(), batch_size), "")
    }

    /// Evaluates batches of these sizes, from the first sample on.
    pub(super) fn evaluate_feed(
        &mut self,
        feed: &Feed,
        samples: usize,
        sizes: &[usize],
        prefix: &str,
    ) -> Result<Scores> {
        self.set_order(feed, (0..samples as u32).collect())?;
        let batches = Batches { feed, mode: Mode::Evaluate, first: 0, sizes: sizes.to_vec() };
        let mut tally = self.tally();
        self.run_batches(&batches, |batches| tally.add_all(batches))?;
        Ok(tally.scores(prefix))
    }

    /// The model's first output for all samples, `[S, ...output shape]` in C order, as Keras's `predict`.
    ///
    /// Errors: a data set that does not fit the model, a device that fails.
    pub fn predict(&mut self, data: &Dataset) -> Result<Vec<f32>> {
        Ok(single(self.predict_f64(data)?))
    }

    /// The same in the executor's precision.
    pub fn predict_f64(&mut self, data: &Dataset) -> Result<Vec<f64>> {
        Ok(self.predict_all_f64(data)?.into_iter().next().unwrap_or_default())
    }

    /// The same with a batch size of one's own, which a stateful model needs.
    pub fn predict_in_batches(&mut self, data: &Dataset, batch_size: usize) -> Result<Vec<f64>> {
        check_batch_size(batch_size)?;
        Ok(self.predict_named("predict", data, batch_size)?.into_iter().next().unwrap_or_default())
    }

    /// All outputs of a model with several, in its order, each as of [`Model::predict`].
    pub fn predict_all(&mut self, data: &Dataset) -> Result<Vec<Vec<f32>>> {
        Ok(self.predict_all_f64(data)?.into_iter().map(single).collect())
    }

    /// The same in the executor's precision.
    pub fn predict_all_f64(&mut self, data: &Dataset) -> Result<Vec<Vec<f64>>> {
        self.check_data(data, false)?;
        let most = self.default_batch(data)?;
        let feed = self.feed("predict", data, most)?;
        self.set_order(&feed, (0..data.len() as u32).collect())?;
        let batch_size = self.batch_to_predict(&feed, most)?;
        self.predict_feed(&feed, data.len(), batch_size)
    }

    /// The same with the data under a name on the device, and batches of a size.
    pub(super) fn predict_named(
        &mut self,
        name: &'static str,
        data: &Dataset,
        batch_size: usize,
    ) -> Result<Vec<Vec<f64>>> {
        self.check_data(data, false)?;
        let feed = self.feed(name, data, batch_size)?;
        self.set_order(&feed, (0..data.len() as u32).collect())?;
        self.predict_feed(&feed, data.len(), batch_size)
    }

    /// The outputs for the first of the samples in the feed's order, in batches of a size.
    fn predict_feed(&mut self, feed: &Feed, samples: usize, batch_size: usize) -> Result<Vec<Vec<f64>>> {
        let mut out = vec![Vec::new(); self.network().outputs.len()];
        let (mut first, sizes) = (0, batch_sizes(samples, batch_size));
        let mut left = &sizes[..];
        while !left.is_empty() {
            let (now, later) = left.split_at(self.together(feed, first, &left[..left.len().min(MAX_SCALARS)]));
            for of_batch in self.predict_some(feed, first, now)? {
                out.iter_mut().zip(of_batch).for_each(|(out, values)| out.extend(values));
            }
            first += now.iter().sum::<usize>();
            left = later;
        }
        Ok(out)
    }

    /// The outputs of batches of these sizes, which the device holds together.
    fn predict_some(&mut self, feed: &Feed, first: usize, sizes: &[usize]) -> Result<Vec<Vec<Vec<f64>>>> {
        let mut at = self.bring(feed, first)?;
        let mut scalars = Vec::with_capacity(sizes.len());
        let mut programs = Vec::with_capacity(sizes.len());
        for &size in sizes {
            scalars.push(StepScalars { first: at as u32, ..StepScalars::default() });
            programs.push(self.program(feed, Mode::Predict, size)?);
            at += size;
        }
        self.executor.set_scalars(&scalars)?;
        let runs = programs.iter().zip(sizes).enumerate().map(|(at, (program, &size))| {
            let wanted = program.results.iter().map(|place| (place.buffer.as_str(), place.range(size))).collect();
            Apart { plan: &program.plan, at, wanted }
        });
        let given = self.executor.run_apart(&runs.collect::<Vec<_>>())?;
        self.look_ahead(feed, first)?;
        let of_batch = |((given, program), &size): ((Vec<Vec<f64>>, &Program), &usize)| {
            given.iter().zip(&program.results).map(|(values, place)| place.by_sample(values, size)).collect()
        };
        Ok(given.into_iter().zip(&programs).zip(sizes).map(of_batch).collect())
    }

    /// Samples that `predict` takes at once. On the CPU so few that several threads have some, each of its own, but enough to be worth a
    /// run; their number does not depend on that of the threads, so that results do not.
    fn batch_to_predict(&mut self, feed: &Feed, most: usize) -> Result<usize> {
        if !self.executor.is_in_host_memory() || most <= LEAST_APART {
            return Ok(most);
        }
        let (program, _) = self.recorded(feed, Mode::Predict, LEAST_APART)?;
        if !program.states.is_empty() {
            return Ok(most);
        }
        let flops: f64 = program.plan.steps().iter().map(Step::flops).sum();
        Ok(((WORTH_A_RUN / flops.max(1.0)).ceil() as usize).next_power_of_two().saturating_mul(LEAST_APART).min(most))
    }
}

fn single(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

pub(super) fn check_batch_size(batch_size: usize) -> Result<()> {
    if batch_size == 0 { Err(Error::usage("the batch size must be at least 1")) } else { Ok(()) }
}
