//! Missing values.

use super::*;
use crate::data::Missing;

/// Rows 0 to 9, of which rows 3 and 4 lack `a`.
const GAPS: &str = "a,b,y\n0,0,0\n1,1,1\n2,2,0\n,3,1\nNA,4,0\n5,5,1\n6,6,0\n7,7,1\n8,8,0\n9,9,1\n";

fn read(content: &str, missing: Missing, window: usize) -> Dataset {
    TestFile::new(content).options().target("y").window(window).missing(missing).load().unwrap()
}

#[test]
fn windows_hold_no_row_that_is_dropped() {
    let data = read(GAPS, Missing::Drop, 2);
    assert_eq!(data.starts(), [0, 1, 5, 6, 7, 8]);
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [3, 4, 8, 9, 10, 11]);
    assert!(data.rows().iter().all(|x| x.is_finite()));
    let counts = data.row_counts();
    assert_eq!((counts.rows, counts.incomplete, counts.filled), (10, 2, 0));
    let statistics = data.feature_statistics().unwrap();
    assert_eq!(statistics.mean, [38.0 / 8.0, 38.0 / 8.0], "of the rows that windows hold");
}

#[test]
fn missing_values_are_filled_in() {
    let forward = read(GAPS, Missing::Ffill, 10);
    assert_eq!((forward.rows()[6], forward.rows()[8], forward.len()), (2.0, 2.0, 1));
    let line = read(GAPS, Missing::Interpolate, 10);
    assert_eq!((line.rows()[6], line.rows()[8]), (3.0, 4.0));
    assert_eq!(line.row_counts().filled, 2);
    let front = read("a,y\n?,0\n1,1\n-,0\n", Missing::Ffill, 1);
    assert_eq!((front.starts(), &front.rows()[1..]), (&[1, 2][..], &[1.0, 1.0][..]));
}

#[test]
fn masked_rows_are_the_models_to_skip() {
    let data = read(GAPS, Missing::Mask, 3);
    assert_eq!(data.len(), 8);
    assert!(data.has_masked_rows());
    assert!(data.rows()[6..10].iter().all(|x| x.is_nan()), "{:?}", data.rows());
    assert_eq!(data.feature_statistics().unwrap().mean, [38.0 / 8.0, 38.0 / 8.0]);
    assert_eq!(data.masked_rows(&[-1.0, -2.0])[4..10], [2.0, 2.0, -1.0, -2.0, -1.0, -2.0]);
    let short = read(GAPS, Missing::Mask, 2);
    assert_eq!(short.starts(), [0, 1, 2, 4, 5, 6, 7, 8], "nothing would be left of rows 3 and 4");
    let whole = TestFile::new("a0,a1,y\n1,2,0\n3,,1\n,,0\n");
    let rows = whole.options().target("y").row_steps(2).missing(Missing::Mask).load().unwrap();
    assert_eq!((rows.starts(), rows.rows()[3].is_nan()), (&[0, 2][..], true));
    assert_eq!(rows.feature_statistics().unwrap().mean, [2.0]);
}

#[test]
fn a_sample_without_its_target_is_left_out() {
    let content = "a,y\n0,0\n1,\n2,1\n3,0\n";
    let message = TestFile::new(content).options().target("y").load().unwrap_err().to_string();
    assert!(message.contains("line 3, column `y`: the field is empty") && message.contains("--missing"), "{message}");
    let data = read(content, Missing::Drop, 1);
    assert_eq!((data.starts(), data.targets()), (&[0, 2, 3][..], &[0.0, 1.0, 0.0][..]));
    assert_eq!(data.row_counts().without_target, 1);
    let numbers =
        TestFile::new("a,y\n0,?\n1,2.5\n").options().target("y").numeric_target().missing(Missing::Ffill).load();
    assert_eq!(numbers.unwrap().targets(), [2.5]);
}

#[test]
fn what_leaves_nothing_is_explained() {
    let error = |content: &str, options: fn(TableOptions) -> TableOptions| {
        options(TestFile::new(content).options().target("y")).load().unwrap_err().to_string()
    };
    let none = error(GAPS, |options| options.window(6).missing(Missing::Drop));
    for part in ["no window of 6 rows is whole", "at most 5 rows", "a missing value", "`--window 5`", "`--missing`"] {
        assert!(none.contains(part), "{part}: {none}");
    }
    let empty = error("a,b,y\n1,,0\n2,NA,1\n", |options| options.missing(Missing::Drop));
    assert!(empty.contains("column `b` has no value at all") && empty.contains("`--columns`"), "{empty}");
    let targets = error("a,y\n1,?\n2,?\n", |options| options.missing(Missing::Drop));
    assert!(targets.contains("every target is missing"), "{targets}");
    let rows = error("a,y\n1,0\n2,1\n", |options| options.row_steps(1).missing(Missing::Ffill));
    assert!(rows.contains("`--missing ffill` is for rows that are moments of a series"), "{rows}");
}

proptest! {
    /// However values are missing, no window holds a row that cannot be used, and every one that could be is there.
    #[test]
    fn windows_are_all_that_the_policy_allows(present in prop::collection::vec(any::<bool>(), 1..40), window in 1usize..5, how in 0usize..4) {
        prop_assume!(present.contains(&true));
        let how = [Missing::Drop, Missing::Ffill, Missing::Interpolate, Missing::Mask][how];
        let row = |(i, there): (usize, &bool)| if *there { format!("{i},{}\n", i % 2) } else { format!(",{}\n", i % 2) };
        let content: String = present.iter().enumerate().map(row).collect();
        let file = TestFile::new(format!("a,y\n{content}"));
        let options = file.options().target("y").label_classes(["0", "1"]).window(window).missing(how);
        let first = present.iter().position(|&there| there).unwrap();
        let usable = |start: &usize| {
            let rows = &present[*start..start + window];
            match how {
                Missing::Drop => rows.iter().all(|&there| there),
                Missing::Mask => rows.contains(&true),
                _ => *start >= first,
            }
        };
        let expected: Vec<u32> = (0..(present.len() + 1).saturating_sub(window)).filter(usable).map(|start| start as u32).collect();
        match options.load() {
            Ok(data) => {
                prop_assert_eq!(data.starts(), &expected);
                for i in 0..data.len() {
                    let (rows, _) = data.sample(i);
                    prop_assert!(rows.iter().all(|x| x.is_finite() || how == Missing::Mask));
                }
            }
            Err(error) => prop_assert!(expected.is_empty(), "{}", error),
        }
    }
}
