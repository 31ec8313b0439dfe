//! Several series in a file, gaps in time, and splits.

use super::*;
use crate::data::{DateOrder, SplitBy, TimeAxis, TimeFeature, moment};

/// Two machines, their rows in turns; `a` counts up, of the second from 100.
fn machines() -> TestFile {
    let row = |i: u32| format!("m1,2015-02-04 10:{i:02},{i},0\nm2,2015-02-04 10:{i:02},{},1\n", 100 + i);
    TestFile::new("machine,at,a,y\n".to_owned() + &(0..10).map(row).collect::<String>())
}

fn minutes(minutes: &[u32]) -> TestFile {
    let row = |i: &u32| format!("2015-02-04 {:02}:{:02},{i},{}\n", i / 60, i % 60, i % 2);
    TestFile::new("at,a,y\n".to_owned() + &minutes.iter().map(row).collect::<String>())
}

fn message(options: TableOptions) -> String {
    options.load().unwrap_err().to_string()
}

#[test]
fn windows_hold_rows_of_one_group() {
    let file = machines();
    let data = file.options().target("y").group(["machine"]).window(3).load().unwrap();
    assert_eq!(data.columns(), ["a"]);
    assert_eq!((data.len(), data.group_names()), (16, &["m1".into(), "m2".into()][..]));
    assert_eq!(data.sample(0), (vec![0.0, 1.0, 2.0], vec![0.0]));
    assert_eq!(data.sample(8), (vec![100.0, 101.0, 102.0], vec![1.0]));
    assert_eq!(data.last_rows().take(2).collect::<Vec<_>>(), [6, 8], "lines of the file");
    assert_eq!((data.row_counts().series, data.row_counts().gaps), (2, 0));
    assert_eq!(data.groups().unwrap()[7..9], [0, 1]);
    let missing = TestFile::new("g,a,y\nx,1,0\n,2,1\n");
    let text = message(missing.options().target("y").group(["g"]));
    assert!(text.contains("line 3, column `g`: the row does not say which series"), "{text}");
}

#[test]
fn no_window_crosses_a_gap_in_time() {
    let file = minutes(&[0, 1, 2, 3, 10, 11, 12, 13]);
    let found = file.options().target("y").window(3).load().unwrap();
    assert_eq!((found.starts(), found.row_counts().gaps), (&[0, 1, 4, 5][..], 1));
    let axis = TimeAxis { columns: vec!["at".into()], gap: Some(90.0), found: true, ..TimeAxis::default() };
    assert_eq!(found.reading().time, Some(axis));
    let wide = file.options().target("y").window(3).time(["at"]).gap(600.0).load().unwrap();
    assert_eq!((wide.len(), wide.row_counts().gaps), (6, 0));
    let text = message(file.options().target("y").window(5));
    assert!(text.contains("at most 4 rows follow on each other without a gap in time"), "{text}");
    let irregular = minutes(&[0, 1, 5, 6, 30, 31, 100]).options().target("y").window(3).load().unwrap();
    assert_eq!((irregular.len(), &irregular.reading().time), (5, &None));
}

#[test]
fn a_model_takes_its_gap_along_and_does_without_a_column_that_it_found() {
    let first = minutes(&[0, 1, 2, 3, 10, 11]).options().target("y").window(2).load().unwrap();
    let read = |file: &TestFile| {
        let options = file.options().no_target().columns(first.source_columns()).reading(first.reading().clone());
        options.window(2).load().unwrap()
    };
    assert_eq!(read(&minutes(&[0, 5, 10, 11])).len(), 1, "not by a median of its own");
    assert_eq!(read(&TestFile::new("a\n1\n2\n3\n")).len(), 2);
    let asked = minutes(&[0, 1, 2]).options().target("y").time(["at"]).load().unwrap();
    let file = TestFile::new("a\n1\n2\n");
    let text = message(file.options().no_target().columns(["a"]).reading(asked.reading().clone()));
    assert!(text.contains("no column of `--time` `at`"), "{text}");
}

#[test]
fn rows_out_of_order_are_named() {
    let options =
        |content: &str| TestFile::new(content).options().target("y").time(["at"]).load().unwrap_err().to_string();
    let back = options("at,a,y\n2015-02-04,1,0\n2015-02-06,2,1\n2015-02-05,3,1\n");
    assert!(back.contains("line 4, column `at`: earlier than line 3") && back.contains("--group"), "{back}");
    let twice = options("at,a,y\n2015-02-04,1,0\n2015-02-04,2,1\n");
    assert!(twice.contains("line 3, column `at`: the same moment as line 2"), "{twice}");
    let word = options("at,a,y\n2015-02-04,1,0\nsoon,2,1\n");
    assert!(word.contains("line 3, column `at`: `soon` is no moment"), "{word}");
    let impossible = options("at,a,y\n2015-02-30,1,0\n");
    assert!(impossible.contains("line 2") && impossible.contains("`2015-02-30` is no moment"), "{impossible}");
    let of_group = TestFile::new("g,at,y,a\nx,2,0,1\nz,1,1,1\nx,1,0,2\n");
    let text = message(of_group.options().target("y").time(["at"]).group(["g"]));
    assert!(text.contains("line 4, column `at`: earlier than line 2. Sort the rows of each group"), "{text}");
    let zones = options("at,a,y\n2015-02-04T00:00Z,1,0\n2015-02-04T01:00,2,1\n");
    assert!(zones.contains("line 2 says how far its time is from UTC, line 3 does not"), "{zones}");
}

