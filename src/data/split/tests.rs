use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_cut_drops_exactly_the_windows_that_straddle_it(rows in 2usize..80, length in 1usize..9, stride in 1usize..5, reach in 0usize..4, fraction in 0.01f64..0.99) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let content: String = (0..rows).map(|i| format!("{i},{i}\n")).collect();
        std::fs::write(&path, format!("a,y\n{content}")).unwrap();
        let horizon = (reach > 0).then_some(reach);
        let options = Dataset::csv(&path).target("y").numeric_target().window(length).stride(stride).horizon(horizon);
        let Ok(data) = options.load() else { return Ok(()) };
        let Ok((train, test)) = data.split_by_time(fraction) else { return Ok(()) };
        let starts = data.starts();
        let used = train.starts().last().unwrap() + (length + reach) as u32;
        prop_assert_eq!(train.len(), (starts.len() as f64 * fraction).round() as usize);
        let behind: Vec<u32> = starts.iter().copied().filter(|&start| start >= used).collect();
        prop_assert_eq!(test.starts(), &behind);
    }
}

#[test]
fn validation_split_rounds_as_keras_does() {
    assert_eq!(keras_split_at(10, 0.2), 8);
    assert_eq!(keras_split_at(11, 0.2), 8); // 8.8
    assert_eq!(keras_split_at(10, 0.9), 0); // 1 - 0.9 is a little below 0.1 in f64
    assert_eq!(keras_split_at(8134, 0.2), 6507);
}

/// Five samples of two steps of three features, counted up from 0.
fn five() -> Dataset {
    let x = (0..30).map(|i| i as f32).collect();
    Dataset::from_arrays(x, &[5, 2, 3], vec![0.0, 1.0, 1.0, 0.0, 1.0], &[5, 1]).unwrap()
}

#[test]
fn parts_share_the_rows_and_can_be_cut_again() {
    let data = five();
    let (train, test) = data.split_by_time(0.6).unwrap();
    assert_eq!((train.len(), test.len()), (3, 2));
    assert!(std::ptr::eq(data.rows(), test.rows()));
    assert_eq!(test.starts(), [6, 8]);
    assert_eq!(test.targets(), [0.0, 1.0]);
    let (_, last) = test.split_by_time(0.5).unwrap();
    assert_eq!((last.starts(), last.targets()), (&[8][..], &[1.0][..]));
    assert_eq!(last.sample(0), data.sample(4));
    assert_eq!(last.last_rows().collect::<Vec<_>>(), [4]);
}

/// 100 samples of two steps, numbered by their first value; class 0, 1, 2 for 60, 38 and 2 of them, sorted by class.
fn sorted_by_class() -> Dataset {
    let x = (0..200).map(|i| i as f32).collect();
    let y = (0..100)
        .map(|i| {
            if i < 60 {
                0.0
            } else if i < 98 {
                1.0
            } else {
                2.0
            }
        })
        .collect();
    Dataset::from_arrays(x, &[100, 2, 1], y, &[100]).unwrap()
}

/// Every sample is in one part, with its own target and rows, in the old order.
fn assert_parted(data: &Dataset, (train, test): &(Dataset, Dataset)) {
    let mut starts = [train.starts(), test.starts()].concat();
    assert!(train.starts().is_sorted() && test.starts().is_sorted());
    starts.sort_unstable();
    assert_eq!(starts, data.starts());
    for part in [train, test] {
        for (i, index) in part.last_rows().enumerate() {
            assert_eq!(part.sample(i), data.sample(index as usize));
        }
        assert!(std::ptr::eq(part.rows(), data.rows()), "the rows are not copied");
    }
}

#[test]
fn a_random_split_parts_all_samples_and_depends_on_the_seed_alone() {
    let data = sorted_by_class();
    let parts = data.split_random(0.75, 3).unwrap();
    assert_eq!((parts.0.len(), parts.1.len()), (75, 25));
    assert_parted(&data, &parts);
    assert_eq!(data.split_random(0.75, 3).unwrap().1.starts(), parts.1.starts());
    assert_ne!(data.split_random(0.75, 4).unwrap().1.starts(), parts.1.starts());
    let halves = parts.1.split_random(0.5, 3).unwrap();
    assert_eq!((halves.0.len(), halves.1.len()), (13, 12));
    assert!(halves.0.last_rows().all(|index| parts.1.last_rows().any(|other| other == index)));
}

