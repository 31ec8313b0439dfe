//! `gatenorm ablate`, end to end.

#[path = "common/commands.rs"]
mod commands;

use commands::{Room, assert_refused, object, stdout};

/// A few windows of the real data.
fn args<'a>(out: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let data = ["ablate", "data/occupancy/datatest.txt", "--target", "Occupancy", "--window", "5", "--stride", "40"];
    let small = ["--units", "4", "--device", "cpu", "--out", out];
    [&data[..], &small, rest].concat()
}

#[test]
fn it_compares_draws_and_tells() {
    let room = Room::new();
    let out = room.path("result");
    let rest = [
        "--epochs",
        "4",
        "--seeds",
        "2",
        "--learning-rates",
        "1e-2,1e30",
        "--variants",
        "plain,batch_norm,recurrent_batch_norm",
    ];
    let result = object(&args(&out, &rest));
    let runs = result["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 12);
    for run in runs {
        let (epochs, diverged) = (run["epochs"].as_array().unwrap(), &run["diverged"]);
        assert!(run["initial_loss"].as_f64().is_some_and(|loss| (0.1..5.0).contains(&loss)), "{run}");
        if run["rate"] == 1e-2 {
            assert!(epochs.len() == 4 && diverged.is_null() && epochs[3]["val_accuracy"].is_f64(), "{run}");
            assert!(epochs[3]["loss"].as_f64() < run["initial_loss"].as_f64(), "{run}");
        }
    }
    // Weights of 1e30 let no loss be a number, or leave one that is larger than at first: neither is training.
    let standings = result["summary"]["standings"].as_array().unwrap();
    assert!(standings.iter().all(|standing| standing["highest_rate"] == 1e-2), "{standings:?}");
    let names = ["ablation.json", "curves.png", "curves.svg"].map(|name| format!("{out}/{name}"));
    let [json, png, svg] = names.map(|name| std::fs::read(name).unwrap());
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).unwrap(), result);
    assert!(png.starts_with(b"\x89PNG") && svg.starts_with(b"<svg"));
    let again = object(&args(&out, &rest));
    assert_eq!(again, result, "the same seeds give the same figures");
}

#[test]
fn tables_hold_a_line_for_each_cell_and_each_variant() {
    let room = Room::new();
    let out = room.path("result");
    let text = stdout(&args(&out, &["--epochs", "1", "--seeds", "1", "--learning-rates", "1e-3,1e-2"]));
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("variant "), lines("at its best ")), (1, 1), "{text}");
    assert_eq!(["plain ", "batch_norm ", "recurrent_batch_norm "].map(lines), [3; 3], "{text}");
}

#[test]
fn what_cannot_be_is_refused_before_training() {
    let room = Room::new();
    let out = room.path("result");
    assert_refused(&args(&out, &["--variants", "plain,batchnorm"]), &["`batchnorm`", "there are: plain, batch_norm"]);
    assert_refused(&args(&out, &["--seeds", "0"]), &["--seeds", "at least 1"]);
    assert_refused(&args(&out, &["--epochs", "0"]), &["--epochs", "at least 1"]);
    let missing = room.path("no/such/folder");
    assert_refused(&args(&missing, &[]), &[missing.as_str(), "cannot make the folder"]);
    let file = room.write("file", "");
    assert_refused(&args(&file, &[]), &["file"]);
}
