//! Files as people write them: what is read, and what the errors say.

use super::{Dataset, SampleKind, TableOptions};
use crate::Error;
use proptest::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

mod arff;
mod arrays;
mod categories;
mod classes;
mod errors;
mod folders;
mod forecasts;
mod inspect;
mod messy;
mod missing;
mod multi_label;
mod occupancy;
mod row_targets;
mod series;
mod ts;

/// A file in a folder that goes away with it.
struct TestFile {
    _folder: TempDir,
    path: PathBuf,
}

impl TestFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("room.csv");
        fs::write(&path, content).unwrap();
        TestFile { _folder: folder, path }
    }

    fn options(&self) -> TableOptions {
        Dataset::csv(&self.path)
    }
}

/// Reads `content` with the target `y`.
fn load(content: impl AsRef<[u8]>) -> Dataset {
    TestFile::new(content).options().target("y").load().unwrap()
}

const PLAIN: &str = "a,b,y\n1,2,0\n3,4,1\n5,6,1\n";

#[test]
fn lines_may_end_as_on_any_machine() {
    for end in ["\r\n", "\r"] {
        let data = load(PLAIN.replace('\n', end));
        assert_eq!((data.rows(), data.last_rows().last()), (load(PLAIN).rows(), Some(4)), "{end:?}");
    }
    assert_eq!(load(format!("a,b,y\r{}", "1,2,0\r3,4,1\r".repeat(20_000))).len(), 40_000);
}

