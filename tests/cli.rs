//! The binary as people and programs meet it: exit status, stdout, stderr, and the files it leaves.

#[path = "common/commands.rs"]
mod commands;

use std::fs;
use std::path::Path;

use predicates::prelude::*;
use serde_json::Value;

use commands::{Room, USUAL, assert_refused, gatenorm, object, stdout};

const OCCUPANCY: &str = "data/occupancy/datatraining.txt";

#[test]
fn help_and_version_are_there_for_every_command() {
    gatenorm(&[]).assert().code(2).stderr(predicate::str::contains("Usage: gatenorm"));
    assert!(stdout(&["--version"]).starts_with("gatenorm "));
    for command in ["train", "evaluate", "predict", "summary", "devices", "demo", "verify", "tune-kernels"] {
        let help = stdout(&[command, "--help"]);
        assert!(help.contains(&format!("Example:\n  gatenorm {command}")), "{help}");
    }
}

#[test]
fn the_demo_runs_the_lesson() {
    let demo = ["demo", "--epochs", "1", "--device", "cpu"];
    let output = gatenorm(&demo).assert().success().get_output().clone();
    let (out, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.starts_with("Test Loss: 0.") && out.contains("\nTest Accuracy: 0."), "{out}");
    assert!(out.contains("Predictions for") && out.contains("about 0.5 is right"), "{out}");
    assert!(talk.contains("device   CPU, f32\n") && talk.contains("epoch 1/1  loss 0."), "{talk}");

    let value = object(&demo);
    let accuracy = value["test_accuracy"].as_f64().unwrap();
    assert!((0.35..0.65).contains(&accuracy), "{value}");
    assert!(value["predictions"].as_array().unwrap().iter().all(|p| (0.0..1.0).contains(&p.as_f64().unwrap())));
    assert_eq!(object(&demo)["test_loss"], value["test_loss"], "the same seed gives the same bits");
    assert_ne!(object(&[&demo[..], &["--seed", "1"]].concat())["test_loss"], value["test_loss"]);
}

#[test]
fn devices_say_what_auto_takes() {
    assert!(stdout(&["devices"]).contains("--device auto takes"));
    let value = object(&["devices"]);
    assert!(value["adapters"].is_array() && (value["auto"] == "cpu" || value["auto"].is_u64()), "{value}");
}

#[test]
fn data_that_cannot_be_used_is_refused_with_the_cure() {
    let room = Room::new();
    let refused = |name: &str, content: &str, flags: &[&str], parts: &[&str]| {
        let path = room.write(name, content);
        room.assert_train_refused(&path, flags, &[parts, &[name]].concat());
    };
    refused("empty.csv", "", &USUAL, &["is empty", "needs a line of column names"]);
    refused("header.csv", "a,y\n", &USUAL, &["a header and no rows", "Add rows"]);
    refused("word.csv", "a,b,y\n1,2,0\n1,warm,1\n", &USUAL, &["line 3", "column `b`", "`warm`", "--columns a"]);
    refused("nan.csv", "a,b,y\n1,2,0\nNaN,3,1\n", &USUAL, &["line 3", "column `a`", "missing", "Remove the row"]);
    refused("three.csv", "a,y\n1,2\n1,3\n2,4\n", &USUAL, &["line 4", "two classes", "--loss mean_squared_error"]);
    let rows = room.rows();
    let train = |flags: &[&str], parts: &[&str]| room.assert_train_refused(&rows, flags, parts);
    train(&["--target", "y", "--window", "21"], &["has 20 rows", "`--window 20` or less"]);
    train(&["--target", "yy", "--window", "3"], &["no target `yy`", "Did you mean `y`?"]);
    train(&["--window", "3"], &["which column is the target?", "--target"]);
    train(&["--target", "y"], &["--window 10"]);
    train(&[&USUAL[..], &["--columns", "a,c"]].concat(), &["no column `c`", "`a`, `b`, `y`"]);
    train(&[&USUAL[..], &["--validation", &room.path("gone.csv")]].concat(), &["gone.csv", "no such file"]);
    room.assert_train_refused(&room.path("gone.csv"), &USUAL, &["gone.csv", "no such file"]);
}

