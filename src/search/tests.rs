//! Drawing, the schedule of successive halving, and what follows from what is known of trials.

use std::collections::BTreeMap;

use super::run::Job;
use super::trial::standing;
use super::*;
use crate::ablate::Variant;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::model::{Dense, Sequential};
use crate::train::{Adam, Loss, Model};

fn space() -> Space {
    Space {
        units: Values::Between(16.0, 128.0),
        layers: Values::Between(1.0, 3.0),
        learning_rate: Values::Between(1e-4, 1e-2),
        dropout: Values::Between(0.0, 0.5),
        recurrent_dropout: Values::fixed(0.0),
        windows: vec![10, 20, 40],
        norms: Variant::ALL.to_vec(),
        batch_sizes: vec![32, 64],
    }
}

fn drawn(space: &Space) -> Vec<Hyperparameters> {
    (1..=2000).map(|trial| space.draw(7, trial)).collect()
}

/// The share of numbers below a bound.
fn below(values: &[f64], bound: f64) -> f64 {
    values.iter().filter(|&&value| value < bound).count() as f64 / values.len() as f64
}

#[test]
fn a_draw_is_within_bounds_that_are_reached() {
    let all = drawn(&space());
    let units: Vec<usize> = all.iter().flat_map(|drawn| drawn.units.clone()).collect();
    assert_eq!((units.iter().min(), units.iter().max()), (Some(&16), Some(&128)));
    for layers in 1..=3 {
        let share = all.iter().filter(|drawn| drawn.units.len() == layers).count() as f64 / all.len() as f64;
        assert!((0.28..0.39).contains(&share), "{layers} layers: {share}");
    }
    assert!(all.iter().all(|d| (1e-4..=1e-2).contains(&d.learning_rate) && (0.0..=0.5).contains(&d.dropout)));
    assert!([10, 20, 40].iter().all(|&w| all.iter().any(|d| d.window == Some(w))));
    assert!(Variant::ALL.iter().all(|&norm| all.iter().any(|d| d.norm == norm)));
}

#[test]
fn rates_and_sizes_are_as_often_in_each_order_of_magnitude() {
    let all = drawn(&space());
    let rates: Vec<f64> = all.iter().map(|drawn| drawn.learning_rate).collect();
    // Of 2,000 draws a share of a half has a deviation of 0.011, one of a quarter less; even draws would be below 1e-3 in 9 %.
    assert!((below(&rates, 1e-3) - 0.5).abs() < 0.05, "{}", below(&rates, 1e-3));
    assert!((below(&rates, 10f64.powf(-3.5)) - 0.25).abs() < 0.05);
    let units: Vec<f64> = all.iter().flat_map(|drawn| &drawn.units).map(|&units| units as f64).collect();
    assert!((below(&units, 45.5) - 0.5).abs() < 0.05, "{}", below(&units, 45.5));
    let dropout: Vec<f64> = all.iter().filter(|d| d.norm.is_behind()).map(|d| d.dropout).collect();
    assert!((below(&dropout, 0.25) - 0.5).abs() < 0.05, "dropout is drawn evenly: {}", below(&dropout, 0.25));
}

#[test]
fn a_draw_depends_on_seed_and_number_alone() {
    let space = space();
    assert_eq!(space.draw(7, 5), space.draw(7, 5));
    assert_ne!(space.draw(7, 5), space.draw(8, 5));
    assert_ne!(space.draw(7, 5), space.draw(7, 6));
    let fixed = Space { learning_rate: Values::fixed(0.5), ..space.clone() };
    for trial in 1..50 {
        let (free, fixed) = (space.draw(7, trial), fixed.draw(7, trial));
        assert_eq!(Hyperparameters { learning_rate: 0.5, ..free }, fixed, "fixing one leaves the others as they were");
    }
}