#[test]
fn every_column_of_numbers_but_the_target_is_a_feature() {
    let data = load(PLAIN);
    assert_eq!(data.columns(), ["a", "b"]);
    assert_eq!(data.rows(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(data.targets(), [0.0, 1.0, 1.0]);
    assert_eq!((data.input_shape(), data.target_shape()), (&[1, 2][..], &[1][..]));
    assert_eq!(data.target_name(), Some("y"));
    assert_eq!(data.classes().unwrap(), ["0", "1"]);
    assert_eq!(data.class_balance(), Some(vec![1, 2]));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn the_same_table_is_read_however_it_is_written() {
    let plain = load(PLAIN);
    for (what, content) in [
        ("line breaks of Windows", "a,b,y\r\n1,2,0\r\n3,4,1\r\n5,6,1\r\n"),
        ("no line break at the end", "a,b,y\n1,2,0\n3,4,1\n5,6,1"),
        ("the same of Windows", "a,b,y\r\n1,2,0\r\n3,4,1\r\n5,6,1"),
        ("a byte order mark", "\u{feff}a,b,y\n1,2,0\n3,4,1\n5,6,1\n"),
        ("a byte order mark and quotes", "\u{feff}\"a\",b,\"y\"\r\n\"1\",2,\"0\"\r\n3,4,\"1\"\r\n5,6,1\r\n"),
        ("blanks", " a , b,y\n 1,2 ,0\n3 , 4,1 \n5,\t6,1\n"),
        ("row numbers of R", "\"a\",\"b\",\"y\"\n\"1\",1,2,0\n\"2\",3,4,1\n\"3\",5,6,1\n"),
        ("semicolons", "a;b;y\n1;2;0\n3;4;1\n5;6;1\n"),
        ("tabs", "a\tb\ty\n1\t2\t0\n3\t4\t1\n5\t6\t1\n"),
        ("bars", "a|b|y\n1|2|0\n3|4|1\n5|6|1\n"),
        ("all of a spreadsheet", "\u{feff}\"a\";b;y\r\n\"1,0\";2,0;0\r\n3,0;4;1,0\r\n5;\"6,00\";1\r\n"),
        ("a date", "a,date,b,y\n1,\"2015-02-04 17:51:00\",2,0\n3,2015-02-04 17:52:00,4,1\n5,,6,1\n"),
        ("a date in ISO form and a time", "when,a,b,at,y\n2015-02-04T17:51:00Z,1,2,17:51,0\nx,3,4,x,1\nx,5,6,x,1\n"),
        ("numbers in other forms", "a,b,y\n1.0,2e0,0.0\n+3,.4e1,1.0\n5.,6,1\n"),
    ] {
        let data = load(content);
        assert_eq!(data.columns(), plain.columns(), "{what}");
        assert_eq!(data.rows(), plain.rows(), "{what}");
        assert_eq!(data.targets(), plain.targets(), "{what}");
        assert_eq!(data.classes(), plain.classes(), "{what}");
        assert_eq!(data.last_rows().collect::<Vec<_>>(), [2, 3, 4], "{what}");
    }
}

#[test]
fn lines_are_counted_over_blank_ones_and_over_breaks_in_quotes() {
    for end in ["\n", "\r\n"] {
        let content = ["", "a,note,y", "", "1,\"two", "lines\",0", " ", "", "3,x,1", ""].join(end);
        let data = TestFile::new(content).options().target("y").columns(["a"]).load().unwrap();
        assert_eq!(data.last_rows().collect::<Vec<_>>(), [4, 8]);
        assert_eq!(data.rows(), [1.0, 3.0]);
    }
}

#[test]
fn listed_columns_come_in_the_listed_order_and_no_other_is_read() {
    let file = TestFile::new("a,text,b,y\n1,x,2,0\n3,,4,1\n");
    let data = file.options().target("y").columns(["b", "a"]).load().unwrap();
    assert_eq!(data.columns(), ["b", "a"]);
    assert_eq!(data.rows(), [2.0, 1.0, 4.0, 3.0]);
    let rows = file.options().no_target().columns(vec!["a".to_owned()]).load().unwrap();
    assert_eq!((rows.rows(), rows.has_targets()), (&[1.0, 3.0][..], false));
    assert_eq!((rows.target_name(), rows.classes(), rows.class_balance()), (None, None, None));
}

#[test]
fn a_window_takes_the_target_and_the_line_of_its_last_row() {
    let content: String = "a,y\n".to_owned() + &(0..10).map(|i| format!("{i},{}\n", i % 2)).collect::<String>();
    let file = TestFile::new(content);
    let data = file.options().target("y").window(3).stride(2).load().unwrap();
    assert_eq!((data.len(), data.input_shape()), (4, &[3, 1][..]));
    assert_eq!(data.starts(), [0, 2, 4, 6]);
    assert_eq!(data.sample(1), (vec![2.0, 3.0, 4.0], vec![0.0]));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [4, 6, 8, 10]);
    let whole = file.options().target("y").window(10).load().unwrap();
    assert_eq!((whole.len(), whole.targets()), (1, &[1.0][..]));
}

#[test]
fn a_row_is_a_sample_of_steps_where_that_is_asked_for() {
    let file = TestFile::new("date,a0,b0,y,a1,b1\n2015-02-04,1,2,no,3,4\n\nx,5,6,yes,7,8\n");
    let data = file.options().target("y").row_steps(2).load().unwrap();
    assert_eq!((data.len(), data.input_shape(), data.features()), (2, &[2, 2][..], 2));
    assert_eq!(data.columns(), ["a0", "b0", "a1", "b1"]);
    assert_eq!(data.sample(0), (vec![1.0, 2.0, 3.0, 4.0], vec![0.0]));
    assert_eq!(data.sample(1), (vec![5.0, 6.0, 7.0, 8.0], vec![1.0]));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [2, 4]);
    assert_eq!((data.sample_kind(), data.stride()), (SampleKind::Row, 1));
    assert_eq!(data.feature_statistics().unwrap().mean, [4.0, 5.0]);
    let chosen = file.options().target("y").row_steps(2).columns(["b1", "a0"]).load().unwrap();
    assert_eq!((chosen.input_shape(), chosen.rows()), (&[2, 1][..], &[4.0, 1.0, 8.0, 5.0][..]));
}

#[test]
fn a_cut_in_time_shares_no_row_and_a_validation_split_drops_no_sample() {
    let content: String = "a,y\n".to_owned() + &(0..20).map(|i| format!("{i},{}\n", i % 2)).collect::<String>();
    let data = TestFile::new(content).options().target("y").window(4).load().unwrap();
    assert_eq!(data.len(), 17);
    let (train, test) = data.split_by_time(0.5).unwrap();
    assert_eq!((train.starts(), test.starts()), (&[0, 1, 2, 3, 4, 5, 6, 7, 8][..], &[12, 13, 14, 15, 16][..]));
    assert_eq!(train.feature_statistics().unwrap().mean, [5.5]); // rows 0 to 11
    assert_eq!(test.feature_statistics().unwrap().mean, [15.5]); // rows 12 to 19
    let (train, test) = data.validation_split(0.2).unwrap();
    assert_eq!((train.len(), test.len()), (13, 4)); // floor(17 * 0.8)
    assert_eq!(test.starts()[0], 13);
}

#[test]
fn two_classes_keep_their_names_in_order() {
    for (column, classes, targets) in [
        (["yes", "no", "yes"], ["no", "yes"], [1.0, 0.0, 1.0]),
        (["2", "1", "1.0"], ["1", "2"], [1.0, 0.0, 0.0]),
        (["10", "9", "9"], ["9", "10"], [1.0, 0.0, 0.0]),
        (["1", "-1", "1"], ["-1", "1"], [1.0, 0.0, 1.0]),
        (["TRUE", "FALSE", "TRUE"], ["FALSE", "TRUE"], [1.0, 0.0, 1.0]),
        (["0.0", "1", "-0"], ["0", "1"], [0.0, 1.0, 0.0]),
    ] {
        let data = load(format!("a,y\n1,{}\n2,{}\n3,\"{}\"\n", column[0], column[1], column[2]));
        assert_eq!(data.classes().unwrap(), classes, "{column:?}");
        assert_eq!(data.targets(), targets, "{column:?}");
    }
}

#[test]
fn given_classes_keep_their_meaning_whatever_the_file_holds() {
    let words = TestFile::new("a,y\n1,yes\n2,yes\n");
    let data = words.options().target("y").label_classes(["yes", "no"]).load().unwrap();
    assert_eq!((data.targets(), data.class_balance()), (&[0.0, 0.0][..], Some(vec![2, 0])));
    assert_eq!(data.classes().unwrap(), ["yes", "no"]);
    let numbers = TestFile::new("a,y\n1,1.0\n2,1\n");
    let data = numbers.options().target("y").label_classes(["0", "1"]).load().unwrap();
    assert_eq!(data.targets(), [1.0, 1.0]);
}

#[test]
fn a_numeric_target_is_any_number() {
    let file = TestFile::new("a,y\n1,0.5\n2,-7e3\n3,12\n");
    let data = file.options().target("y").numeric_target().load().unwrap();
    assert_eq!(data.targets(), [0.5, -7e3, 12.0]);
    assert_eq!((data.classes(), data.class_balance(), data.target_name()), (None, None, Some("y")));
}

proptest! {
    /// From characters that mean something to the reader, and from a file that is right but for one byte.
    #[test]
    fn any_file_gives_a_data_set_or_an_error_that_names_it(
        noise in prop::collection::vec(prop::sample::select(b"a,y01.-\"\n\r \xc3\xa9:NT".to_vec()), 0..60),
        at in 0..PLAIN.len(),
        byte in any::<u8>(),
        window in 1usize..4,
    ) {
        let mut broken = PLAIN.as_bytes().to_vec();
        broken[at] = byte;
        for content in [noise.clone(), [b"a,y\n1,0\n2,1\n".to_vec(), noise].concat(), broken] {
            match TestFile::new(content).options().target("y").window(window).load() {
                Ok(data) => {
                    prop_assert!(!data.is_empty() && data.rows().iter().all(|x| x.is_finite()));
                    prop_assert_eq!(data.sample(data.len() - 1).0.len(), window * data.features());
                }
                Err(error) => prop_assert!(error.to_string().contains("room.csv: "), "{}", error),
            }
        }
    }
}
