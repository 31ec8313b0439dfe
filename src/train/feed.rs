//! How a data set lies on the device, and how a plan gathers a batch from it.

use std::ops::Range;

use crate::data::{Dataset, Gathered};
use crate::error::Result;
use crate::exec::Executor;
use crate::kernels::{Gather, GatherSlots, MoreSlots};
use crate::model::{Recorder, Tensor};
use crate::plan::{ALIGNMENT, BufferSpec, Limits, Slot};

/// Names and shapes of a data set's buffers on the device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Feed {
    name: &'static str,
    samples: usize,
    /// Whether samples pass through it, each with rows of its own.
    passes: bool,
    /// Whether they stay in a file.
    in_file: bool,
    rows: usize,
    steps: Option<usize>,
    features: usize,
    /// T and F of the inputs behind the first.
    more_inputs: Vec<(Option<usize>, usize)>,
    /// T and O of the targets; none without targets.
    targets: Vec<(Option<usize>, usize)>,
    /// Whether samples have weights, and then T where each step has one.
    weights: Option<Option<usize>>,
}

/// `[T, F]` to (Some(T), F), `[F]` to (None, F).
fn split(shape: &[usize]) -> (Option<usize>, usize) {
    match shape {
        [steps, features] => (Some(*steps), *features),
        [features] => (None, *features),
        _ => (None, 0),
    }
}

impl Feed {
    /// How a data set lies on the device under this name. Samples of unequal lengths lie there padded.
    pub fn new(name: &'static str, data: &Dataset) -> Feed {
        let (steps, features) = split(data.input_shape());
        let steps = steps.map(|_| data.steps());
        let rows = match data.lengths() {
            Some(lengths) => lengths.len() * data.steps(),
            None if data.is_in_file() => data.len() * data.steps(),
            None => data.rows().len() / features.max(1),
        };
        let more_inputs = data.input_shapes().into_iter().skip(1).map(split).collect();
        let targets = data.target_shapes().into_iter().map(split).collect();
        let weights = data.sample_weights().map(|(_, steps)| steps);
        Feed {
            name,
            samples: data.len(),
            passes: false,
            in_file: data.is_in_file(),
            rows,
            steps,
            features,
            more_inputs,
            targets,
            weights,
        }
    }

    /// The name that its buffers begin with.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many samples there is room for.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Room for so many of its samples, which pass through it.
    pub fn with_room(&self, samples: usize) -> Feed {
        Feed { samples, passes: true, rows: samples * self.steps.unwrap_or(1), ..self.clone() }
    }

    /// Whether the samples pass through it, so that not all are there at a time.
    pub fn passes(&self) -> bool {
        self.passes
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.lens().map(|len| 4 * len).sum()
    }

    /// Whether a device with these limits can hold it whole.
    pub fn fits(&self, limits: Limits) -> bool {
        !self.in_file && self.lens().all(|len| 4 * len <= limits.max_buffer)
    }

    /// Whether its samples have rows in common, as windows have that overlap.
    pub fn shares_rows(&self) -> bool {
        self.rows < self.samples * self.steps.unwrap_or(1)
    }

    /// All its buffers.
    pub fn specs(&self) -> Vec<BufferSpec> {
        let all = [self.rows_spec(), self.starts_spec(), self.order_spec()];
        all.into_iter().chain(self.array_specs()).collect()
    }

    /// The elements of each, as often asked for as a few rows are predicted: names would take longer than a small model.
    fn lens(&self) -> impl Iterator<Item = usize> {
        let arrays = self.more_inputs.iter().chain(&self.targets).copied().chain(self.weights.map(|steps| (steps, 1)));
        let arrays = arrays.map(|(steps, features)| self.samples * steps.unwrap_or(1) * features);
        [self.rows * self.features, self.samples, self.samples].into_iter().chain(arrays)
    }

    /// Those of [`Dataset::arrays`], in that order.
    fn array_specs(&self) -> impl Iterator<Item = BufferSpec> {
        let inputs = self.more_inputs.iter().enumerate().map(|(i, &shape)| self.array_spec("input", i + 1, shape));
        let targets = self.targets.iter().enumerate().map(|(i, &shape)| self.array_spec("targets", i, shape));
        let weights = self.weights.iter().map(|&steps| self.array_spec("weights", 0, (steps, 1)));
        inputs.chain(targets).chain(weights)
    }

    fn buffer(&self, part: &str, shape: &[usize]) -> BufferSpec {
        BufferSpec::persistent(format!("{}/{part}", self.name), shape)
    }

    fn rows_spec(&self) -> BufferSpec {
        self.buffer("rows", &[self.rows, self.features])
    }

