//! What `fit` takes and whom it calls: callbacks, epochs of a part of the data, validation now and then, and single batches.

use gatenorm::data::Dataset;
use gatenorm::prelude::*;
use gatenorm::train::{
    Batches, Callback, CsvLogger, EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLrOnPlateau, Scores,
    TensorBoard, TerminateOnNan, Training,
};

/// Samples of two features and a target of their own each.
fn data(samples: usize) -> Dataset {
    let x: Vec<f32> = (0..samples * 2).map(|i| ((i * i) as f32 * 0.37 + i as f32).sin()).collect();
    let y = (0..samples).map(|i| 1.0 + i as f32).collect();
    Dataset::from_arrays(x, &[samples, 2], y, &[samples, 1]).unwrap()
}

/// One batch.
fn arrays(x: Vec<f32>, y: Vec<f32>) -> Dataset {
    let samples = y.len();
    Dataset::from_arrays(x, &[samples, 2], y, &[samples, 1]).unwrap()
}

fn model(rate: f64) -> Model {
    let layers = Sequential::new(&[2]).add(Dense::new(3).activation(Activation::Tanh)).add(Dense::new(1));
    layers.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(rate), [Metric::MeanAbsoluteError]).unwrap()
}

/// The loss of each sample by itself.
fn losses(model: &mut Model, data: &Dataset) -> Vec<f64> {
    let sample = |i| {
        let (x, y) = data.sample(i);
        model.test_on_batch(&arrays(x, y)).unwrap().get("loss").unwrap()
    };
    (0..data.len()).map(sample).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[track_caller]
fn assert_close(a: f64, b: f64) {
    // A mean of a few sums in f32.
    assert!((a - b).abs() <= 1e-5 * b.abs(), "{a} is not {b}");
}

/// Notes what it is told, and stops where it is to.
struct Notes {
    hears: Batches,
    stop_at: Option<(usize, usize)>,
    epoch: usize,
    told: Vec<String>,
    /// Of each batch: the mean loss so far and the model's steps.
    batches: Vec<(f64, u64)>,
}

impl Notes {
    fn new(hears: Batches) -> Self {
        Notes { hears, stop_at: None, epoch: 0, told: Vec::new(), batches: Vec::new() }
    }
}

impl Callback for Notes {
    fn batches(&self) -> Batches {
        self.hears
    }
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.told.push(format!("begin {} x {}: {}", training.epochs, training.steps, training.names.join(" ")));
        Ok(())
    }
    fn on_train_end(&mut self, logs: &Scores, _: &mut Training<'_>) -> Result<()> {
        self.told.push(format!("end with {} scores", logs.0.len()));
        Ok(())
    }
    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Training<'_>) -> Result<()> {
        self.epoch = epoch;
        self.told.push(format!("epoch {epoch}"));
        Ok(())
    }
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, _: &mut Training<'_>) -> Result<()> {
        let names: Vec<&str> = logs.0.iter().map(|(name, _)| name.as_str()).collect();
        self.told.push(format!("epoch {epoch} done: {}", names.join(" ")));
        Ok(())
    }
    fn on_batch_end(&mut self, batch: usize, logs: &Scores, training: &mut Training<'_>) -> Result<()> {
        self.told.push(format!("batch {batch}"));
        self.batches.push((logs.get("loss").unwrap(), training.model.iterations()));
        if self.stop_at == Some((self.epoch, batch)) {
            training.stop();
        }
        Ok(())
    }
}

#[test]
fn callbacks_are_called_in_kerass_order() {
    let (data, validation) = (data(5), data(3));
    for hears in [Batches::Each, Batches::Bunched, Batches::None] {
        let mut notes = Notes::new(hears);
        let fit = Fit::epochs(2).batch_size(2).validation(&validation).validation_freq(2).callback(&mut notes);
        let history = model(0.01).fit(&data, fit).unwrap();
        let mut expected = vec![
            "begin 2 x 3: loss mae val_loss val_mae",
            "epoch 0",
            "batch 0",
            "batch 1",
            "batch 2",
            "epoch 0 done: loss mae",
            "epoch 1",
            "batch 0",
            "batch 1",
            "batch 2",
            "epoch 1 done: loss mae val_loss val_mae",
            "end with 4 scores",
        ];
        if hears == Batches::None {
            expected.retain(|told| !told.starts_with("batch"));
        } else {
            let ends = [notes.batches[2].0, notes.batches[5].0];
            assert_eq!(ends.to_vec(), history.get("loss"), "the last batch's means are the epoch's");
        }
        assert_eq!(notes.told, expected);
        if hears == Batches::Each {
            let steps: Vec<u64> = notes.batches.iter().map(|&(_, steps)| steps).collect();
            assert_eq!(steps, [1, 2, 3, 4, 5, 6], "the model is where the batch left it");
        }
    }
}