#[test]
fn dates_whose_day_may_be_a_month_are_asked_for() {
    let doubtful = TestFile::new("at,a,y\n4/2/2015,1,0\n5/2/2015,2,1\n");
    let text = message(doubtful.options().target("y").time(["at"]));
    assert!(
        text.contains("day and month cannot be told apart, first on line 2") && text.contains("day-first"),
        "{text}"
    );
    let of = |order| doubtful.options().target("y").time(["at"]).date_order(order).load().unwrap();
    assert_eq!(of(DateOrder::DayFirst).reading().time.as_ref().unwrap().gap, Some(1.5 * 86_400.0));
    assert_eq!(of(DateOrder::MonthFirst).reading().time.as_ref().unwrap().gap, Some(1.5 * 30.0 * 86_400.0));
    let plain = doubtful.options().target("y").load().unwrap();
    assert_eq!((plain.columns(), &plain.reading().time), (&["a".to_owned()][..], &None), "only left out");
    let mixed = TestFile::new("at,a,y\n13/2/2015,1,0\n2/14/2015,2,1\n");
    let text = message(mixed.options().target("y").time(["at"]));
    assert!(text.contains("the day stands first on line 2, the month on line 3"), "{text}");
    let wrong = TestFile::new("at,a,y\n13/2/2015,1,0\n14/2/2015,2,1\n");
    let text = message(wrong.options().target("y").time(["at"]).date_order(DateOrder::MonthFirst));
    assert!(text.contains("line 2") && text.contains("no such date with the month first"), "{text}");
    let found = wrong.options().target("y").time(["at"]).load().unwrap();
    assert_eq!(found.reading().time.as_ref().unwrap().order, Some(DateOrder::DayFirst));
    let text = message(wrong.options().target("y").date_order(DateOrder::DayFirst));
    assert!(text.contains("need a time axis") && text.contains("--time"), "{text}");
}