    fn starts_spec(&self) -> BufferSpec {
        self.buffer("starts", &[self.samples]).u32()
    }

    fn order_spec(&self) -> BufferSpec {
        self.buffer("order", &[self.samples]).u32()
    }

    /// An array with a row, or T rows, for every sample.
    fn array_spec(&self, part: &str, index: usize, (steps, features): (Option<usize>, usize)) -> BufferSpec {
        self.buffer(&format!("{part}_{index}"), &[self.samples * steps.unwrap_or(1), features])
    }

    /// Puts the data on the device, where it stays; with `padding`, `[F]`, behind samples of unequal lengths and in masked rows.
    pub fn upload(&self, executor: &mut dyn Executor, data: &Dataset, padding: Option<&[f32]>) -> Result<()> {
        if let (Some(padding), None) = (padding, data.lengths()) {
            executor.write(&self.rows_spec(), &data.masked_rows(padding))?;
            executor.write_u32(&self.starts_spec(), data.starts())?;
        } else if let Some(padding) = padding {
            executor.write(&self.rows_spec(), &data.padded_rows(padding))?;
            self.set_starts(executor)?;
        } else {
            executor.write(&self.rows_spec(), data.rows())?;
            executor.write_u32(&self.starts_spec(), data.starts())?;
        }
        self.array_specs().zip(data.arrays()).try_for_each(|(spec, values)| executor.write(&spec, values))
    }

    /// Makes room for samples, each with rows of its own, which batches take in the order in which they lie there.
    pub fn make_room(&self, executor: &mut dyn Executor) -> Result<()> {
        let order: Vec<u32> = (0..self.samples as u32).collect();
        executor.write_u32(&self.order_spec(), &order)?;
        self.set_starts(executor)
    }

    /// Puts samples into that room, the first of them at `at`.
    pub fn put(&self, executor: &mut dyn Executor, at: usize, gathered: &Gathered) -> Result<()> {
        let values = std::iter::once(&gathered.rows).chain(&gathered.arrays);
        for (spec, values) in std::iter::once(self.rows_spec()).chain(self.array_specs()).zip(values) {
            executor.write_part(&spec, at * (spec.len() / self.samples), values)?;
        }
        Ok(())
    }

    fn set_starts(&self, executor: &mut dyn Executor) -> Result<()> {
        let steps = self.steps.unwrap_or(1);
        let starts: Vec<u32> = (0..self.samples).map(|i| (i * steps) as u32).collect();
        executor.write_u32(&self.starts_spec(), &starts)
    }

    /// Sets the order in which batches take the samples; it may name fewer than all.
    pub fn set_order(&self, executor: &mut dyn Executor, order: &[u32]) -> Result<()> {
        let mut padded = order.to_vec();
        padded.resize(self.samples, 0);
        executor.write_u32(&self.order_spec(), &padded)
    }

    /// Records the gathering of a batch's inputs; with `targets` the first of these too, which is returned where that took no step
    /// more.
    pub fn record_inputs(
        &self,
        recorder: &mut Recorder,
        differentiable: bool,
        targets: bool,
    ) -> (Vec<Tensor>, Option<Slot>) {
        recorder.enter("batch");
        let first = recorder.new_tensor("x", self.steps, self.features, differentiable);
        let more = targets.then(|| self.first_target(recorder)).flatten();
        let target = more.as_ref().map(|more| more.batch.clone());
        self.gather_with(recorder, &self.rows_spec(), (self.steps, self.features), true, (&first.slot, more));
        let mut inputs = vec![first];
        for (i, &(steps, features)) in self.more_inputs.iter().enumerate() {
            let batch = recorder.new_tensor("x", steps, features, differentiable);
            let spec = self.array_spec("input", i + 1, (steps, features));
            self.gather(recorder, &spec, (steps, features), false, &batch.slot);
            inputs.push(batch);
        }
        (inputs, target)
    }

    /// The first target, where it and the rows of inputs can be bound whole.
    fn first_target(&self, recorder: &mut Recorder) -> Option<MoreSlots> {
        let &(steps, outputs) = self.targets.first()?;
        let spec = self.array_spec("targets", 0, (steps, outputs));
        let bindable = |spec: &BufferSpec| recorder.plan.row_chunks(spec.shape[0], &[spec.shape[1]]).len() == 1;
        if !bindable(&spec) || !bindable(&self.rows_spec()) {
            return None;
        }
        let batch = recorder.new_tensor("y", steps, outputs, false).slot;
        Some(MoreSlots { shape: [steps.unwrap_or(1), outputs], data: recorder.plan.persistent(&spec), batch })
    }

