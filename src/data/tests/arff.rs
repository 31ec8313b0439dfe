//! `.arff` files of series.

use super::*;
use crate::{
    data::{Missing, SeriesOptions},
    model::ANY_LENGTH,
};

fn with<R>(content: &str, read: impl FnOnce(SeriesOptions) -> R) -> R {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ARFF");
    fs::write(&path, content).unwrap();
    read(Dataset::series(&path).unwrap())
}

fn load(content: &str) -> Dataset {
    with(content, |options| options.load().unwrap())
}

const UNIVARIATE: &str = "% a comment\n@RELATION demand\n@attribute att1 numeric\n@attribute 'att 2' REAL\n@Attribute att3 integer\n@attribute target {2,1}\n\n@DATA\n1.5,2,3,1\n% another\n4,5,6,2\n";
const MULTIVARIATE: &str = "@relation r\n@attribute relationalAtt relational\n@attribute t0 numeric\n@attribute t1 numeric\n@attribute t2 numeric\n@end relationalAtt\n@attribute class {a,b}\n@data\n'1,2,3\\n4,5,6',a\n\"7,8,?\\n9,10,?\",b\n";

#[test]
fn rows_are_series_of_one_channel_or_hold_a_channel_a_line() {
    let data = load(UNIVARIATE);
    assert_eq!((data.len(), data.input_shape(), data.targets()), (2, &[3, 1][..], &[0.0, 1.0][..]));
    assert_eq!((data.rows(), data.classes().unwrap()), (&[1.5, 2., 3., 4., 5., 6.][..], &["1".into(), "2".into()][..]));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [9, 11]);
    let data = load(MULTIVARIATE);
    assert_eq!((data.input_shape(), data.lengths()), (&[ANY_LENGTH, 2][..], Some(&[3, 2][..])), "padding is no step");
    assert_eq!(data.sample(0).0, [1., 4., 2., 5., 3., 6.]);
    assert_eq!(data.sample(1), (vec![7., 9., 8., 10.], vec![1.0]));
    let windows = load(&MULTIVARIATE.replace('\n', "\r\n"));
    assert_eq!(windows.rows(), data.rows());
}

#[test]
fn targets_may_be_numbers_or_be_left_out() {
    let numbers = UNIVARIATE.replace("{2,1}", "numeric");
    let data = load(&numbers);
    assert_eq!((data.targets(), data.classes(), data.steps()), (&[1.0, 2.0][..], None, 3));
    let relational = load(&MULTIVARIATE.replace("{a,b}", "real").replace(",a\n", ",0.5\n").replace(",b\n", ",1.5\n"));
    assert_eq!(relational.targets(), [0.5, 1.5]);
    let inputs = with(UNIVARIATE, |options| options.no_target().load().unwrap());
    assert_eq!((inputs.rows().len(), inputs.has_targets()), (6, false), "the class is no step");
}

#[test]
fn missing_values_between_others_are_missing() {
    let gap = UNIVARIATE.replace("1.5,2,3", "1.5,?,3");
    let text = with(&gap, |options| options.load().unwrap_err().to_string());
    assert!(text.contains("line 9: channel 1, step 2: `?`") && text.contains("--missing"), "{text}");
    let filled = with(&gap, |options| options.missing(Missing::Interpolate).load().unwrap());
    assert_eq!(filled.rows()[..3], [1.5, 2.25, 3.0]);
}

#[test]
fn files_that_cannot_be_used_are_explained() {
    for (content, parts) in [
        (UNIVARIATE.replace("4,5,6,2", "4,5,2"), &["line 11: 2 steps where the header has 3"][..]),
        (UNIVARIATE.replace("4,5,6,2", "4,x,6,2"), &["line 11: channel 1, step 2: `x` is not a number"]),
        (UNIVARIATE.replace("4,5,6,2", "4,5,6,3"), &["line 11", "`3` is not one of the two classes"]),
        (UNIVARIATE.replace("4,5,6,2", "{0 4,3 2}"), &["line 11: sparse rows"]),
        (UNIVARIATE.replace("4,5,6,2", "?,?,?,2"), &["line 11: the series has no value at all"]),
        (UNIVARIATE.replace("integer", "string"), &["line 5: attribute `att3` is `string`"]),
        (UNIVARIATE.replace("@DATA\n", ""), &["line 8: `1.5,2,3,1` stands before `@data`"]),
        (UNIVARIATE.replace("target {2,1}", "last numeric"), &["says of no class", "@attribute class {a,b}"]),
        (MULTIVARIATE.replace("4,5,6'", "4,5'"), &["line 9: channel 2 has 2 steps, but channel 1 has 3"]),
        (MULTIVARIATE.replace("10,?\"", "10,?"), &["line 10: a quote is opened and never closed"]),
        (MULTIVARIATE.replace("\\n4,5,6", ""), &["line 10: 2 channels where every series must have 1"]),
        ("@attribute a numeric\n@attribute class {a,b}\n@data\n".into(), &["no series"]),
        ("".into(), &["no `@data` line"]),
    ] {
        let text = with(&content, |options| options.load().unwrap_err().to_string());
        parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing from: {text}"));
        assert!(text.contains("a.ARFF: ") && !text.contains('\n'), "{text}");
    }
}