#[test]
fn what_is_drawn_is_typed_again_to_the_same_number() {
    for drawn in drawn(&space()) {
        let again: f64 = drawn.rate().parse().unwrap();
        assert_eq!(again.to_bits(), drawn.learning_rate.to_bits());
        assert!(drawn.rate().len() <= 8, "{}", drawn.rate());
    }
}

#[test]
fn a_normalisation_without_dropout_draws_none() {
    assert!(drawn(&space()).iter().all(|drawn| drawn.norm.is_behind() || drawn.dropout == 0.0));
    let always = Space { dropout: Values::fixed(0.2), ..space() };
    let error = always.check().unwrap_err().to_string();
    assert!(error.contains("recurrent_batch_norm has no dropout"), "{error}");
    Space { norms: vec![Variant::Plain, Variant::BatchNorm], ..always }.check().unwrap();
}

#[test]
fn moving_averages_are_given_time_to_settle() {
    // 1,627 samples in batches of 64 are 26 steps, of which 12 epochs have more than 300.
    assert_eq!(space().settling_epochs(1627), 12);
    assert_eq!(space().settling_epochs(1_000_000), 1);
    assert_eq!(space().settling_epochs(1), 300);
    let without = Space { norms: vec![Variant::Plain, Variant::LayerNorm], ..space() };
    assert_eq!(without.settling_epochs(1627), 1);
}

#[test]
fn an_impossible_space_is_refused_by_name() {
    let refused = |space: Space, words: &str| {
        let error = space.check().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    space().check().unwrap();
    refused(Space { units: Values::Between(0.0, 8.0), ..space() }, "units: 0 is not from 1");
    refused(Space { layers: Values::Between(3.0, 1.0), ..space() }, "3 is more than 1");
    refused(Space { learning_rate: Values::Between(0.0, 1.0), ..space() }, "learning rates: 0 is not above 0");
    refused(Space { learning_rate: Values::fixed(f64::NAN), ..space() }, "learning rates: NaN");
    refused(Space { dropout: Values::Between(0.0, 1.0), ..space() }, "dropout");
    refused(Space { recurrent_dropout: Values::OneOf(vec![]), ..space() }, "recurrent dropout: there is no value");
    refused(Space { norms: vec![], ..space() }, "norms");
    refused(Space { batch_sizes: vec![0], ..space() }, "at least 1");
}

fn rungs(trials: usize, epochs: usize, factor: usize, first_epochs: usize) -> Vec<(usize, usize)> {
    let rungs = Method::Halving { factor, first_epochs }.rungs(trials, epochs).unwrap();
    rungs.iter().map(|rung| (rung.trials, rung.epochs)).collect()
}

#[test]
fn halving_keeps_to_the_numbers_of_the_paper() {
    // Hyperband (Li et al. 2018), table 1, R = 81 and eta = 3: the brackets s = 4, 3 and 2.
    assert_eq!(rungs(81, 81, 3, 1), [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]);
    assert_eq!(rungs(27, 81, 3, 3), [(27, 3), (9, 9), (3, 27), (1, 81)]);
    assert_eq!(rungs(9, 81, 3, 9), [(9, 9), (3, 27), (1, 81)]);
    // By hand: where epochs end before trials do, where trials do first, and halves that are not whole.
    assert_eq!(rungs(30, 27, 3, 3), [(30, 3), (10, 9), (3, 27)]);
    assert_eq!(rungs(4, 100, 2, 5), [(4, 5), (2, 10), (1, 100)]);
    assert_eq!(rungs(7, 8, 2, 1), [(7, 1), (3, 2), (1, 8)]);
    assert_eq!(rungs(5, 10, 3, 4), [(5, 4), (1, 10)]);
    assert_eq!(rungs(1, 10, 3, 1), [(1, 10)]);
    assert_eq!(rungs(5, 10, 3, 10), [(5, 10)]);
    let from = |epochs, settling| match Method::halving(epochs, settling) {
        Method::Halving { factor: 3, first_epochs } => first_epochs,
        other => panic!("{other:?}"),
    };
    assert_eq!([from(27, 1), from(27, 12), from(27, 60), from(5, 1)], [3, 12, 27, 1]);
    assert_eq!(Method::Random.rungs(5, 10).unwrap(), [Rung { trials: 5, epochs: 10 }]);
    for (factor, first_epochs) in [(1, 1), (3, 0), (3, 11)] {
        Method::Halving { factor, first_epochs }.rungs(5, 10).unwrap_err();
    }
    Method::Random.rungs(0, 10).unwrap_err();
}

fn search(trials: usize, larger_is_better: bool) -> Search {
    let objective = Objective { name: "val_loss".into(), larger_is_better };
    let method = Method::Halving { factor: 2, first_epochs: 1 };
    Search { space: space(), method, trials, epochs: 4, objective, seed: 7, budget: None }
}

fn record(trial: usize, rung: usize, value: Option<f64>, ended: Ended) -> Trial {
    Trial {
        trial,
        rung,
        seed: 7 + trial as u64,
        hyperparameters: space().draw(7, trial),
        epochs: 1 << rung,
        best_epoch: 1,
        scores: BTreeMap::from([("val_loss".to_owned(), value)]),
        history: Vec::new(),
        seconds: 1.0,
        ended,
    }
}

/// What the search does in each step, where trials have these values in every rung; none where they diverge.
fn course(search: &Search, values: &[Option<f64>]) -> Vec<(usize, usize)> {
    let (rungs, mut records, mut course) = (search.rungs().unwrap(), Vec::new(), Vec::new());
    while let Some(Job { trial, rung }) = search.next(&rungs, &records) {
        course.push((trial, rung));
        let value = values[trial - 1];
        let ended = if value.is_some() { Ended::Whole } else { Ended::Diverged("NaN".into()) };
        records.push(record(trial, rung, value, ended));
    }
    course
}

#[test]
fn the_best_half_goes_on_and_those_that_failed_do_not() {
    let first = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)];
    let values = [Some(0.5), Some(0.1), None, Some(0.3), Some(0.3)];
    let with = |rest: &[(usize, usize)]| [&first[..], rest].concat();
    assert_eq!(course(&search(5, false), &values), with(&[(2, 1), (4, 1), (2, 2)]));
    assert_eq!(course(&search(5, true), &values), with(&[(1, 1), (4, 1), (1, 2)]), "equal ones by their numbers");
    assert_eq!(course(&search(5, false), &[None; 5]), first);
    assert_eq!(course(&search(5, false), &[None, None, None, Some(f64::MAX), None]), with(&[(4, 1), (4, 2)]));
}

