//! Training in lockstep: every kernel of every training step held to its reference, and the losses to a run in double precision.

use super::history::Scores;
use super::model::Model;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::exec::lockstep::{LockstepReport, lockstep};
use crate::kernels::Precision;
use crate::model::{Activation, BatchNormalization, Dense, Lstm, Mode, Sequential};
use crate::train::{Adam, Loss, Metric};

/// What [`lockstep_training`] found.
#[derive(Clone, Debug)]
pub struct TrainingReport {
    /// Training steps done.
    pub training_steps: usize,
    /// Every kernel run against its reference.
    pub kernels: LockstepReport,
    /// The first training step (from 1) with a kernel that disagrees.
    pub first_wrong: Option<usize>,
    /// The largest distance of a step's loss from a free run on the CPU in `f64`.
    pub loss_error: f64,
    /// How large it may be: 8 times that of a free run on the CPU in the device's precision, or one ulp of the loss per step.
    pub loss_tolerance: f64,
}

/// How many times as far as the CPU in the same precision a device's losses may stray from `f64`: both only round, in other orders.
const STRAY: f64 = 8.0;

impl TrainingReport {
    /// The report, or what disagrees as an error.
    pub fn agreed(self) -> Result<TrainingReport> {
        let kernels = self.kernels.clone().agreed();
        let step = self.first_wrong.unwrap_or(0);
        kernels.map_err(|e| Error::Disagreement(format!("training in lockstep, training step {step}: {e}")))?;
        if self.loss_error > self.loss_tolerance {
            return Err(Error::Disagreement(format!(
                "training: each kernel agrees by itself, but after {} steps the losses are {:.1e} from the CPU's in f64, {:.1e} are allowed",
                self.training_steps, self.loss_error, self.loss_tolerance
            )));
        }
        Ok(self)
    }
}

/// The lesson's model: LSTM(64, sequences), BatchNormalization, LSTM(32), BatchNormalization, Dense(1, sigmoid).
pub fn lesson_model(seed: u64) -> Sequential {
    Sequential::new(&[LESSON_STEPS, 1])
        .add(Lstm::new(64).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(seed)
}

const LESSON_STEPS: usize = 10;
/// Samples of a batch; the third of every three is short, as an epoch's last one.
const BATCH: usize = 32;
const SHORT_BATCH: usize = 5;

/// Trains the lesson's model on a device for some steps, every kernel in lockstep with the CPU's reference.
///
/// Disagreement is in the report; [`TrainingReport::agreed`] makes it an error.
pub fn lockstep_training(device: &Device, seed: u64, training_steps: usize) -> Result<TrainingReport> {
    let (data, batches) = lesson_batches(training_steps)?;
    let compile = |device: &Device| {
        lesson_model(seed).compile(device.clone(), Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])
    };
    let mut model = compile(device)?;
    let (mut kernels, mut losses, mut first_wrong) = (LockstepReport::default(), Vec::new(), None);
    for (step, rows) in (1..).zip(&batches) {
        let (found, loss) = model.lockstep_step(&data, rows)?;
        first_wrong = first_wrong.or(found.disagreement.as_ref().map(|_| step));
        kernels.join(found);
        losses.push(loss);
    }
    let free = |device: &Device| Ok::<_, Error>(losses_of(&compile(device)?.train_on(&data, &batches)?));
    let truth = free(&Device::CpuF64)?;
    let largest = truth.iter().fold(0f64, |m, v| m.max(v.abs()));
    let same_precision = match device.limits().precision {
        Precision::F32 => Device::CpuReference,
        Precision::F16 => Device::CpuF16,
    };
    let floor = training_steps as f64 * f32::EPSILON as f64 * largest;
    Ok(TrainingReport {
        training_steps,
        kernels,
        first_wrong,
        loss_error: distance(&losses, &truth),
        loss_tolerance: floor.max(STRAY * distance(&free(&same_precision)?, &truth)),
    })
}

/// Uniform inputs and targets of both kinds, and the rows of each step.
fn lesson_batches(training_steps: usize) -> Result<(Dataset, Vec<Vec<u32>>)> {
    let samples = 4 * BATCH;
    let x = (0..samples * LESSON_STEPS).map(|i| (i as f32 * 0.618_034).fract()).collect();
    let y = (0..samples).map(|i| ((i * i / 3) % 2) as f32).collect();
    let data = Dataset::from_arrays(x, &[samples, LESSON_STEPS, 1], y, &[samples, 1])?;
    let batch = |step: usize| {
        let size = if step % 3 == 2 { SHORT_BATCH } else { BATCH };
        (0..size).map(|i| ((step * 37 + i * 3) % samples) as u32).collect()
    };
    Ok((data, (0..training_steps).map(batch).collect()))
}

fn losses_of(scores: &[Scores]) -> Vec<f64> {
    scores.iter().filter_map(|s| s.get("loss")).collect()
}

/// The largest difference; infinite where a value is not finite.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.map(|d| if d.is_finite() { d } else { f64::INFINITY }).fold(0.0, f64::max)
}

impl Model {
    /// One training step, kernel by kernel in lockstep; gives the batch's mean loss too.
    fn lockstep_step(&mut self, data: &Dataset, rows: &[u32]) -> Result<(LockstepReport, f64)> {
        let feed = self.feed("lockstep", data, rows.len())?;
        self.set_order(&feed, rows.to_vec())?;
        self.bring(&feed, 0)?;
        let program = self.program(&feed, Mode::Train, rows.len())?;
        let scalars = self.compiled.optimizer.scalars(self.iterations + 1);
        self.executor.set_scalars(&[scalars])?;
        let report = lockstep(self.executor.as_mut(), &program.plan, 0, scalars)?;
        self.iterations += 1;
        let mut tally = self.tally();
        tally.add_all(&self.read_log(vec![program.measured], &[rows.len()])?);
        Ok((report, tally.scores("").get("loss").unwrap_or(f64::NAN)))
    }
}