#[test]
fn a_model_file_that_cannot_be_written_is_refused_before_training() {
    let room = Room::new();
    let rows = room.rows();
    let refused = |out: &str, parts: &[&str]| {
        let before = room.names();
        assert_refused(&[&["train", &rows, "--device", "cpu", "--out", out], &USUAL[..]].concat(), parts);
        assert_eq!(room.names(), before);
    };
    refused(&room.path("no/such/room.keras"), &["does not exist", "create it first"]);
    refused(&room.path(""), &["is a folder", "name of a file"]);
    refused(&rows, &["would overwrite", "Give another name"]);
    assert!(fs::read_to_string(&rows).unwrap().starts_with("a,b,y\n"));
    assert_refused(&["demo", "--device", "cpu", "--out", &room.path("no/room.keras")], &["create it first"]);
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_refused_before_training() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::new();
    let (rows, locked) = (room.rows(), room.path("locked"));
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(Path::new(&locked).join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write to read-only folders");
        return;
    }
    let out = format!("{locked}/room.keras");
    assert_refused(&[&["train", &rows, "--device", "cpu", "--out", &out], &USUAL[..]].concat(), &["no permission"]);
}

#[test]
fn wrong_options_are_refused_with_the_range() {
    let room = Room::new();
    let rows = room.rows();
    for (flags, parts) in [
        (&["--momentum", "0.9"][..], &["--momentum", "--optimizer sgd"][..]),
        (&["--nesterov"], &["--nesterov", "--optimizer sgd"]),
        (&["--nesterov", "--optimizer", "sgd"], &["--nesterov", "--momentum 0.9"]),
        (&["--momentum", "1", "--optimizer", "sgd"], &["--momentum", "less than 1"]),
        (&["--units", "0"], &["--units", "from 1 to 16384"]),
        (&["--units", "64,16385"], &["--units", "from 1 to 16384"]),
        (&["--epochs", "0"], &["--epochs", "at least 1"]),
        (&["--epochs", "-3"], &["--epochs", "at least 1"]),
        (&["--batch-size", "0"], &["--batch-size", "at least 1"]),
        (&["--stride", "0"], &["--stride", "at least 1"]),
        (&["--learning-rate", "0"], &["--learning-rate", "above 0"]),
        (&["--learning-rate", "-1"], &["--learning-rate", "above 0"]),
        (&["--learning-rate", "nan"], &["--learning-rate", "above 0"]),
        (&["--validation-split", "1"], &["--validation-split", "between 0 and 1"]),
        (&["--loss", "hinge"], &["--loss", "binary_crossentropy, sparse_categorical_crossentropy, mean_squared_error"]),
        (&["--optimizer", "ftrl"], &["--optimizer", "adam, adamw, sgd, rmsprop, nadam, adagrad, lion"]),
        (&["--unit", "3"], &["unexpected argument '--unit'"]),
        (&["--units", "3", "--model", "other.keras"], &["--units", "cannot be used with '--model"]),
    ] {
        room.assert_train_refused(&rows, &[&USUAL[..], flags].concat(), parts);
    }
    let nowhere = ["train", &rows, "--device", "no such card", "--out", &room.path("out.keras")];
    assert_refused(&[&nowhere[..], &USUAL].concat(), &["no device `no such card`", "cpu", "gatenorm devices"]);
    assert_refused(&["demo", "--device", "99"], &["no device `99`", "gatenorm devices"]);
    assert_refused(&["practise"], &["unrecognized subcommand"]);
}

#[test]
fn training_that_diverges_saves_nothing() {
    let room = Room::new();
    let row = |i: u32| format!("{}e37,{}e37\n", i % 3, i % 5);
    let data = room.write("huge.csv", &("a,y\n".to_owned() + &(0..60).map(row).collect::<String>()));
    let out = room.write("out.keras", "the model of yesterday");
    let args = ["train", &data, "--device", "cpu", "--loss", "mean_squared_error", "--no-scaling", "--out", &out];
    let refused = gatenorm(&[&args[..], &USUAL].concat()).assert().code(1).get_output().clone();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("nothing was saved") && text.contains("diverged at step"), "{text}");
    assert!(text.contains("Lower the learning rate") && refused.stdout.is_empty(), "{text}");
    assert_eq!(fs::read_to_string(out).unwrap(), "the model of yesterday");
}

/// A model trained on the rows for an epoch.
fn trained(room: &Room) -> (String, String) {
    let (rows, out) = (room.rows(), room.path("room.keras"));
    let args = ["train", &rows, "--device", "cpu", "--units", "4", "--epochs", "1", "--out", &out];
    gatenorm(&[&args[..], &USUAL].concat()).assert().success();
    (rows, out)
}

