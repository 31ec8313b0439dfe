//! Targets that lie ahead.

use super::*;
use crate::data::Missing;

/// Ten rows of `a` and of a target `p` that is ten times the row.
fn rows() -> TestFile {
    TestFile::new("a,p\n".to_owned() + &(0..10).map(|i| format!("{i},{}\n", 10 * i)).collect::<String>())
}

#[test]
fn a_forecast_sees_the_targets_past_and_predicts_what_lies_ahead() {
    let file = rows();
    let data = file.options().target("p").window(3).horizon([2]).load().unwrap();
    assert_eq!(data.columns(), ["a", "p"]);
    assert_eq!((data.len(), data.target_shape()), (6, &[1][..]));
    assert_eq!(data.sample(0), (vec![0.0, 0.0, 1.0, 10.0, 2.0, 20.0], vec![40.0]));
    assert_eq!(data.sample(5).1, [90.0]);
    let steps = rows().options().target("p").window(3).horizon([1, 3]).load().unwrap();
    assert_eq!((steps.len(), steps.target_shape()), (5, &[2][..]));
    assert_eq!((steps.sample(4).1, steps.classes()), (vec![70.0, 90.0], None));
    let future = file.options().no_target().columns(data.source_columns()).reading(data.reading().clone()).window(3);
    assert_eq!(future.load().unwrap().len(), 8, "the last windows have no target yet");
    let without = rows().options().target("p").columns(["a"]).window(3).horizon([2]).load().unwrap();
    assert_eq!(without.sample(0), (vec![0.0, 1.0, 2.0], vec![40.0]));
}

#[test]
fn several_targets_are_several_arrays() {
    let file = TestFile::new("a,p,q\n0,1,2\n3,4,5\n6,7,8\n");
    let data = file.options().targets(["q", "p"]).load().unwrap();
    assert_eq!((data.columns(), data.target_names()), (&["a".to_owned()][..], &["q".to_owned(), "p".to_owned()][..]));
    assert_eq!(data.all_targets().collect::<Vec<_>>(), [[2.0, 5.0, 8.0], [1.0, 4.0, 7.0]]);
    let ahead = file.options().targets(["q", "p"]).horizon([1]).load().unwrap();
    assert_eq!(ahead.all_targets().collect::<Vec<_>>(), [[5.0, 8.0], [4.0, 7.0]]);
    let (train, test) = ahead.validation_split(0.5).unwrap();
    assert_eq!((train.all_targets().nth(1), test.all_targets().nth(1)), (Some(&[4.0][..]), Some(&[7.0][..])));
    let message = file.options().targets(["q", "p"]).categorical_target().load().unwrap_err().to_string();
    assert!(message.contains("several targets or horizons must be numbers"), "{message}");
    let message = file.options().targets(["q", "q"]).load().unwrap_err().to_string();
    assert!(message.contains("`q` is named twice"), "{message}");
}

#[test]
fn a_target_lies_ahead_in_its_own_series() {
    let row = |i: u32| format!("x,{i},{i}\nz,{},{}\n", 50 + i, 50 + i);
    let file = TestFile::new("g,a,p\n".to_owned() + &(0..5).map(row).collect::<String>());
    let data = file.options().target("p").group(["g"]).window(2).horizon([2]).load().unwrap();
    assert_eq!(data.targets(), [3.0, 4.0, 53.0, 54.0]);
    let missing = TestFile::new("a,p\n0,0\n1,1\n2,\n3,3\n4,4\n5,5\n");
    let dropped = missing.options().target("p").window(2).horizon([2]).missing(Missing::Drop).load().unwrap();
    assert_eq!((dropped.starts(), dropped.targets()), (&[0][..], &[3.0][..]), "across a dropped row");
}

#[test]
fn baselines_belong_to_their_samples() {
    let data = rows().options().target("p").window(3).horizon([1, 2]).season(4).load().unwrap();
    let baselines: Vec<(&str, Vec<&[f32]>)> = data.baselines().collect();
    assert_eq!((baselines[0].0, baselines[1].0), ("persistence", "seasonal naive (4)"));
    assert_eq!(baselines[0].1[0][..4], [20.0, 20.0, 30.0, 30.0]);
    let seasonal = baselines[1].1[0];
    assert!(seasonal[0].is_nan() && seasonal[1] == 0.0 && seasonal[2..4] == [0.0, 10.0], "{seasonal:?}");
    let (_, test) = data.validation_split(0.5).unwrap();
    let of_test = test.baselines().next().unwrap().1;
    assert_eq!((of_test[0].len(), of_test[0][0]), (2 * test.len(), test.sample(0).0[5]), "the last known value");
    let numbers = rows().options().target("p").numeric_target().load().unwrap();
    assert_eq!(numbers.baselines().count(), 0);
}

#[test]
fn horizons_that_cannot_be_are_explained() {
    let message = |options: TableOptions| options.load().unwrap_err().to_string();
    let file = rows();
    let options = || file.options().target("p").window(3);
    let far = message(options().horizon([8]));
    assert!(far.contains("no window of 3 rows has a target 8 rows behind it") && far.contains("--horizon"), "{far}");
    assert!(message(options().horizon([0])).contains("no forecast"));
    assert!(message(options().horizon([3, 2])).contains("ascending"));
    assert!(message(options().season(24)).contains("Add `--horizon`"));
    assert!(message(options().horizon([1]).season(0)).contains("does not repeat"));
}