#[test]
fn the_calendar_makes_features() {
    let file = TestFile::new("year,month,day,hour,a,y\n2015,2,2,0,1,0\n2015,2,2,6,2,1\n2015,2,2,12,3,0\n");
    let time = ["year", "month", "day", "hour"];
    let options = file.options().target("y").time(time).time_features([TimeFeature::Hour, TimeFeature::Weekday]);
    let data = options.load().unwrap();
    let name = |cycle: &str| ["sin", "cos"].map(|part| format!("year month day hour {cycle} {part}"));
    assert_eq!(data.columns()[0], "a");
    assert_eq!(data.columns()[1..], [name("hour"), name("weekday")].concat());
    let rows: Vec<f32> = data.rows().iter().map(|x| (1000.0 * x).round() / 1000.0).collect();
    assert_eq!(rows[..5], [1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[5..8], [2.0, 1.0, 0.0]);
    let again =
        file.options().no_target().columns(data.source_columns()).reading(data.reading().clone()).load().unwrap();
    assert_eq!(again.rows(), data.rows());
}

#[test]
fn series_are_cut_at_one_moment_or_each_by_itself() {
    let file = machines();
    let with_axis = file.options().target("y").group(["machine"]).window(2).load().unwrap();
    let (train, test) = with_axis.split_by_time(0.5).unwrap();
    let cut = train.times().unwrap().iter().map(|&(_, end)| end).max().unwrap();
    assert!(test.times().unwrap().iter().all(|&(begin, _)| begin > cut));
    for part in [&train, &test] {
        assert_eq!(part.class_balance(), Some(vec![part.len() / 2; 2]), "both machines, before and behind");
    }
    let without = TestFile::new("g,a,y\n".to_owned() + &"x,1,0\nz,2,1\n".repeat(10));
    let data = without.options().target("y").group(["g"]).window(2).load().unwrap();
    let (train, test) = data.split_by_time(0.5).unwrap();
    assert_eq!((train.class_balance(), test.class_balance()), (Some(vec![5, 5]), Some(vec![3, 3])));
}

#[test]
fn a_cut_at_a_moment_parts_what_lies_before_it_and_behind() {
    let data = minutes(&[0, 1, 2, 3, 4, 5, 6]).options().target("y").window(2).load().unwrap();
    let at = moment("2015-02-04 00:03").unwrap();
    let (train, test) = data.split_at(at).unwrap();
    assert_eq!((train.starts(), test.starts()), (&[0, 1][..], &[3, 4, 5][..]));
    let text = data.split_at(moment("2016-01-01").unwrap()).unwrap_err().to_string();
    assert!(text.contains("leaves 6 of 6 samples before it") && text.contains("2015-02-04T00:06"), "{text}");
    let text = load(PLAIN).split_at(0).unwrap_err().to_string();
    assert!(text.contains("--time"), "{text}");
    assert_eq!((moment("4/2/2015"), moment("soon")), (None, None));
}

#[test]
fn whole_groups_are_drawn() {
    let rows: String = (0..40).map(|i| format!("g{},{i},{}\n", i / 4, i % 2)).collect();
    let data = TestFile::new(format!("g,a,y\n{rows}")).options().target("y").group(["g"]).window(2).load().unwrap();
    let (train, test) = data.split(SplitBy::Group, 0.7, 5).unwrap();
    let groups = |part: &Dataset| part.groups().unwrap().iter().copied().collect::<std::collections::BTreeSet<u32>>();
    assert_eq!((groups(&train).len(), groups(&test).len()), (7, 3));
    assert!(groups(&train).is_disjoint(&groups(&test)));
    assert_eq!(train.len() + test.len(), data.len());
    assert_eq!(data.split_by_group(0.7, 5).unwrap().1.starts(), test.starts());
    assert_ne!(groups(&data.split_by_group(0.7, 6).unwrap().1), groups(&test));
    let text = load(PLAIN).split_by_group(0.5, 0).unwrap_err().to_string();
    assert!(text.contains("two groups or more, but there are 0") && text.contains("--group"), "{text}");
}

#[test]
fn a_model_with_groups_sorts_new_rows_by_them() {
    let file = machines();
    let first = file.options().target("y").group(["machine"]).window(3).load().unwrap();
    let options = file.options().no_target().columns(first.source_columns()).reading(first.reading().clone());
    assert_eq!(options.window(3).load().unwrap().starts(), first.starts());
}

/// Rows of `a` and `y` with a date each, in minutes.
fn table(columns: [&str; 3], minutes: std::ops::Range<u32>) -> TestFile {
    let row = |i: u32| {
        let of = |column: &str| match column {
            "at" => format!("2015-02-04 10:{i:02}"),
            "y" => (i % 2).to_string(),
            _ => i.to_string(),
        };
        columns.map(of).join(",") + "\n"
    };
    TestFile::new(columns.join(",") + "\n" + &minutes.map(row).collect::<String>())
}

#[test]
fn several_files_are_one_data_set_and_no_window_crosses_from_one_to_the_next() {
    let (first, second) = (table(["at", "a", "y"], 0..4), table(["y", "at", "a"], 4..8));
    let data = first.options().and(&second.path).target("y").window(3).load().unwrap();
    assert_eq!((data.columns(), data.starts()), (&["a".to_owned()][..], &[0, 1, 4, 5][..]));
    assert_eq!(data.sample(2), (vec![4.0, 5.0, 6.0], vec![0.0]));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [4, 5, 4, 5], "lines of each file");
    let files: Vec<&Path> = data.files().unwrap().collect();
    assert_eq!(files, [&first.path, &first.path, &second.path, &second.path]);
    let (_, test) = data.split_by_time(0.5).unwrap();
    assert_eq!(test.files().unwrap().collect::<Vec<_>>(), [&second.path, &second.path]);
    assert!(data.reading().time.as_ref().unwrap().found, "the first file's dates and the second's");
    assert!(first.options().target("y").load().unwrap().files().is_none());
    let grouped = first.options().and(&second.path).target("y").group(["y"]).window(2).columns(["a"]).no_target();
    let grouped = grouped.load().unwrap();
    assert_eq!(grouped.sample(0).0, [0.0, 2.0]);
    assert_eq!((grouped.len(), grouped.sample(1).0), (4, vec![4.0, 6.0]), "not 2 and 4");
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let first = table(["at", "a", "y"], 0..4);
    let with = |content: &str| {
        let other = TestFile::new(content);
        first.options().and(&other.path).target("y").window(3).load().unwrap_err().to_string()
    };
    let extra = with("at,a,b,y\n2015-02-04,1,2,0\n");
    assert!(extra.contains("column `b` is not in ") && extra.contains("`--columns`"), "{extra}");
    assert!(with("at,y\n2015-02-04,0\n").contains("there is no column `a`"));
    assert!(with("at,a,y\n").contains("a header and no rows"));
    assert!(with("at,a,y\n2015-02-04,warm,0\n").contains("line 2, column `a`: `warm` is not a number"));
    let back = TestFile::new("at,a,y\n2015-02-06,1,0\n2015-02-05,2,1\n");
    let text = first.options().and(&back.path).target("y").time(["at"]).load().unwrap_err().to_string();
    assert!(
        text.starts_with(&back.path.display().to_string()) && text.contains("line 3, column `at`: earlier"),
        "{text}"
    );
    let short = TestFile::new("at,a,y\n2015-02-06,1,0\n");
    let text = short
        .options()
        .and(&short.path)
        .target("y")
        .numeric_target()
        .window(2)
        .columns(["a"])
        .load()
        .unwrap_err()
        .to_string();
    assert!(text.contains("at most 1 rows follow on each other without another file"), "{text}");
}