#[test]
fn a_trial_that_was_cut_off_is_next() {
    let search = search(3, false);
    let rungs = search.rungs().unwrap();
    for ended in [Ended::Budget, Ended::Interrupted] {
        let records = [record(1, 0, Some(0.5), Ended::Whole), record(2, 0, Some(0.4), ended)];
        assert_eq!(search.next(&rungs, &records), Some(Job { trial: 2, rung: 0 }));
        assert_eq!(standing(&records, &search.objective)[0].trial, 2, "what it has done counts");
    }
}

#[test]
fn the_table_has_each_trial_once_and_those_that_failed_at_its_end() {
    let objective = search(4, false).objective;
    let records = [
        record(1, 0, Some(0.5), Ended::Whole),
        record(2, 0, Some(0.1), Ended::Whole),
        record(3, 0, None, Ended::Refused("too little memory".into())),
        record(4, 0, Some(0.2), Ended::Whole),
        record(2, 1, Some(0.05), Ended::Diverged("NaN".into())),
        record(4, 1, Some(0.15), Ended::Whole),
    ];
    let table: Vec<(usize, usize)> = standing(&records, &objective).iter().map(|t| (t.trial, t.rung)).collect();
    assert_eq!(table, [(4, 1), (1, 0), (2, 1), (3, 0)]);
    let found = Found { trials: standing(&records, &objective), cut: None };
    assert_eq!(found.best(&objective).map(|trial| trial.trial), Some(4));
}