#[test]
fn a_stratified_split_keeps_the_shares_of_the_classes() {
    let data = sorted_by_class();
    let parts = data.split_stratified(0.8, 1).unwrap();
    assert_parted(&data, &parts);
    assert_eq!(parts.0.class_balance(), Some(vec![48, 30, 1]));
    assert_eq!(parts.1.class_balance(), Some(vec![12, 8, 1]));
    assert_eq!(data.split_stratified(0.8, 1).unwrap().0.starts(), parts.0.starts());
    assert_ne!(data.split_stratified(0.8, 2).unwrap().0.starts(), parts.0.starts());
    let rare = data.split_stratified(0.999, 1).unwrap();
    assert_eq!(rare.1.class_balance(), Some(vec![1, 1, 1]), "every class is tested");
    let single = Dataset::from_arrays(vec![0.0; 4], &[4, 1], vec![0.0, 1.0, 1.0, 1.0], &[4]).unwrap();
    assert_eq!(single.split_stratified(0.3, 1).unwrap().0.class_balance(), Some(vec![1, 1]), "of one sample");
}

#[test]
fn further_inputs_and_targets_go_with_their_samples() {
    let data = sorted_by_class();
    let numbers = |factor: f32| (0..100).map(|i| i as f32 * factor).collect::<Vec<_>>();
    let data = data.with_input(numbers(2.0), &[100, 1]).unwrap().with_target(numbers(3.0), &[100, 1]).unwrap();
    let (_, test) = data.split_stratified(0.8, 1).unwrap();
    let indices: Vec<f32> = test.last_rows().map(|index| index as f32).collect();
    let times = |factor: f32| indices.iter().map(|i| i * factor).collect::<Vec<_>>();
    assert_eq!(test.more_inputs().collect::<Vec<_>>(), [times(2.0)]);
    assert_eq!(test.all_targets().nth(1), Some(&times(3.0)[..]));
}

#[test]
fn a_random_split_that_would_leak_or_has_no_classes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, "a,y\n1,0\n2,1\n3,0\n4,1\n5,0\n").unwrap();
    let windows = Dataset::csv(&path).target("y").window(2).load().unwrap();
    for split in [windows.split_random(0.5, 0), windows.split_stratified(0.5, 0)] {
        let message = split.unwrap_err().to_string();
        assert!(message.contains("windows of 2 rows that start every 1 overlap"), "{message}");
        assert!(message.contains("Split by time") && message.contains("stride of 2"), "{message}");
    }
    let apart = Dataset::csv(&path).target("y").window(2).stride(2).load().unwrap();
    assert_eq!(apart.split_random(0.5, 0).unwrap().0.len(), 1);
    let numbers = Dataset::from_arrays(vec![0.0; 2], &[2, 1], vec![0.5, 1.5], &[2]).unwrap();
    let message = numbers.split_stratified(0.5, 0).unwrap_err().to_string();
    assert!(message.contains("needs a target of classes"), "{message}");
    let message = numbers.split_random(0.9, 0).unwrap_err().to_string();
    assert!(message.contains("leaves 2 to train on and 0 to test on"), "{message}");
}

#[test]
fn a_split_that_leaves_nothing_is_an_error() {
    let data = five();
    for fraction in [0.0, 1.0, -0.5, f64::NAN] {
        let message = data.split_by_time(fraction).unwrap_err().to_string();
        assert!(message.contains("between 0 and 1"), "{message}");
        assert!(data.validation_split(fraction).is_err());
        assert!(data.split_random(fraction, 0).is_err() && data.split_stratified(fraction, 0).is_err());
    }
    let message = data.split_by_time(0.05).unwrap_err().to_string();
    assert!(message.contains("0 before the cut") && message.contains("Use another fraction"), "{message}");
    let message = data.validation_split(0.9).unwrap_err().to_string();
    assert!(message.contains("leaves 0 to train on and 5 to validate"), "{message}");
}