#[test]
fn a_model_is_trained_on_real_data_evaluated_and_asked() {
    let room = Room::new();
    let out = room.path("room.keras");
    let test = "data/occupancy/datatest.txt";
    let train = ["train", OCCUPANCY, "--target", "Occupancy", "--window", "10", "--validation", test];
    let rest = ["--epochs", "1", "--device", "cpu", "--units", "16", "--out", &out];
    let output = gatenorm(&[&train[..], &rest].concat()).assert().success().get_output().clone();
    let (result, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(talk.contains("data     8,134 windows of 10 x 5 (Temperature, Humidity, Light"), "{talk}");
    assert!(talk.contains("-> Occupancy: 79 % 0, 21 % 1\n") && talk.contains("2,656 windows to validate"), "{talk}");
    assert!(talk.contains("model    Normalization -> LSTM 16 -> BatchNormalization -> Dense 1 sigmoid;"), "{talk}");
    assert!(talk.contains("epoch 1/1  loss 0.") && talk.contains("val_accuracy 0."), "{talk}");
    assert!(talk.contains(&format!("next: gatenorm evaluate {out} {test}")), "{talk}");
    assert!(result.starts_with("done in ") && result.contains("; best val_loss 0."), "{result}");
    assert!(result.ends_with(&format!("saved {out}\n")), "{result}");

    let scores = object(&["evaluate", &out, "data/occupancy/datatest2.txt", "--device", "cpu"]);
    assert_eq!(scores["samples"], 9752 - 9);
    assert!(scores["accuracy"].as_f64().unwrap() > 0.85 && scores["loss"].is_f64(), "{scores}");
    let told = stdout(&["evaluate", &out, test, "--device", "cpu", "--batch-size", "100"]);
    assert!(told.starts_with("loss 0.") && told.contains("accuracy 0."), "{told}");
    let csv = stdout(&["predict", &out, test, "--device", "cpu"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2657, "row,probability,class"));
    assert!(lines[1].starts_with("11,0."), "the tenth row stands in line 11: {}", lines[1]);
}

#[test]
fn a_model_takes_rows_without_a_target_and_names_its_classes() {
    let room = Room::new();
    let (_, model) = trained(&room);
    let new = room.write("new.csv", "b,a\n1,2\n3,4\n5,6\n7,8\n");
    let value = object(&["predict", &model, &new, "--device", "cpu"]);
    assert_eq!(value["samples"], 2);
    let first = &value["predictions"][0];
    assert!(first["row"] == 4 && (first["class"] == "no" || first["class"] == "yes"), "{value}");
    let out = room.path("out.csv");
    assert_eq!(stdout(&["predict", &model, &new, "--device", "cpu", "--out", &out]), "");
    assert_eq!(fs::read_to_string(&out).unwrap(), stdout(&["predict", &model, &new, "--device", "cpu"]));
    let over = ["predict", &model, &new, "--device", "cpu", "--out", &new];
    assert_refused(&over, &["would overwrite"]);
    let none = room.write("none.csv", "a,c\n1,2\n3,4\n5,6\n");
    assert_refused(&["predict", &model, &none, "--device", "cpu"], &["no column `b`"]);
    assert_refused(&["evaluate", &model, &new, "--device", "cpu"], &["no target `y`"]);
}

#[test]
fn a_model_is_trained_on_and_contradictions_are_refused() {
    let room = Room::new();
    let (rows, model) = trained(&room);
    let out = room.path("more.keras");
    let more = ["train", &rows, "--model", &model, "--device", "cpu", "--epochs", "2", "--out", &out];
    let value = object(&more);
    assert_eq!((&value["samples"], value["epochs"].as_array().unwrap().len()), (&Value::from(18), 2));
    for (flags, parts) in [
        (["--window", "5"], ["--window 5", "--window 3"]),
        (["--stride", "2"], ["--stride 2", "--stride 1"]),
        (["--columns", "b,a"], ["--columns b,a", "--columns a,b"]),
        (["--target", "b"], ["--target b", "--target y"]),
    ] {
        assert_refused(&[&more[..], &flags].concat(), &[&parts[..], &["contradicts", "room.keras"]].concat());
    }
    let agreed = [&more[..], &["--window", "3", "--learning-rate", "0.5", "--keep", "best"]].concat();
    assert!(object(&agreed)["saved_epoch"].is_u64());
    assert_eq!(object(&["summary", &out])["learning_rate"], 0.5);
}

#[test]
fn epochs_in_parts_have_rates_of_their_own() {
    let room = Room::new();
    let (rows, out) = (room.rows(), room.path("parts.keras"));
    let train = ["train", &rows, "--device", "cpu", "--units", "4", "--out", &out];
    let train = [&train[..], &USUAL].concat();
    let value = object(&[&train[..], &["--epochs", "2,1,2", "--learning-rate", "0.5,1e-1,0.25"]].concat());
    let rates: Vec<f64> =
        value["epochs"].as_array().unwrap().iter().map(|e| e["learning_rate"].as_f64().unwrap()).collect();
    assert_eq!(rates, [0.5, 0.5, 0.1, 0.25, 0.25]);
    assert_eq!((&value["saved_epoch"], object(&["summary", &out])["learning_rate"].as_f64()), (&5.into(), Some(0.25)));
    for flags in [["--epochs", "2,1", "--learning-rate", "0.5"], ["--epochs", "3", "--learning-rate", "0.5,0.1"]] {
        assert_refused(&[&train[..], &flags].concat(), &["Give a rate for each", "--epochs 50,20"]);
    }
    assert_refused(&[&train[..], &["--epochs", "2,1"]].concat(), &["--epochs has 2 numbers, --learning-rate 0"]);
}

#[test]
fn a_model_is_shown() {
    let room = Room::new();
    let (_, model) = trained(&room);
    let table = stdout(&["summary", &model]);
    for part in ["lstm (LSTM)", "Total params:", "Columns: a, b -> y (no or yes)", "Window: 3 rows, stride 1"] {
        assert!(table.contains(part), "`{part}` is missing from:\n{table}");
    }
    let value = object(&["summary", &model]);
    assert_eq!((&value["data"]["window"], &value["layers"][1]["class"]), (&Value::from(3), &Value::from("LSTM")));
}

#[test]
fn a_target_of_numbers_is_predicted() {
    let room = Room::new();
    let (rows, out) = (room.rows(), room.path("numbers.keras"));
    let head = ["train", &rows, "--target", "b", "--columns", "a", "--window", "3", "--loss", "mean_squared_error"];
    let tail = ["--units", "4", "--epochs", "1", "--validation-split", "0.3", "--device", "cpu", "--out", &out];
    let value = object(&[&head[..], &tail].concat());
    assert!(value["epochs"][0]["mae"].is_f64() && value["epochs"][0]["val_mae"].is_f64(), "{value}");
    assert_eq!((&value["samples"], &value["validation_samples"]), (&Value::from(13), &Value::from(3)));
    assert!(stdout(&["predict", &out, &rows, "--device", "cpu"]).starts_with("row,prediction\n4,"));
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let room = Room::new();
    let rows = room.rows();
    for command in ["evaluate", "predict"] {
        assert_refused(&[command, &rows, &rows, "--device", "cpu"], &["rows.csv"]);
    }
    assert_refused(&["summary", &room.path("gone.keras")], &["gone.keras"]);
    assert_refused(&["summary", &rows], &["rows.csv"]);
}

#[test]
fn a_model_of_several_inputs_is_shown_but_not_fed_from_a_file() {
    let room = Room::new();
    let (rows, model) = (room.rows(), "tests/fixtures/keras_functional.keras");
    for command in ["evaluate", "predict"] {
        let parts = ["keras_functional.keras", "several inputs (rows, context)", "Dataset::with_input"];
        assert_refused(&[command, model, &rows, "--device", "cpu"], &parts);
    }
    let table = stdout(&["summary", model]);
    assert!(table.contains("Connected to") && table.contains("late[0][0], context[0][0]"), "{table}");
    let value = object(&["summary", model]);
    assert_eq!(value["inputs"][1], serde_json::json!({"name": "context", "shape": [3]}));
}

#[test]
fn the_plan_is_printed_on_request() {
    let room = Room::new();
    let rows = room.rows();
    let out = room.path("out.keras");
    let args = ["train", &rows, "--device", "cpu", "--units", "4", "--epochs", "1", "--dump-plan", "--out", &out];
    // Whether the model can be saved is not asked here.
    let output = gatenorm(&[&args[..], &USUAL].concat()).output().unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    assert!(plan.starts_with("buffer ") && plan.contains("lstm/lstm_sequence") && plan.contains("buffers, "), "{plan}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatenorm"))
        .args(["demo", "--device", "cpu", "--epochs", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("evaluate") && script.contains("checkpoint-minutes"), "{shell}");
    }
    let room = Room::new();
    stdout(&["manual", &room.path("man")]);
    let page = std::fs::read_to_string(room.path("man/gatenorm-train.1")).unwrap();
    assert!(page.contains("checkpoint") && page.contains(".SH OPTIONS"));
    assert_refused(&["completions", "ksh"], &["ksh", "bash"]);
    let file = room.write("file", "");
    assert_refused(&["manual", &file], &["cannot make the folder"]);
}
