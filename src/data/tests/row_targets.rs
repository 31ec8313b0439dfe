//! A target for every row.

use super::{TableOptions, TestFile};
use crate::{
    data::{Dataset, Missing},
    model::ANY_LENGTH,
};

/// Seven rows that count up, with a number and a word to learn; the fourth lacks its number.
const ROWS: &str = "a,n,w\n0,0,no\n1,10,no\n2,20,yes\n3,,no\n4,40,yes\n5,50,no\n6,60,no\n";

fn of_rows(file: &TestFile) -> TableOptions {
    file.options().target("w").columns(["a"]).window(3).return_sequences()
}

fn refused(options: TableOptions, parts: &[&str]) {
    let text = options.load().unwrap_err().to_string();
    parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing from: {text}"));
}

#[test]
fn windows_stand_side_by_side_and_the_last_ends_with_the_rows() {
    let file = TestFile::new(ROWS);
    let data = of_rows(&file).load().unwrap();
    assert_eq!((data.starts(), data.target_shape(), data.stride()), (&[0, 3, 4][..], &[3, 1][..], 3));
    assert_eq!(data.targets(), [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    let weights = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0];
    assert_eq!(data.sample_weights(), Some((&weights[..], Some(3))), "rows 4 and 5 were told by the second window");
    assert_eq!(data.class_balance(), Some(vec![5, 2]), "each row counts once");
    assert_eq!((data.row_lines(1), data.row_lines(2)), (Some((&[5, 6, 7][..], 0)), Some((&[6, 7, 8][..], 2))));
    let side_by_side = of_rows(&file).window(7).load().unwrap();
    assert_eq!((side_by_side.len(), side_by_side.sample_weights()), (1, None));
    let overlapping = of_rows(&file).stride(1).load().unwrap();
    assert_eq!((overlapping.starts(), overlapping.sample_weights()), (&[0, 1, 2, 3, 4][..], None));
    assert_eq!(overlapping.row_lines(4), Some((&[6, 7, 8][..], 2)));
    assert_eq!(
        of_rows(&file).stride(5).load().unwrap().starts(),
        [0],
        "a stride that passes over rows does so to the end"
    );
}

#[test]
fn rows_without_a_target_count_for_nothing() {
    let file = TestFile::new(ROWS);
    let numbers = || file.options().target("n").columns(["a"]).window(3).return_sequences().numeric_target();
    refused(numbers(), &["line 5, column `n`"]);
    let data = numbers().missing(Missing::Drop).load().unwrap();
    assert_eq!(data.targets(), [0.0, 10.0, 20.0, 0.0, 40.0, 50.0, 40.0, 50.0, 60.0]);
    assert_eq!(data.counted_steps().unwrap(), [true, true, true, false, true, true, false, false, true]);
    let (mean, deviation) = data.target_scales()[0];
    assert!((mean - 30.0).abs() < 1e-12 && (deviation - (2800.0f64 / 6.0).sqrt()).abs() < 1e-12, "{mean} {deviation}");
    let two = numbers().targets(["n", "b"]).columns(["a"]).missing(Missing::Drop);
    let file = TestFile::new("a,n,b\n1,1,\n2,,2\n3,,3\n4,4,4\n");
    let two = TableOptions { path: file.path.clone(), files: file.options().files, ..two }.window(2).load().unwrap();
    assert_eq!(
        (two.starts(), two.target_shapes()),
        (&[2][..], vec![&[2, 1][..]; 2]),
        "the first window has no row with both"
    );
    assert_eq!((two.row_counts().without_target, two.sample_weights()), (1, Some((&[0.0, 1.0][..], Some(2)))));
}

#[test]
fn rows_that_the_model_masks_count_for_nothing() {
    let file = TestFile::new("a,b,w\n0,1,no\n1,,yes\n2,1,yes\n3,1,no\n");
    let data = file.options().target("w").window(2).return_sequences().missing(Missing::Mask).load().unwrap();
    assert_eq!(data.sample_weights(), Some((&[1.0, 0.0, 1.0, 1.0][..], Some(2))));
    let dropped = file.options().target("w").window(2).return_sequences().missing(Missing::Drop).load().unwrap();
    assert_eq!(dropped.starts(), [2], "no window holds the row");
}

#[test]
fn series_are_samples_as_a_whole_and_padding_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in
        [("a.csv", "x,w\n1,no\n2,yes\n3,no\n"), ("b.csv", "x,w\n4,yes\n"), ("labels.csv", "id,of\na,1\n")]
    {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let options = || Dataset::folder(folder.path()).return_sequences();
    let data = options().target("w").load().unwrap();
    assert_eq!((data.input_shape(), data.target_shape()), (&[ANY_LENGTH, 1][..], &[3, 1][..]));
    assert_eq!((data.targets(), data.lengths()), (&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0][..], Some(&[3, 1][..])));
    assert_eq!(data.sample_weights(), Some((&[1.0, 1.0, 1.0, 1.0, 0.0, 0.0][..], Some(3))));
    assert_eq!(data.class_balance(), Some(vec![2, 2]));
    assert_eq!(data.row_lines(1), Some((&[2][..], 0)));
    let longer = data.pad_to(4).unwrap();
    assert_eq!(longer.targets(), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    refused(options(), &["column of the series", "`--target`"]);
    refused(options().target("w").labels("labels.csv"), &["`--return-sequences`", "`--labels`"]);
}

#[test]
fn groups_and_files_are_cut_by_themselves() {
    let file = TestFile::new("m,a,w\nA,0,no\nB,1,yes\nA,2,yes\nB,3,no\nA,4,no\n");
    let data = file.options().target("w").columns(["a"]).group(["m"]).window(2).return_sequences().load().unwrap();
    assert_eq!((data.len(), data.targets()), (3, &[0.0, 1.0, 1.0, 0.0, 1.0, 0.0][..]));
    assert_eq!(data.row_lines(1), Some((&[4, 6][..], 1)), "the rows of A in their order");
    assert_eq!(data.row_lines(2), Some((&[3, 5][..], 0)), "those of B");
    let weighted = data.with_class_weight(&[(1, 3.0)]).unwrap();
    assert_eq!(
        weighted.sample_weights(),
        Some((&[1.0, 3.0, 0.0, 1.0, 3.0, 1.0][..], Some(2))),
        "what counts for nothing still does"
    );
}

#[test]
fn what_is_no_target_of_a_row_is_refused() {
    let file = TestFile::new(ROWS);
    refused(of_rows(&file).horizon([1]), &["`--return-sequences`", "`--horizon`", "ahead"]);
    let rows = file.options().target("w").row_steps(1).return_sequences();
    refused(rows, &["`--return-sequences`", "`--row-steps`"]);
}
