use super::super::curves;
use super::*;
use crate::ablate::Divergence;
use crate::train::Scores;

/// A run with these training losses; its accuracies are 1 - loss. One that diverges does so after them.
fn run(variant: Variant, rate: f64, seed: u64, losses: &[f64], diverges: bool) -> Run {
    let scores = |&loss: &f64| Scores(vec![("loss".into(), loss), ("val_accuracy".into(), 1.0 - loss)]);
    let diverged = diverges.then(|| Divergence { epoch: losses.len() + 1, reason: "scripted".into() });
    Run { variant, rate, seed, initial_loss: 0.7, epochs: losses.iter().map(scores).collect(), diverged }
}

fn judged() -> Judged {
    Judged { name: "val_accuracy".into(), larger_is_better: true }
}

/// Plain trains at the low rate only; batch_norm at both, though one seed at the high rate ends above where it began.
fn scripted() -> Vec<Run> {
    let (plain, norm) = (Variant::Plain, Variant::BatchNorm);
    vec![
        run(plain, 0.1, 0, &[0.6, 0.5, 0.4], false),
        run(plain, 0.1, 1, &[0.6, 0.4, 0.35], false),
        run(plain, 1.0, 0, &[0.65], true),
        run(plain, 1.0, 1, &[], true),
        run(norm, 0.1, 0, &[0.5, 0.3, 0.2], false),
        run(norm, 0.1, 1, &[0.4, 0.2, 0.25], false),
        run(norm, 1.0, 0, &[0.3, 0.2, 0.1], false),
        run(norm, 1.0, 1, &[0.3, 0.5, 0.9], false),
    ]
}

#[test]
fn the_goal_is_what_every_variant_reaches() {
    // Plain's slower seed ends at 0.4; batch_norm reaches 0.2 from both.
    assert_eq!(common_goal(&scripted()), Some(0.4));
    assert_eq!(common_goal(&scripted()[4..]), Some(0.2));
    assert_eq!(common_goal(&scripted()[2..4]), None, "nothing trained");
    let odd = run(Variant::Plain, 0.1, 0, &[0.060_312], false);
    assert_eq!(common_goal(&[odd]), Some(0.061));
    assert_eq!([1234.0, 0.5, 99.1, 0.0].map(round_up), [1300.0, 0.5, 100.0, 0.0]);
}

#[test]
fn epochs_to_the_goal_are_counted_from_one_for_those_that_reach_it() {
    let summary = Summary::of(&scripted(), judged(), None);
    let epochs: Vec<_> = summary.cells.iter().map(|cell| (cell.reached, cell.epochs_to_goal)).collect();
    let spread = |mean, least, most| Some(Spread { mean, least, most });
    assert_eq!(epochs, [(2, spread(2.5, 2.0, 3.0)), (0, None), (2, spread(1.5, 1.0, 2.0)), (2, spread(1.0, 1.0, 1.0))]);
    let strict = Summary::of(&scripted(), judged(), Some(0.2));
    assert_eq!(strict.cells.iter().map(|cell| cell.reached).collect::<Vec<_>>(), [0, 0, 2, 1]);
    // One seed alone is faster at the high rate, but both reach the goal at the low one.
    assert_eq!(strict.standings[1].fastest.as_ref().unwrap().rate, 0.1);
    assert_eq!(strict.standings[0].fastest, None);
}

#[test]
fn a_rate_trains_if_no_seed_diverges_or_ends_above_its_beginning() {
    let summary = Summary::of(&scripted(), judged(), None);
    assert_eq!(summary.cells.iter().map(|cell| cell.trained).collect::<Vec<_>>(), [2, 0, 2, 1]);
    let rates: Vec<_> = summary.standings.iter().map(|standing| standing.highest_rate).collect();
    assert_eq!(rates, [Some(0.1), Some(0.1)]);
    assert_eq!(summary.standings.iter().map(|s| (s.trained, s.runs)).collect::<Vec<_>>(), [(2, 4), (3, 4)]);
    assert!(!run(Variant::Plain, 1.0, 0, &[0.7], false).trained(), "as it began");
    assert!(!run(Variant::Plain, 1.0, 0, &[], false).trained());
}

#[test]
fn the_best_epoch_of_a_run_counts_and_the_best_rate_whose_runs_all_trained() {
    let summary = Summary::of(&scripted(), judged(), None);
    let [_, norm] = &summary.standings[..] else { panic!("two variants") };
    let best = norm.best.as_ref().unwrap();
    assert_eq!((best.rate, best.best.unwrap().least), (0.1, 0.8));
    // At the high rate, which did not train from every seed, one run reached more.
    assert_eq!((norm.over_all.unwrap().least, norm.over_all.unwrap().most), (0.7, 0.9));
    let error = Judged { name: "loss".into(), larger_is_better: false };
    let summary = Summary::of(&scripted(), error, None);
    assert_eq!(summary.cells[2].best.unwrap().most, 0.2, "the least of 0.4, 0.2, 0.25");
    assert_eq!(summary.cells[3].last_loss, Spread::of([0.1, 0.9]));
}

#[test]
fn a_curve_ends_where_the_first_run_does() {
    let curves = curves(&scripted(), "loss");
    assert_eq!(
        curves.iter().map(|c| (c.points.len(), c.diverged)).collect::<Vec<_>>(),
        [(3, 0), (0, 2), (3, 0), (3, 0)]
    );
    assert_eq!(curves[0].points[1], Spread::of([0.5, 0.4]).unwrap());
}

#[test]
fn a_spread_takes_finite_values_only() {
    assert_eq!(Spread::of([]), None);
    assert_eq!(Spread::of([1.0, f64::NAN]), None);
    assert_eq!(Spread::of([3.0, 1.0]), Some(Spread { mean: 2.0, least: 1.0, most: 3.0 }));
}

#[test]
fn unknown_variants_are_refused_with_the_names_there_are() {
    let message = Variant::from_name("batchnorm").unwrap_err().to_string();
    assert!(message.contains("`batchnorm`") && message.contains("plain, batch_norm"), "{message}");
    assert!(Variant::ALL.iter().all(|&variant| Variant::from_name(variant.name()).unwrap() == variant));
}
