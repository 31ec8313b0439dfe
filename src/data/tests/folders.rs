//! Folders and archives of one table for each series.

use crate::{Result, data::Dataset, model::ANY_LENGTH};
use std::{fs, io::Write, path::Path};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

/// Three series of unequal lengths, what may lie beside them, and their labels.
const FILES: [(&str, &str); 7] = [
    ("a 1.csv", "x,z\n1,2\n3,4\n5,6\n"),
    ("deep/ü.csv", "z;x\n8,5;7\n9,5;10\n"),
    ("c.CSV", "x,z\n11,12\n"),
    ("labels.csv", "score,file,kind\n0.5,ü,cat\n1.5,a 1.csv,dog\n2.5,c,cat\n"),
    ("readme.txt", "nothing to read"),
    (".DS_Store", "\0\u{1}"),
    ("__MACOSX/._a 1.csv", "\0\u{5}"),
];

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// The same files but with some in place of others, or left out where empty.
fn changed(changes: &[(&'static str, &'static str)]) -> TempDir {
    let kept = FILES.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    folder(&kept.chain(changes.iter().filter(|(_, content)| *content != "-")).copied().collect::<Vec<_>>())
}

fn refused(loaded: Result<Dataset>, parts: &[&str]) {
    let text = loaded.unwrap_err().to_string();
    parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing from: {text}"));
}

fn kinds(path: &Path) -> Result<Dataset> {
    Dataset::folder(path).target("kind").load()
}

fn check_kinds(data: &Dataset) {
    assert_eq!((data.len(), data.input_shape(), data.lengths()), (3, &[ANY_LENGTH, 2][..], Some(&[3, 1, 2][..])));
    assert_eq!(data.series_names().unwrap().collect::<Vec<_>>(), ["a 1", "c", "deep/ü"]);
    assert_eq!((data.targets(), data.classes().unwrap()), (&[1.0, 0.0, 0.0][..], &["cat".into(), "dog".into()][..]));
    assert_eq!((data.sample(2).0, data.columns()), (vec![7.0, 8.5, 10.0, 9.5], &["x".into(), "z".into()][..]));
}

#[test]
fn each_file_is_a_sample_with_its_label() {
    let folder = folder(&FILES);
    check_kinds(&kinds(folder.path()).unwrap());
    let scores = Dataset::folder(folder.path()).target("score").numeric_target().load().unwrap();
    assert_eq!((scores.targets(), scores.classes()), (&[1.5, 2.5, 0.5][..], None));
    let alone = Dataset::folder(folder.path()).no_target().load().unwrap();
    assert_eq!((alone.len(), alone.has_targets()), (3, false));
    refused(Dataset::folder(folder.path()).load(), &["labels.csv", "which column is the target?"]);
}

#[test]
fn an_archive_is_read_as_the_folder_in_it() {
    for top in ["", "recordings/"] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("all.ZIP");
        let mut zip = ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, content) in FILES {
            zip.start_file(format!("{top}{name}"), SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        check_kinds(&kinds(&path).unwrap());
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        refused(kinds(&path), &["all.ZIP", "the archive cannot be read"]);
    }
}

#[test]
fn windows_of_a_series_carry_its_label_and_none_crosses_two() {
    let folder = folder(&FILES);
    let data = Dataset::folder(folder.path()).target("kind").window(2).load().unwrap();
    assert_eq!((data.len(), data.targets(), data.lengths()), (3, &[1.0, 1.0, 0.0][..], None));
    assert_eq!(data.series_names().unwrap().collect::<Vec<_>>(), ["a 1", "a 1", "deep/ü"]);
    assert_eq!(data.row_counts().too_short, 1);
    let (train, test) = data.split_by_group(0.5, 0).unwrap();
    let names = |data: &Dataset| data.series_names().unwrap().map(str::to_owned).collect::<Vec<_>>();
    assert!(names(&train).iter().all(|name| !names(&test).contains(name)), "no series is in both parts");
}

#[test]
fn a_column_of_the_series_may_be_the_target() {
    let place = folder(&[("a.csv", "x,y\n1,0\n2,1\n3,0\n"), ("b.csv", "x,y\n4,1\n5,1\n")]);
    let windows = Dataset::folder(place.path()).target("y").window(2).load().unwrap();
    assert_eq!((windows.targets(), windows.starts()), (&[1.0, 0.0, 1.0][..], &[0, 1, 3][..]));
    let whole = Dataset::folder(place.path()).target("y").load();
    refused(whole, &["a.csv: line 3", "column `y`", "changes within the series", "`--window`"]);
    let constant = folder(&[("a.csv", "x,y\n1,0\n2,0\n"), ("b.csv", "x,y\n4,1\n")]);
    assert_eq!(Dataset::folder(constant.path()).target("y").load().unwrap().targets(), [0.0, 1.0]);
}

