//! `gatenorm tune`, end to end: searches that are killed, cut off and resumed, and the command that trains the best again.

#[path = "common/commands.rs"]
mod commands;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use commands::{Room, assert_refused, gatenorm, object, stdout};
use serde_json::Value;

/// A search among small models on some of the real data.
const SMALL: &str = "tune data/occupancy/datatest.txt --target Occupancy --stride 20 --windows 3,5 --units 3..8 --batch-sizes 16,32 \
                     --trials 5 --epochs 9 --first-epochs 1 --device cpu";

/// The same with these options, in place of its own where they are there.
fn with<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    let words: Vec<&str> = SMALL.split_whitespace().collect();
    let replaced = |flag: &str| rest.contains(&flag) || (flag == "--first-epochs" && rest.contains(&"random"));
    let own = words[2..].chunks(2).filter(|pair| !replaced(pair[0])).flatten().copied();
    words[..2].iter().copied().chain(own).chain(rest.iter().copied()).collect()
}

/// What a search has found, but for the time that it took.
fn timeless(found: &Value) -> Value {
    let mut trials = found["trials"].clone();
    trials.as_array_mut().unwrap().iter_mut().for_each(|trial| trial["seconds"] = Value::Null);
    trials
}

/// The search in a folder, once it is at its end, and its best model.
fn ended(folder: &str) -> (Value, Vec<u8>) {
    let found = object(&["tune", "--resume", folder]);
    assert!(found["cut"].is_null(), "{found}");
    (timeless(&found), fs::read(Path::new(folder).join("best.keras")).unwrap())
}

/// The command that a search has printed, with another file to save to.
fn train_again(found: &Value, out: &str) -> Value {
    let words = found["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let words: Vec<&str> = words.map(|word| if word == "again.keras" { out } else { word }).collect();
    assert_eq!(words[0], "gatenorm");
    object(&words[1..])
}

#[test]
fn its_command_trains_the_best_again_to_the_bit() {
    let room = Room::new();
    let series =
        ["tune", "data/japanese_vowels/JapaneseVowels_TRAIN.ts", "--units", "4", "--trials", "3", "--epochs", "3"];
    let norms = |norm: &'static str| with(&["--norms", norm, "--objective", "val_accuracy"]);
    let searches = [
        with(&[
            "--norms",
            "plain,batch_norm",
            "--recurrent-dropout",
            "0..0.3",
            "--validation",
            "data/occupancy/datatest2.txt",
        ]),
        norms("recurrent_batch_norm"),
        norms("layer_norm"),
        [&series[..], &["--device", "cpu", "--seed", "3"]].concat(),
    ];
    for (i, search) in searches.iter().enumerate() {
        let (out, again) = (room.path(&format!("{i}.keras")), room.path("again.keras"));
        let found = object(&[&search[..], &["--out", &out]].concat());
        let (best, trained) = (&found["best"], train_again(&found, &again));
        let last = trained["epochs"].as_array().unwrap().last().unwrap();
        assert_eq!(last[best["name"].as_str().unwrap()], best["value"], "{search:?}");
        assert!(fs::read(&out).unwrap() == fs::read(&again).unwrap(), "{search:?}: the models differ");
    }
}

#[test]
fn the_best_trial_is_the_first_of_the_table_and_its_model_evaluates_so() {
    let room = Room::new();
    let out = room.path("out.keras");
    let found = object(&with(&["--out", &out, "--objective", "val_accuracy", "--search", "random", "--epochs", "2"]));
    let value = |trial: &Value| trial["scores"]["val_accuracy"].as_f64().unwrap();
    let trials = found["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 5);
    assert!(
        trials.windows(2).all(|pair| value(&pair[0]) >= value(&pair[1])),
        "more of an accuracy is better: {trials:?}"
    );
    assert_eq!(found["best"]["trial"], trials[0]["trial"]);
    object(&["predict", &out, "data/occupancy/datatest2.txt", "--device", "cpu"]);
}

#[test]
fn halving_trains_the_best_third_for_longer() {
    let room = Room::new();
    let out = room.path("out.keras");
    let text = stdout(&with(&["--out", &out]));
    let epochs: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_whitespace().rev().nth(7)).collect();
    assert_eq!(epochs, ["9", "1", "1", "1", "1"], "{text}");
    let mut unsaid = with(&["--out", &out, "--norms", "batch_norm"]);
    let at = unsaid.iter().position(|word| *word == "--first-epochs").unwrap();
    unsaid.drain(at..at + 2);
    let few_steps = serde_json::json!([{ "trials": 5, "epochs": 9 }]);
    assert_eq!(object(&unsaid)["rungs"], few_steps, "moving averages do not settle before the end");
}

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatenorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

#[test]
fn a_search_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let room = Room::new();
    let (whole, killed) = (room.path("whole"), room.path("killed"));
    let long =
        with(&["--stride", "4", "--epochs", "60", "--trials", "6", "--dropout", "0.2", "--norms", "plain,batch_norm"]);
    stdout(&[&long[..], &["--folder", &whole]].concat());
    let lines =
        |folder: &str| fs::read_to_string(format!("{folder}/trials.jsonl")).map_or(0, |text| text.lines().count());
    let mut seen = Vec::new();
    for milliseconds in (40..400).step_by(40) {
        let first = [&long[..], &["--folder", &killed]].concat();
        let again = ["tune", "--resume", &killed];
        let mut child = start(if Path::new(&killed).join("tune.toml").exists() { &again } else { &first });
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = child.kill();
        child.wait().unwrap();
        seen.push(lines(&killed));
    }
    assert!(seen.iter().any(|&lines| 0 < lines && lines < seen.len()), "nothing was cut off: {seen:?}");
    let (whole, killed) = (ended(&whole), ended(&killed));
    assert_eq!(whole.0, killed.0);
    assert!(whole.1 == killed.1, "the best models differ");
}

