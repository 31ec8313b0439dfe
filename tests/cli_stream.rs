//! `predict --stream`: rows from stdin are answered one by one, as they come.

#[path = "common/commands.rs"]
mod commands;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use commands::{Room, gatenorm, stdout};

/// A model of two numbers and a category, trained on whole files of six rows, so that a window is all that was.
fn trained(room: &Room) -> (String, String) {
    let rows: String =
        (0..6).map(|i| format!("{},{},{},{}\n", i, ["red", "blue", "green"][i % 3], (i * i) % 5, i % 2)).collect();
    let data = room.write("rows.csv", &("a,colour,b,y\n".to_owned() + &rows));
    let model = room.path("m.keras");
    stdout(&[
        "train", &data, "--target", "y", "--window", "6", "--units", "4", "--epochs", "2", "--out", &model, "--device",
        "cpu",
    ]);
    (model, data)
}

fn answers(model: &str, lines: &str, more: &[&str]) -> std::process::Output {
    let args = [&["predict", model, "-", "--stream"], more].concat();
    gatenorm(&args).write_stdin(lines.to_owned()).output().expect("it starts")
}

#[test]
fn the_last_row_of_a_window_is_answered_as_the_window_is() {
    let room = Room::new();
    let (model, data) = trained(&room);
    let whole = stdout(&["predict", &model, &data, "--device", "cpu"]);
    let lines = std::fs::read_to_string(&data).unwrap();
    let output = answers(&model, &lines, &[]);
    let streamed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let (whole, streamed): (Vec<&str>, Vec<&str>) = (whole.lines().collect(), streamed.lines().collect());
    assert_eq!((whole.len(), streamed.len()), (2, 7), "one window, six rows");
    assert_eq!(whole[0], streamed[0]);
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (fields(whole[1]), fields(streamed[6]));
    assert_eq!((&expected[0], &expected[2]), (&found[0], &found[2]), "line and class");
    let (e, f): (f64, f64) = (expected[1].parse().unwrap(), found[1].parse().unwrap());
    assert!((e - f).abs() < 1e-5, "{expected:?} {found:?}");
    // Columns are found by name, wherever they stand.
    let moved = "b,unused,a,colour\n0,x,0,red\n";
    let output = String::from_utf8(answers(&model, moved, &["--json"]).stdout).unwrap();
    let object: serde_json::Value = serde_json::from_str(output.trim()).unwrap();
    let first: f64 = fields(streamed[1])[1].parse().unwrap();
    assert!((object["probability"].as_f64().unwrap() - first).abs() < 1e-6, "{object}");
}

#[test]
fn each_row_is_answered_before_the_next_one_comes() {
    let room = Room::new();
    let (model, _) = trained(&room);
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatenorm"))
        .args(["predict", &model, "-", "--stream"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(to, "a,colour,b").unwrap();
    assert_eq!(from.next().unwrap().unwrap(), "row,probability,class");
    for line in 2..5 {
        writeln!(to, "1,blue,2").unwrap();
        assert!(from.next().unwrap().unwrap().starts_with(&format!("{line},")));
    }
    drop(to);
    assert!(child.wait().unwrap().success() && from.next().is_none());
}

#[test]
fn what_cannot_be_read_is_named_with_line_and_column() {
    let room = Room::new();
    let (model, data) = trained(&room);
    let refused = |lines: &str, more: &[&str], words: &[&str]| {
        let output = answers(&model, lines, more);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is missing from: {text}"));
    };
    refused("a,colour\n", &[], &["stdin", "the column `b` is missing", "a, colour"]);
    refused("a,colour,b\n1,red,2\n1,red,x\n", &[], &["stdin: line 3", "the value of `b`: `x` is not a number"]);
    refused("a,colour,b\n1,pink,2\n", &[], &["line 2", "`pink` in `colour`", "did not meet", "blue, green, red"]);
    refused("a,colour,b\n1,,2\n", &[], &["line 2", "`colour` is missing"]);
    refused("a,colour,b\n", &["--device", "gpu"], &["leave --device out"]);
    refused("a,colour,b\n", &["--precision", "f16"], &["leave --precision and --cooperative-matrices out"]);
    refused("a,colour,b\n", &["--cooperative-matrices"], &["leave --precision and --cooperative-matrices out"]);
    assert!(answers(&model, "a,colour,b\n1,pink,2\n", &["--new-categories", "none"]).status.success());
    let files = gatenorm(&["predict", &model, &data, "--stream"]).output().unwrap();
    assert!(String::from_utf8(files.stderr).unwrap().contains("say `-` for DATA and --stream"));
}

#[test]
fn a_stream_reads_fields_as_files_are_read() {
    let room = Room::new();
    let rows: String = (0..12)
        .map(|i| format!("{},{},{},{}\n", ["north", "south"][i / 6], i % 6, ["1", "2.0", "3"][i % 3], i % 2))
        .collect();
    let data = room.write("rows.csv", &("site,a,kind,y\n".to_owned() + &rows));
    let model = room.path("m.keras");
    let flags = ["--group", "site", "--categorical", "kind", "--na", "n.d.", "--missing", "ffill", "--window", "3"];
    let more = ["--target", "y", "--units", "4", "--epochs", "1", "--out", &model, "--device", "cpu"];
    stdout(&[&["train", &data][..], &flags, &more].concat());
    // Other spellings of a category, and the model's own mark for what is missing, which the row before fills.
    let lines = |text: &str| String::from_utf8(answers(&model, text, &[]).stdout).unwrap();
    let plain = lines("a,kind\n1,2\n1,3\n");
    assert_eq!(plain.lines().count(), 3);
    assert_eq!(lines("a,kind\n+1,2.0\nn.d.,3.00\n"), plain);
    let refused = String::from_utf8(answers(&model, "site,a,kind\nnorth,1,2\n", &[]).stderr).unwrap();
    assert!(refused.contains("`site` tells series apart") && refused.contains("one series"), "{refused}");
    let refused = String::from_utf8(answers(&model, "a,kind\nNA,2\n", &[]).stderr).unwrap();
    assert!(refused.contains("line 2: the value of `a`: `NA` is not a number"), "{refused}");
}