#[test]
fn only_who_asks_for_each_batch_pays_for_it() {
    let data = data(64);
    let read = |hears| {
        let (mut model, mut notes) = (model(0.01), Notes::new(hears));
        model.fit(&data, Fit::epochs(1).batch_size(1).callback(&mut notes)).unwrap();
        model.counters().bytes_out
    };
    // Each reading takes the two integers of the training's health beside the losses, which are the same in all.
    let (none, bunched, each) = (read(Batches::None), read(Batches::Bunched), read(Batches::Each));
    // Columns: loss, mae, three sums of weights, what layers add.
    let losses = 64 * 6 * 4;
    assert_eq!(each, losses + 64 * 8);
    assert!(none < losses + 32 * 8 && bunched < losses + 32 * 8, "{none} {bunched}");
}

#[test]
fn a_callback_stops_training_after_its_batch() {
    let (data, validation) = (data(8), data(4));
    let mut notes = Notes { stop_at: Some((1, 1)), ..Notes::new(Batches::Each) };
    let mut model = model(0.01);
    let fit = Fit::epochs(9).batch_size(2).validation(&validation).callback(&mut notes);
    let history = model.fit(&data, fit).unwrap();
    assert_eq!((history.epochs.len(), model.iterations()), (2, 6));
    assert!(history.epochs[1].scores.get("val_loss").is_some(), "the cut epoch is validated");
    assert_eq!(notes.told[notes.told.len() - 2..], ["epoch 1 done: loss mae val_loss val_mae", "end with 4 scores"]);
}

/// Stops before anything is trained, or trains within training.
struct Odd {
    stop_in_begin: bool,
    stop_in_epoch: bool,
    fit: bool,
}

impl Callback for Odd {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        if self.fit {
            training.model.fit(&data(2), Fit::epochs(1))?;
        }
        if self.stop_in_begin {
            training.stop();
        }
        Ok(())
    }
    fn on_epoch_begin(&mut self, _: usize, training: &mut Training<'_>) -> Result<()> {
        if self.stop_in_epoch {
            training.stop();
        }
        Ok(())
    }
}

#[test]
fn stopped_before_the_first_batch_nothing_is_trained() {
    for (stop_in_begin, stop_in_epoch) in [(true, false), (false, true)] {
        let mut model = model(0.01);
        let odd = Odd { stop_in_begin, stop_in_epoch, fit: false };
        let history = model.fit(&data(4), Fit::epochs(3).callback(odd)).unwrap();
        assert_eq!((history.epochs.len(), model.iterations()), (0, 0));
    }
}

#[test]
fn training_within_training_is_refused() {
    let mut model = model(0.01);
    let odd = Odd { stop_in_begin: false, stop_in_epoch: false, fit: true };
    let error = model.fit(&data(4), Fit::epochs(1).callback(odd)).unwrap_err().to_string();
    assert!(error.contains("a callback of `fit` cannot call `fit`"), "{error}");
    model.fit(&data(4), Fit::epochs(1)).expect("and afterwards it may");
}

#[test]
fn early_stopping_and_the_plateau_end_a_training_that_stands_still() {
    let mut stopping = EarlyStopping::new().monitor("loss").patience(3);
    let reduce = ReduceLrOnPlateau::new().monitor("loss").patience(1).factor(0.5).min_delta(1e9);
    let fit = Fit::epochs(20).callback(reduce).callback(&mut stopping);
    let mut model = model(1e-30);
    let history = model.fit(&data(8), fit).unwrap();
    assert_eq!((history.epochs.len(), stopping.stopped_epoch()), (4, Some(3)));
    assert_eq!(history.get("learning_rate"), [1e-30, 1e-30, 5e-31, 2.5e-31]);
    assert_eq!(model.learning_rate(), 1.25e-31);
}

#[test]
fn early_stopping_gives_the_best_epochs_weights_back() {
    let (data, validation) = (data(12), data(20));
    let mut model = model(0.05);
    let mut stopping = EarlyStopping::new().patience(100).restore_best_weights(true);
    let fit = Fit::epochs(12).batch_size(4).validation(&validation).callback(&mut stopping);
    let losses = model.fit(&data, fit).unwrap().get("val_loss");
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best < losses[11], "the last epoch is not the best: {losses:?}");
    assert_eq!(losses[stopping.best_epoch().unwrap()], best);
    assert_close(model.evaluate(&validation).unwrap().get("loss").unwrap(), best);
}

