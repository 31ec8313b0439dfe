//! What is said of a table before training.

use super::*;
use crate::data::{ColumnInspection, ColumnKind};

const MESSY: &str = "at;a;wind;code;note;empty;y\n2015-02-04;1,5;N;1;x;;no\n2015-02-05;?;S;2;7:00;NA;yes\n2015-02-06;2,5;N;1;z;;no\n2015-02-10;8;;3;x;;yes\n";

fn column<'a>(columns: &'a [ColumnInspection], name: &str) -> &'a ColumnInspection {
    columns.iter().find(|column| column.name == name).unwrap()
}

#[test]
fn columns_are_described_whatever_they_lack() {
    let found = TestFile::new(MESSY).options().inspect().unwrap();
    assert_eq!((found.separator, found.rows, found.series), (Some(';'), 4, 1));
    let of = |name: &str| column(&found.columns, name);
    let a = of("a");
    assert_eq!((a.kind, a.missing, &a.categories), (ColumnKind::Numbers, 1, &None));
    let numbers = a.numbers.unwrap();
    assert_eq!((numbers.least, numbers.mean, numbers.most), (1.5, 4.0, 8.0));
    assert!((numbers.deviation - (24.5f64 / 3.0).sqrt()).abs() < 1e-12, "{numbers:?}");
    let wind = of("wind");
    assert_eq!((wind.kind, wind.missing), (ColumnKind::Categories, 1));
    assert_eq!(wind.categories.as_deref(), Some(&[("N".to_owned(), 2), ("S".to_owned(), 1)][..]));
    let code = of("code").categories.as_deref().unwrap();
    assert_eq!(code, [("1".to_owned(), 2), ("2".to_owned(), 1), ("3".to_owned(), 1)]);
    assert_eq!((of("at").kind, of("empty").kind, of("empty").missing), (ColumnKind::Dates, ColumnKind::Empty, 4));
    assert_eq!(found.likely_target().unwrap().name, "y");
    let time = TestFile::new(MESSY).options().time(["at"]).inspect().unwrap().time.unwrap();
    assert_eq!((time.step, time.gaps), (Some(86_400.0), 1));
    assert_eq!((time.first.as_str(), time.last.as_str()), ("2015-02-04T00:00:00", "2015-02-10T00:00:00"));
}

#[test]
fn curves_cover_all_rows() {
    let rows: String = (0..1000).map(|i| format!("{i},{}\n", if i < 500 { "" } else { "3" })).collect();
    let found = TestFile::new(format!("a,b\n{rows}")).options().inspect().unwrap();
    let curve = &column(&found.columns, "a").curve;
    assert_eq!(curve.len(), 200);
    assert_eq!((curve[0], curve[199]), ([2.5, 2.0, 0.0, 4.0], [997.5, 997.0, 995.0, 999.0]));
    assert_eq!(column(&found.columns, "b").curve.len(), 100, "where there are values");
    let figure = found.figure("rows");
    assert_eq!((figure.rows.len(), figure.rows[1][0].notes[0].1.as_str()), (2, "500 missing"));
}

#[test]
fn what_cannot_be_understood_is_named() {
    let message = TestFile::new("a,b\n1,2\nwarm,3\n").options().inspect().unwrap_err().to_string();
    assert!(message.contains("line 3, column `a`: `warm` is not a number"), "{message}");
}
