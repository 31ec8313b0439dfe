//! `train --return-sequences`: a target for every row.

#[path = "common/commands.rs"]
mod commands;

use std::collections::HashMap;

use commands::{Room, assert_refused, gatenorm, object, stdout};

const HOW: [&str; 12] = [
    "--device",
    "cpu",
    "--units",
    "8",
    "--epochs",
    "40",
    "--learning-rate",
    "0.02",
    "--batch-size",
    "4",
    "--no-batch-norm",
    "--return-sequences",
];

/// Rows whose class and number say whether the input of the row before was high: `low` and `high`, 1 and 5.
fn rows(from: u32, count: u32) -> String {
    let high = |i: u32| (i * i + i / 3) % 5 < 2;
    let row = |i: u32| {
        let class = if i > from && high(i - 1) { "high,5" } else { "low,1" };
        format!("{},{},{class}\n", u32::from(high(i)), i % 4)
    };
    "a,b,before,level\n".to_owned() + &(from..from + count).map(row).collect::<String>()
}

/// The lines of a CSV text by its header.
fn records(csv: &str) -> Vec<HashMap<String, String>> {
    let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

fn number(record: &HashMap<String, String>, name: &str) -> f64 {
    record[name].parse().unwrap()
}

#[test]
fn every_row_is_learned_evaluated_and_predicted_once() {
    let room = Room::new();
    let (data, out, report) = (room.write("rows.csv", &rows(0, 103)), room.path("m.keras"), room.path("r.html"));
    let train = [
        "train",
        &data,
        "--target",
        "before",
        "--columns",
        "a,b",
        "--window",
        "10",
        "--out",
        &out,
        "--report",
        &report,
    ];
    let told = gatenorm(&[&train[..], &HOW].concat()).assert().success().get_output().clone();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("11 windows of 10 x 2 (a, b) -> before of every row: 47 % high, 53 % low"), "{told}");
    assert!(std::fs::read_to_string(&report).unwrap().contains("Confusion matrix (training data)"));
    let predicted = records(&stdout(&["predict", &out, &data, "--device", "cpu"]));
    let lines: Vec<f64> = predicted.iter().map(|line| number(line, "row")).collect();
    assert_eq!(lines, (2..105).map(f64::from).collect::<Vec<_>>(), "a line for each row, once");
    let truth = records(&std::fs::read_to_string(&data).unwrap());
    let right = predicted.iter().zip(&truth).filter(|(p, t)| p["class"] == t["before"]).count() as f64;
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert!((scores["accuracy"].as_f64().unwrap() - right / 103.0).abs() < 1e-6, "{scores} {right} of 103");
    assert!(right > 95.0, "the class of a row can be learned: {right} of 103");
    assert!(stdout(&["summary", &out]).contains("-> before (high or low) of every row\nWindow: 10 rows, stride 10"));
    // Rows that come one by one are answered as those of the first window are.
    let stream =
        gatenorm(&["predict", &out, "-", "--stream"]).write_stdin(rows(0, 10)).assert().success().get_output().clone();
    let streamed = records(&String::from_utf8(stream.stdout).unwrap());
    for (one, all) in streamed.iter().zip(&predicted) {
        assert!((number(one, "probability") - number(all, "probability")).abs() < 1e-5, "{one:?} {all:?}");
    }
    assert_eq!(streamed.len(), 10);
}