    /// Records the gathering of a batch's targets, each `[N, O]` or `[T, N, O]`, of which the first may be there.
    pub fn record_targets(&self, recorder: &mut Recorder, first: Option<Slot>) -> Vec<Slot> {
        recorder.enter("batch");
        let known = first.is_some().into();
        let mut targets: Vec<Slot> = first.into_iter().collect();
        for (i, &(steps, outputs)) in self.targets.iter().enumerate().skip(known) {
            let batch = recorder.new_tensor("y", steps, outputs, false);
            self.gather(
                recorder,
                &self.array_spec("targets", i, (steps, outputs)),
                (steps, outputs),
                false,
                &batch.slot,
            );
            targets.push(batch.slot);
        }
        targets
    }

    /// Records the gathering of a batch's sample weights, `[N]` or `[T, N]`, where there are some.
    pub fn record_weights(&self, recorder: &mut Recorder) -> Option<Tensor> {
        let steps = self.weights?;
        recorder.enter("batch");
        let batch = recorder.new_tensor("weights", steps, 1, false);
        self.gather(recorder, &self.array_spec("weights", 0, (steps, 1)), (steps, 1), false, &batch.slot);
        Some(batch)
    }

    fn gather(
        &self,
        recorder: &mut Recorder,
        source: &BufferSpec,
        shape: (Option<usize>, usize),
        windows: bool,
        batch: &Slot,
    ) {
        self.gather_with(recorder, source, shape, windows, (batch, None));
    }

    fn gather_with(
        &self,
        recorder: &mut Recorder,
        source: &BufferSpec,
        (steps, features): (Option<usize>, usize),
        windows: bool,
        (batch, more): (&Slot, Option<MoreSlots>),
    ) {
        let data = recorder.plan.persistent(source);
        let order = recorder.plan.persistent(&self.order_spec());
        let starts = recorder.plan.persistent(&self.starts_spec());
        let (steps, rows) = (steps.unwrap_or(1), source.shape[0]);
        // Rows beyond a part are needed by the samples that begin near its end.
        let bindable = recorder.plan.bindable_rows(rows, features);
        let parts = overlapping(&bindable, steps, rows);
        for (begins, seen) in parts {
            let kernel = Gather {
                samples: recorder.samples as u32,
                steps: steps as u32,
                features: features as u32,
                windows: windows.into(),
                row_first: begins.start as u32,
                row_last: begins.end as u32,
                row_base: seen.start as u32,
                more_steps: 0,
                more_features: 0,
            };
            let slots = GatherSlots {
                data: data.rows(seen, features),
                order: order.clone(),
                starts: starts.clone(),
                batch: batch.clone(),
                more: more.clone(),
            };
            kernel.record(&mut recorder.plan, slots);
        }
    }
}

/// For rows cut into bindable parts: which samples (by first row) each part serves, and which rows it shows them. A sample needs
/// `steps` rows, so where there are several parts each serves its size less a sample's rows, and begins at an aligned row.
fn overlapping(bindable: &[Range<usize>], steps: usize, rows: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let [first, _, ..] = bindable else { return vec![(0..rows, 0..rows)] };
    let stride = (first.len().saturating_sub(steps) / ALIGNMENT).max(1) * ALIGNMENT;
    (0..rows).step_by(stride).map(|at| (at..rows.min(at + stride), at..rows.min(at + stride + steps))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_size_is_that_of_its_buffers() {
        let data = Dataset::from_arrays(vec![0.0; 60], &[5, 4, 3], vec![0.0; 10], &[5, 2]).expect("a data set");
        let data = data.with_sample_weight(vec![1.0; 5], &[5]).expect("weights");
        for feed in [Feed::new("data", &data), Feed::new("data", &data).with_room(3)] {
            let lens: Vec<usize> = feed.specs().iter().map(BufferSpec::len).collect();
            assert_eq!(feed.lens().collect::<Vec<_>>(), lens);
            assert_eq!(feed.bytes(), 4 * lens.iter().sum::<usize>());
        }
    }

    #[test]
    fn parts_serve_every_start_once_and_show_all_its_rows() {
        let rows = 1000;
        let bindable: Vec<Range<usize>> = (0..rows).step_by(256).map(|at| at..rows.min(at + 256)).collect();
        let parts = overlapping(&bindable, 30, rows);
        for start in 0..=rows - 30 {
            let serving: Vec<_> = parts.iter().filter(|(begins, _)| begins.contains(&start)).collect();
            assert_eq!(serving.len(), 1, "start {start}");
            let (_, seen) = serving[0];
            assert!(seen.start <= start && start + 30 <= seen.end && seen.len() <= 256, "start {start}: {seen:?}");
        }
    }
}