#[test]
fn subfolders_are_classes_where_nothing_else_is_said() {
    let place = folder(&[("2/a.csv", "x\n1\n2\n"), ("10/a.csv", "x\n3\n"), ("9/b.csv", "x\n4\n")]);
    let data = Dataset::folder(place.path()).load().unwrap();
    let classes: Vec<&str> = data.classes().unwrap().iter().map(String::as_str).collect();
    assert_eq!((data.targets(), &classes[..]), (&[2.0, 0.0, 1.0][..], &["2", "9", "10"][..]));
    assert_eq!(data.target_name(), Some("class"));
    refused(Dataset::folder(folder(&[("a.csv", "x\n1\n")]).path()).load(), &["`--labels`", "`--target`", "subfolder"]);
}

#[test]
fn a_file_of_labels_may_lie_elsewhere_and_name_its_series_in_any_column() {
    let place = changed(&[("labels.csv", "-"), ("meta.csv", "kind,id,other\ncat,deep\\ü,c\ndog,a 1,c\ncat,c,c\n")]);
    let named = |name: &str| Dataset::folder(place.path()).labels(place.path().join(name)).target("kind");
    check_kinds(&named("meta.csv").series_column("id").load().unwrap());
    refused(named("meta.csv").series_column("other").load(), &["line 3", "`c` has a label on line 2 too"]);
    check_kinds(&Dataset::folder(place.path()).labels("meta.csv").target("kind").series_column("id").load().unwrap());
    refused(named("none.csv").load(), &["none.csv", "no such file"]);
    let missing = Dataset::folder(place.path()).series_column("id").target("kind").load();
    refused(missing, &["`--series-column` is for a file of labels"]);
}

#[test]
fn series_and_labels_that_do_not_meet_are_named() {
    let stranger = changed(&[("labels.csv", "file,kind\nü,cat\na 1,dog\nc,cat\na 2,dog\n")]);
    refused(
        kinds(stranger.path()),
        &["labels.csv: line 5, column `file`", "no series `a 2`", "Did you mean `a 1`?", "`--missing drop`"],
    );
    let bare = changed(&[("labels.csv", "file,kind\nü,cat\na 1,dog\n")]);
    refused(kinds(bare.path()), &["labels.csv", "no label for the series `c`", "`--missing drop`"]);
    let both = changed(&[("labels.csv", "file,kind\nü,cat\na 1,dog\nd,cat\n")]);
    let left = Dataset::folder(both.path()).target("kind").missing(crate::data::Missing::Drop).load().unwrap();
    assert_eq!((left.len(), left.row_counts().without_target), (2, 1));
    let none = changed(&[("labels.csv", "file,kind\nb,cat\nd,dog\n")]);
    refused(kinds(none.path()), &["no column names the series, such as `a 1`", "`file`, `kind`", "`--series-column`"]);
    let twice = changed(&[("other/ü.csv", "x,z\n1,2\n")]);
    refused(kinds(twice.path()), &["several series are called `ü`", "subfolder"]);
}

#[test]
fn files_that_cannot_be_series_are_named() {
    for (name, content, parts) in [
        ("b.csv", "", &["b.csv", "the file is empty"][..]),
        ("b.csv", "x,z\n", &["b.csv", "no rows"]),
        ("b.csv", "x\n1\n", &["b.csv", "there is no column `z`"]),
        ("b.csv", "x,z,w\n1,2,3\n", &["b.csv", "column `w` is not in", "a 1.csv"]),
        ("b.csv", "x,z\n1,warm\n", &["b.csv: line 2, column `z`", "`warm` is not a number"]),
    ] {
        let labels = ("labels.csv", "file,kind\nü,cat\na 1,dog\nc,cat\nb,dog\n");
        refused(kinds(changed(&[(name, content), labels]).path()), parts);
    }
    refused(kinds(folder(&[("notes.md", "x")]).path()), &["there is no series", ".csv"]);
    let place = folder(&FILES);
    let options = || Dataset::folder(place.path()).target("kind");
    refused(options().horizon([1]).load(), &["`--horizon`", "as a whole"]);
    refused(options().horizon([1]).window(2).load(), &["`--horizon` is for a target in the rows"]);
    refused(options().stride(2).load(), &["`--stride`", "as a whole"]);
    refused(options().row_steps(2).load(), &["`--row-steps`"]);
    refused(options().and("b.csv").load(), &["a data set by itself"]);
}

#[test]
fn missing_values_of_whole_series_are_filled_masked_or_leave_them_out() {
    use crate::data::Missing;
    let place = changed(&[("c.CSV", "x,z\n11,12\n?,13\n")]);
    let load = |missing| Dataset::folder(place.path()).target("kind").missing(missing).load();
    refused(load(Missing::Error), &["c.CSV: line 3", "`?` stands for a missing value"]);
    let dropped = load(Missing::Drop).unwrap();
    assert_eq!((dropped.len(), dropped.row_counts().left_out), (2, 1));
    assert_eq!(load(Missing::Ffill).unwrap().sample(1).0, [11.0, 12.0, 11.0, 13.0]);
    let masked = load(Missing::Mask).unwrap();
    assert!(masked.has_masked_rows() && masked.sample(1).0[2].is_nan());
}