#[test]
fn the_best_model_is_in_the_checkpoint() {
    let (data, validation, folder) = (data(12), data(20), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let best = ModelCheckpoint::new(path("best.keras")).save_best_only(true);
    let weights = ModelCheckpoint::new(path("weights/{epoch:02d}.weights.h5")).save_weights_only(true);
    let fit = Fit::epochs(12).batch_size(4).validation(&validation).callback(best).callback(weights);
    let mut trained = model(0.05);
    let losses = trained.fit(&data, fit).unwrap().get("val_loss");
    let loss = |model: &mut Model| model.evaluate(&validation).unwrap().get("loss").unwrap();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_close(loss(&mut Model::load(path("best.keras"), Device::Cpu).unwrap()), least);
    let mut other = model(0.5);
    for (epoch, expected) in (1..).zip(&losses) {
        other.load_weights(path(&format!("weights/{epoch:02}.weights.h5"))).unwrap();
        assert_close(loss(&mut other), *expected);
    }
    assert_eq!((other.iterations(), other.learning_rate()), (36, f64::from(0.05f32)));
    let error = lstm().load_weights(path("weights/01.weights.h5")).unwrap_err().to_string();
    assert!(error.contains("01.weights.h5"), "{error}");
}

fn lstm() -> Model {
    let layers = Sequential::new(&[4, 2]).add(Lstm::new(3)).add(Dense::new(1));
    layers.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::default(), []).unwrap()
}

#[test]
fn scores_are_logged_for_tables_and_tensorboard() {
    let (data, folder) = (data(8), tempfile::tempdir().unwrap());
    let path = folder.path().join("log.csv");
    let scheduler = LearningRateScheduler::new(|epoch, rate| if epoch == 0 { rate } else { rate * 0.5 });
    let fit = Fit::epochs(2).batch_size(4).validation_split(0.5);
    let fit = fit.callback(scheduler).callback(CsvLogger::new(&path)).callback(TensorBoard::new(folder.path()));
    let history = model(0.5).fit(&data, fit).unwrap();
    assert_eq!(history.get("learning_rate"), [0.5, 0.25]);
    let table = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "epoch,learning_rate,loss,mae,val_loss,val_mae");
    for (i, (line, epoch)) in lines[1..].iter().zip(&history.epochs).enumerate() {
        let figures: Vec<f64> = line.split(',').map(|figure| figure.parse().unwrap()).collect();
        let names = ["learning_rate", "loss", "mae", "val_loss", "val_mae"];
        let expected: Vec<f64> = names.iter().map(|name| epoch.scores.get(name).unwrap()).collect();
        assert_eq!((figures[0], &figures[1..]), (i as f64, &expected[..]));
    }
    let events = |part: &str| {
        let file = std::fs::read_dir(folder.path().join(part)).unwrap().next().unwrap().unwrap().path();
        String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()
    };
    assert_eq!(events("train").matches("epoch_loss").count(), 2);
    assert_eq!(events("train").matches("epoch_learning_rate").count(), 2);
    assert_eq!(events("validation").matches("evaluation_mae_vs_iterations").count(), 2);
}

#[test]
fn a_training_that_diverges_is_stopped_with_its_last_good_weights() {
    let x: Vec<f32> = (0..48).map(|i| if i == 30 { 3e38 } else { 0.1 * i as f32 }).collect();
    let data = Dataset::from_arrays(x, &[8, 6], vec![0.5; 8], &[8, 1]).unwrap();
    let compile = || {
        let layers = Sequential::new(&[6]).add(BatchNormalization::new()).add(Dense::new(1)).seed(3);
        layers.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap()
    };
    let fit = || Fit::epochs(3).batch_size(3).shuffle(false);
    let error = compile().fit(&data, fit()).unwrap_err();
    assert!(matches!(error, Error::NonFinite { step: 2, .. }), "{error}");
    let (mut model, mut terminate, mut notes) = (compile(), TerminateOnNan::new(), Notes::new(Batches::Bunched));
    let history = model.fit(&data, fit().callback(&mut terminate).callback(&mut notes)).unwrap();
    assert_eq!((history.epochs.len(), terminate.stopped_batch(), model.iterations()), (1, Some(1), 1));
    assert_eq!(notes.batches.len(), 2, "the batches after it are not told of");
    let mut good = compile();
    good.train_on(&data, &[vec![0, 1, 2]]).unwrap();
    assert_eq!(model.weights().unwrap(), good.weights().unwrap());
}

#[test]
fn an_epoch_of_some_steps_goes_on_where_the_last_one_stopped() {
    let data = data(10);
    let mut still = model(0.0);
    let single = losses(&mut still, &data);
    let mut notes = Notes::new(Batches::Bunched);
    let fit = Fit::epochs(5).batch_size(1).steps_per_epoch(4).shuffle(false).callback(&mut notes);
    let history = still.fit(&data, fit).unwrap();
    let parts = [&single[..4], &single[4..8], &single[8..], &single[..4], &single[4..8]];
    for (loss, part) in history.get("loss").into_iter().zip(parts) {
        assert_close(loss, mean(part));
    }
    assert_eq!(notes.batches.len(), 18);
    // Without a batch size the data is cut into so many.
    let mut model = model(0.01);
    model.fit(&data, Fit::epochs(2).steps_per_epoch(5)).unwrap();
    assert_eq!(model.iterations(), 10);
    // Shuffled, a pass still takes each sample once.
    let history = still.fit(&data, Fit::epochs(2).batch_size(1).steps_per_epoch(5)).unwrap();
    assert_close(mean(&history.get("loss")), mean(&single));
}