#[test]
fn a_search_whose_time_was_up_goes_on_with_more() {
    let room = Room::new();
    let (whole, cut) = (room.path("whole"), room.path("cut"));
    stdout(&with(&["--folder", &whole]));
    let found = object(&with(&["--folder", &cut, "--budget", "0.001s"]));
    assert_eq!(found["cut"], "budget");
    let trials = found["trials"].as_array().unwrap();
    assert!(trials.len() == 1 && trials[0]["epochs"] == 1, "it trains to the end of an epoch: {trials:?}");
    let more = object(&["tune", "--resume", &cut, "--budget", "1h"]);
    assert!(more["cut"].is_null());
    assert_eq!(timeless(&more), ended(&whole).0);
    assert!(fs::read(format!("{cut}/best.keras")).unwrap() == ended(&whole).1);
}

#[cfg(unix)]
#[test]
fn an_interrupted_search_prints_what_it_has_and_goes_on() {
    let room = Room::new();
    let folder = room.path("folder");
    let long = with(&["--epochs", "100000", "--search", "random", "--folder", &folder]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatenorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(&long).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    while !Path::new(&folder).join("trials/1/best.keras").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let (table, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(130), "{talk}");
    assert!(table.contains("(cut off)") && table.starts_with("trial "), "{table}");
    assert!(talk.contains("go on: gatenorm tune --resume"), "{talk}");
    assert!(Path::new(&folder).join("best.keras").exists());
    let record: Value = serde_json::from_str(&fs::read_to_string(format!("{folder}/trials.jsonl")).unwrap()).unwrap();
    let again = object(&["tune", "--resume", &folder, "--budget", "0.001s"]);
    assert_eq!(again["trials"][0], record, "what it has done counts, and no time is left");
}

#[test]
fn a_trial_that_diverges_is_a_line_of_the_table() {
    let room = Room::new();
    let out = room.path("out.keras");
    let text = stdout(&with(&["--out", &out, "--learning-rate", "1e-2,1e30"]));
    let diverged: Vec<&str> = text.lines().filter(|line| line.contains("  diverged  ")).collect();
    assert!(!diverged.is_empty() && text.contains("is not finite"), "{text}");
    assert!(diverged.iter().all(|line| line.contains(" 1e30 ")), "{text}");
    let none = gatenorm(&with(&["--out", &out, "--learning-rate", "1e30", "--norms", "batch_norm"])).assert().code(1);
    let talk = String::from_utf8_lossy(&none.get_output().stderr).into_owned();
    assert!(talk.contains("no trial"), "{talk}");
}

#[test]
fn what_cannot_be_searched_is_refused_by_name() {
    let room = Room::new();
    let (out, folder) = (room.path("out.keras"), room.path("folder"));
    let refused = |rest: &[&str], parts: &[&str]| assert_refused(&[&with(rest)[..], &["--out", &out]].concat(), parts);
    refused(&["--objective", "val_acc"], &["no score `val_acc`", "val_loss, val_accuracy"]);
    refused(&["--dropout", "0.2", "--norms", "layer_norm"], &["layer_norm has no dropout"]);
    refused(&["--learning-rate", "0..1"], &["learning rates", "0 is not above 0"]);
    refused(&["--dropout", "0..1"], &["dropout", "1 is not from 0 to less than 1"]);
    refused(&["--layers", "3..1"], &["layers", "3 is more than 1"]);
    refused(&["--units", "many"], &["`many` is no number", "1e-4..1e-2"]);
    refused(&["--units", "1.5"], &["1.5 is no whole number"]);
    refused(&["--norms", "batchnorm"], &["no variant `batchnorm`", "batch_norm"]);
    refused(&["--budget", "20"], &["20m, 1h30m or 90s"]);
    refused(&["--first-epochs", "10"], &["1 to 9 first epochs"]);
    refused(&["--first-epochs", "3", "--search", "random"], &["--first-epochs is for --search halving"]);
    refused(&["--window", "5"], &["--window"]);
    assert_refused(&with(&[]), &["--out"]);
    let vowels = ["tune", "data/japanese_vowels/JapaneseVowels_TRAIN.ts", "--device", "cpu", "--out", &out];
    assert_refused(&[&vowels[..], &["--norms", "layer_norm"]].concat(), &["--norms layer_norm", "masked"]);
    assert_refused(&[&vowels[..], &["--windows", "5"]].concat(), &["--windows does not fit here"]);
    assert!(!Path::new(&out).exists());

    stdout(&with(&["--folder", &folder, "--epochs", "1", "--trials", "1"]));
    assert_refused(&with(&["--folder", &folder]), &["there is a run in this folder already", "tune --resume"]);
    assert_refused(&["tune", "--resume", &folder, "--trials", "50"], &["--resume goes on", "--trials"]);
    assert_refused(&["tune", "--resume", &room.path("nothing")], &["tune.toml", "cannot read"]);
}
