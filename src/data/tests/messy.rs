//! Files as spreadsheets, loggers and archives leave them.

use super::*;

fn refused(options: TableOptions, parts: &[&str]) {
    let text = options.load().unwrap_err().to_string();
    parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing from: {text}"));
}

#[test]
fn rows_of_empty_fields_count_only_before_others() {
    let end = TestFile::new("\u{feff}a;y\r\n1,5;no\r\n2,5;yes\r\n;\r\n ; \r\n");
    let data = end.options().target("y").load().unwrap();
    assert_eq!((data.rows(), data.last_rows().collect::<Vec<_>>()), (&[1.5, 2.5][..], vec![2, 3]));
    let between = "a,y\n1,no\n,\n,\n2,yes\n,\n";
    refused(TestFile::new(between).options().target("y"), &["line 3, column `a`", "the field is empty"]);
    let dropped = TestFile::new(between).options().target("y").missing(crate::data::Missing::Drop).load().unwrap();
    assert_eq!((dropped.row_counts().rows, dropped.last_rows().collect::<Vec<_>>()), (4, vec![2, 5]));
    refused(TestFile::new("a,y\n,\n,\n").options().target("y"), &["a header and no rows"]);
}

#[test]
fn a_row_of_units_below_the_header_is_passed_over_or_named() {
    let brackets = TestFile::new("t,y\n[s],(-)\n1,0\n2,1\n");
    let data = brackets.options().target("y").load().unwrap();
    assert_eq!((data.rows(), data.last_rows().collect::<Vec<_>>()), (&[1.0, 2.0][..], vec![3, 4]));
    let bare = TestFile::new("t,v,y\ns,rpm,yes\n1,2,no\n2,3,yes\n");
    refused(bare.options().target("y"), &["line 3, column `t`", "If line 2 holds units, remove it"]);
}

#[test]
fn a_header_of_fractions_is_no_header() {
    refused(
        TestFile::new("1,0.5,0.25\n2,0.75,1.5\n").options().target("1"),
        &["line 1", "looks like data", "`--row-steps`"],
    );
    let numbered = TestFile::new("0,1,2\n0.5,2,no\n0.25,3,yes\n");
    assert_eq!(numbered.options().target("2").load().unwrap().columns(), ["0", "1"], "as pandas numbers columns");
}

#[test]
fn a_class_that_the_header_of_a_ts_file_does_not_tell_of_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    fs::write(&path, "@data\n1,2,3:up\n").unwrap();
    let text = Dataset::ts(&path).no_target().load().unwrap_err().to_string();
    assert!(text.contains("`up` is its class") && text.contains("`@classLabel true`"), "{text}");
}

#[test]
fn why_dates_are_no_time_axis_is_told() {
    let rows = |times: &[&str]| {
        let rows: String = times.iter().enumerate().map(|(i, time)| format!("2024-01-01 {time},{i}\n")).collect();
        TestFile::new(format!("at,a\n{rows}")).options().inspect().unwrap()
    };
    assert_eq!(rows(&["00:00", "00:01", "00:02", "00:03"]).no_time, None);
    let twice = rows(&["00:00", "00:01", "00:01", "00:02"]).no_time.unwrap();
    assert!(twice.contains("line 4") && twice.contains("the same moment as line 3"), "{twice}");
    let irregular = rows(&["00:00", "00:01", "00:05", "00:30", "00:31", "02:00"]).no_time.unwrap();
    assert!(irregular.contains("`at` are irregular") && irregular.contains("`--time`"), "{irregular}");
}

#[test]
fn a_first_line_may_say_what_separates_fields() {
    let file = TestFile::new("\u{feff}sep=;\r\na;y\r\n1,5;no\r\n2,5;yes\r\n");
    let data = file.options().target("y").load().unwrap();
    assert_eq!((data.rows(), data.last_rows().collect::<Vec<_>>()), (&[1.5, 2.5][..], vec![3, 4]));
    refused(TestFile::new("sep=;\na;y\nwarm;no\n3;yes\n").options().target("y"), &["line 4, column `a`"]);
}

#[test]
fn lines_above_the_header_are_told() {
    refused(TestFile::new("Machine 7\n\na,y\n1,0\n").options().target("y"), &["single field", "remove lines above it"]);
}