#[test]
fn series_of_unequal_lengths_are_judged_by_their_own_rows() {
    let room = Room::new();
    let folder = room.path("series");
    std::fs::create_dir(&folder).unwrap();
    for i in 0..8 {
        let mut text = rows(20 * i, 6 + 3 * (i % 4));
        if i == 2 {
            // A row without its target.
            text = text.replacen("low,1\n", "low,\n", 1);
        }
        room.write(&format!("series/s{i}.csv"), &text);
    }
    let out = room.path("m.keras");
    let train =
        ["train", &folder, "--target", "level", "--columns", "a,b", "--loss", "mean_squared_error", "--out", &out];
    assert_refused(&[&train[..], &HOW].concat(), &["s2.csv", "column `level`", "the field is empty"]);
    stdout(&[&train[..], &HOW, &["--missing", "drop"]].concat());
    let predicted = records(&stdout(&["predict", &out, &folder, "--device", "cpu"]));
    let truth: Vec<_> =
        (0..8).flat_map(|i| records(&std::fs::read_to_string(format!("{folder}/s{i}.csv")).unwrap())).collect();
    assert_eq!(predicted.len(), truth.len());
    assert_eq!((&*predicted[6]["series"], &*predicted[6]["row"]), ("s1", "2"));
    let known: Vec<f64> = predicted
        .iter()
        .zip(&truth)
        .filter(|(_, t)| !t["level"].is_empty())
        .map(|(p, t)| number(p, "prediction") - number(t, "level"))
        .collect();
    assert_eq!(known.len(), truth.len() - 1);
    let mean = |of: fn(f64) -> f64| known.iter().map(|&e| of(e)).sum::<f64>() / known.len() as f64;
    let scores = object(&["evaluate", &out, &folder, "--device", "cpu"]);
    let rmse = mean(|e| e * e).sqrt();
    assert!((scores["root_mean_squared_error"].as_f64().unwrap() - rmse).abs() < 1e-5, "{scores} {rmse}");
    assert!((scores["mae"].as_f64().unwrap() - mean(f64::abs)).abs() < 1e-5, "{scores}");
    assert!(rmse < 1.0, "of two levels that are 4 apart: {rmse}");
}

#[test]
fn several_classes_are_weighed_by_row_and_several_labels_learned() {
    let room = Room::new();
    let row = |i: u32| format!("{},{},{},{}\n", i % 3, ["x", "y", "z"][(i % 3) as usize], i % 2, u32::from(i % 3 == 1));
    let data = room.write("rows.csv", &("a,kind,p,q\n".to_owned() + &(0..60).map(row).collect::<String>()));
    let out = room.path("m.keras");
    let train = |flags: &[&str]| {
        stdout(&[&["train", &data, "--columns", "a", "--window", "6", "--out", &out], flags, &HOW].concat())
    };
    train(&["--target", "kind", "--class-weight", "x=2", "--validation-split", "0.3"]);
    assert_eq!(object(&["evaluate", &out, &data, "--device", "cpu"])["accuracy"], 1.0);
    assert!(stdout(&["predict", &out, &data, "--device", "cpu"]).starts_with("row,class,p(x),p(y),p(z)\n2,x,"));
    train(&["--target", "p,q", "--loss", "binary_crossentropy"]);
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert_eq!(
        (&scores["labels"][1]["label"], &scores["labels"][1]["accuracy"]),
        (&"q".into(), &1.0.into()),
        "{scores}"
    );
    assert_eq!(stdout(&["predict", &out, &data, "--device", "cpu"]).lines().count(), 61);
}

#[test]
fn what_does_not_go_with_a_target_of_every_row_is_refused() {
    let room = Room::new();
    let data = room.write("rows.csv", &rows(0, 40));
    let target = ["--target", "before", "--columns", "a,b", "--return-sequences"];
    room.assert_train_refused(&data, &[&target[..], &["--window", "5", "--horizon", "2"]].concat(), &["--horizon"]);
    room.assert_train_refused(&data, &[&target[..], &["--row-steps", "2"]].concat(), &["cannot be used with"]);
    let vowels = "data/japanese_vowels/JapaneseVowels_TRAIN.ts";
    room.assert_train_refused(vowels, &["--return-sequences"], &["--return-sequences does not fit here"]);
    let layers =
        room.write("layers.toml", "[[layer]]\nclass = \"LSTM\"\nunits = 2\n[[layer]]\nclass = \"Dense\"\nunits = 1\n");
    let own = [&target[..], &["--window", "5", "--model", &layers]].concat();
    room.assert_train_refused(&data, &own, &["outputs of shape [1]", "have [5, 1]", "`return_sequences`"]);
    let out = room.path("last.keras");
    stdout(&[
        "train", &data, "--target", "before", "--window", "5", "--epochs", "1", "--units", "2", "--device", "cpu",
        "--out", &out,
    ]);
    assert_refused(
        &["predict", &out, &data, "--return-sequences"],
        &["--return-sequences does not fit here", "one target for each sample"],
    );
}