#[test]
fn a_value_that_is_not_finite_is_never_better() {
    for larger_is_better in [false, true] {
        let objective = Objective { name: "val_loss".into(), larger_is_better };
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!objective.improves(value, None) && !objective.improves(value, Some(1.0)));
        }
        assert!(objective.improves(1.0, None) && !objective.improves(1.0, Some(1.0)));
        assert_eq!(objective.improves(2.0, Some(1.0)), larger_is_better);
    }
}

#[test]
fn a_record_comes_back_from_its_line_to_the_bit() {
    for value in [Some(0.1 + 0.2), Some(f64::MIN_POSITIVE), None] {
        let trial = record(3, 1, value, Ended::Whole);
        let again: Trial = serde_json::from_str(&serde_json::to_string(&trial).unwrap()).unwrap();
        assert_eq!(again, trial);
    }
}

/// Sixteen samples of two steps, whose sum is to be told.
fn data() -> [Sampled; 1] {
    let x: Vec<f32> = (0..32).map(|i| (i % 7) as f32 / 7.0).collect();
    let y = x.chunks(2).map(|pair| pair[0] + pair[1]).collect();
    let data = Dataset::from_arrays(x, &[16, 2, 1], y, &[16, 1]).unwrap();
    [Sampled { window: None, train: data.clone(), validation: data }]
}

/// The search of [`search`] with small models, in a folder.
fn run(
    search: &Search,
    folder: &std::path::Path,
    mut build: impl FnMut(&Hyperparameters, u64, &Dataset) -> Result<Model>,
) -> Result<Found> {
    let search = Search { space: Space { windows: vec![], units: Values::fixed(2.0), ..space() }, ..search.clone() };
    let interrupt = Default::default();
    let setting = Setting { folder, data: &data(), device: &Device::Cpu, interrupt };
    search.run(&setting, &mut build, |_| ())
}

fn build(drawn: &Hyperparameters, seed: u64, train: &Dataset) -> Result<Model> {
    let model = drawn.stack().add_to(Sequential::new(train.input_shape()).seed(seed), train.steps())?;
    model.add(Dense::new(1)).compile(Device::Cpu, Loss::MeanSquaredError, Adam::new(drawn.learning_rate), [])
}

#[test]
fn a_model_that_is_refused_is_a_result_and_a_file_that_cannot_be_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let found = run(&search(3, false), folder.path(), |drawn, seed, train| match seed {
        9 => Err(Error::Device("too little memory".into())),
        _ => build(drawn, seed, train),
    });
    let found = found.unwrap();
    assert_eq!(found.trials.last().unwrap().ended, Ended::Refused("too little memory".into()));
    assert!(found.best(&search(3, false).objective).is_some() && found.cut.is_none());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    run(&search(3, false), &file, build).unwrap_err();
}

#[test]
fn what_is_done_is_not_done_again_and_another_search_has_no_place_there() {
    let folder = tempfile::tempdir().unwrap();
    let found = run(&search(3, false), folder.path(), build).unwrap();
    let never = |_: &Hyperparameters, _: u64, _: &Dataset| -> Result<Model> { panic!("it is done") };
    assert_eq!(run(&search(3, false), folder.path(), never).unwrap(), found);
    let other = run(&search(4, false), folder.path(), build).unwrap_err().to_string();
    assert!(other.contains("search.json") && other.contains("another"), "{other}");
    std::fs::write(folder.path().join(Folder::TRIALS), "{}\n").unwrap();
    let damaged = run(&search(3, false), folder.path(), build).unwrap_err().to_string();
    assert!(damaged.contains("trials.jsonl") && damaged.contains("line 1"), "{damaged}");
}

#[test]
fn a_search_without_time_trains_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hurried = Search { budget: Some(std::time::Duration::ZERO), ..search(3, false) };
    let found = run(&hurried, folder.path(), build).unwrap();
    assert_eq!(found, Found { trials: vec![], cut: Some(Ended::Budget) });
}