#[test]
fn validation_takes_the_steps_and_epochs_that_are_asked_for() {
    let (data, validation) = (data(6), data(10));
    let mut still = model(0.0);
    let single = losses(&mut still, &validation);
    let fit = || Fit::epochs(5).batch_size(4).validation(&validation);
    let losses = |still: &mut Model, fit: Fit<'_>| {
        let epochs = still.fit(&data, fit).unwrap().epochs;
        epochs.iter().map(|epoch| epoch.scores.get("val_loss")).collect::<Vec<_>>()
    };
    for (fit, samples) in [
        (fit(), 10),
        (fit().validation_steps(2), 8),
        (fit().validation_steps(2).validation_batch_size(3), 6),
        (fit().validation_steps(9), 10),
    ] {
        losses(&mut still, fit).into_iter().for_each(|loss| assert_close(loss.unwrap(), mean(&single[..samples])));
    }
    let validated = |losses: Vec<Option<f64>>| losses.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(validated(losses(&mut still, fit().validation_freq(2))), [false, true, false, true, false]);
    assert_eq!(validated(losses(&mut still, fit().validation_freq(vec![1, 4]))), [true, false, false, true, false]);
}

#[test]
fn training_goes_on_from_a_file_and_an_epoch_to_the_same_bits() {
    let (data, folder) = (data(21), tempfile::tempdir().unwrap());
    let path = folder.path().join("half.keras");
    let mut whole = model(0.05);
    let history = whole.fit(&data, Fit::epochs(5).batch_size(4)).unwrap();
    let mut half = model(0.05);
    half.fit(&data, Fit::epochs(2).batch_size(4)).unwrap();
    half.save(&path).unwrap();
    let mut rest = Model::load(&path, Device::Cpu).unwrap();
    let further = rest.fit(&data, Fit::epochs(5).initial_epoch(2).batch_size(4)).unwrap();
    assert_eq!(further.epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(further.get("loss"), history.get("loss")[2..]);
    assert_eq!(rest.weights().unwrap(), whole.weights().unwrap());
}

#[test]
fn single_batches_do_what_whole_data_sets_do() {
    let (data, two) = (data(6), data(2));
    let (mut a, mut b) = (model(0.05), model(0.05));
    for _ in 0..3 {
        let scores = a.train_on_batch(&data).unwrap();
        assert_eq!(vec![scores], b.train_on(&data, &[(0..6).collect()]).unwrap());
    }
    assert_eq!((a.weights().unwrap(), a.iterations()), (b.weights().unwrap(), 3));
    assert_eq!(a.test_on_batch(&data).unwrap(), a.evaluate(&data).unwrap());
    assert_eq!(a.predict_on_batch(&data).unwrap(), a.predict(&data).unwrap());
    // Of another size, and the first again.
    assert_eq!(a.predict_on_batch(&two).unwrap(), a.predict(&data).unwrap()[..2]);
    assert_eq!(a.predict_on_batch(&data).unwrap(), a.predict(&data).unwrap());
    let wrong = Dataset::from_arrays(vec![0.0; 6], &[2, 3], vec![0.0; 2], &[2, 1]).unwrap();
    let errors = [a.train_on_batch(&wrong).unwrap_err(), a.test_on_batch(&wrong).unwrap_err()];
    for error in errors.into_iter().chain(a.predict_on_batch(&wrong).err()) {
        assert!(error.to_string().contains("inputs of shape [2]"), "{error}");
    }
}

#[test]
fn arguments_that_cannot_be_are_refused_in_words() {
    let data = data(4);
    let refused = |fit: Fit<'_>, words: &str| {
        let error = model(0.01).fit(&data, fit).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(Fit::epochs(1).steps_per_epoch(0), "steps_per_epoch must be at least 1");
    refused(Fit::epochs(1).validation_steps(0), "validation_steps must be at least 1");
    refused(Fit::epochs(1).validation_freq(0), "validation_freq must be at least 1");
    refused(Fit::epochs(1).validation_batch_size(0), "batch size");
    refused(Fit::epochs(1).callback(EarlyStopping::new()), "`val_loss`");
    refused(Fit::epochs(1).callback(EarlyStopping::new().monitor("val_mse")), "there will be: loss, mae");
    refused(Fit::epochs(1).callback(ModelCheckpoint::new("model")), "must end in `.keras`");
}
