//! Runs with a folder: what is in it, killed and interrupted runs that go on, and runs that are repeated from their options.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gatenorm::train::Checkpoints;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/occupancy/");

fn gatenorm() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gatenorm"))
}

/// A training of some seconds into this folder, which has its run in `run` and its model in `out.keras`.
fn train(folder: &Path, epochs: &str) -> Command {
    let mut command = gatenorm();
    command.args(["train", &format!("{DATA}datatraining.txt"), "--validation", &format!("{DATA}datatest.txt")]);
    command.args(["--target", "Occupancy", "--window", "10", "--units", "16,8", "--device", "cpu", "--dropout", "0.2"]);
    command.args([
        "--epochs",
        epochs,
        "--keep",
        "best",
        "--reduce-lr-on-plateau",
        "2",
        "--checkpoint-minutes",
        "0.0005",
    ]);
    command.arg("--out").arg(folder.join("out.keras")).arg("--checkpoint").arg(folder.join("run"));
    command
}

fn resume(folder: &Path) -> Command {
    let mut command = gatenorm();
    command.arg("train").arg("--resume").arg(folder.join("run"));
    command
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[track_caller]
fn fails(mut command: Command, words: &[&str]) {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is missing from: {text}"));
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn bytes(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_run_that_is_killed_twenty_times_ends_with_the_same_model() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    const EPOCHS: &str = "60";
    succeeds(train(whole.path(), EPOCHS));
    for kill in 0..20 {
        let again = cut.path().join("run/run.toml").exists();
        let mut child = start(if again { resume(cut.path()) } else { train(cut.path(), EPOCHS) });
        std::thread::sleep(Duration::from_millis(20 + kill * 73 % 190));
        assert!(child.try_wait().unwrap().is_none(), "it ended before kill {kill}: too short a run for this test");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(
        cut.path().join("run").join(Checkpoints::LAST).exists(),
        "none of these was killed before its first checkpoint"
    );
    succeeds(resume(cut.path()));
    assert!(bytes(cut.path().join("out.keras")) == bytes(whole.path().join("out.keras")), "the models differ");
    for history in ["run/history.csv", "run/history.jsonl"] {
        assert_eq!(bytes(cut.path().join(history)), bytes(whole.path().join(history)), "{history}");
    }
    let left = files(&cut.path().join("run"));
    assert_eq!(left, files(&whole.path().join("run")), "nothing half-written is left");
}

#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let child = train(folder.path(), "2000").stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path().join("run").join(Checkpoints::LAST).exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{text}");
    for words in ["finishing the batch", "saved", "gatenorm train --resume"] {
        assert!(text.contains(words), "`{words}` is missing from: {text}");
    }
    let mut evaluate = gatenorm();
    evaluate.arg("evaluate").arg(folder.path().join("out.keras")).arg(format!("{DATA}datatest.txt"));
    succeeds(evaluate);
    let mut child = start(resume(folder.path()));
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_folder_tells_of_its_run_which_is_repeated_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(train(folder.path(), "2"));
    let run = folder.path().join("run");
    let config = run.join("run.toml");
    assert!(text.contains(&format!("again: gatenorm train --config {}", config.display())), "{text}");
    let names = files(&run);
    for name in ["best.keras", "environment.json", "history.csv", "history.jsonl", "last.keras", "run.toml"] {
        assert!(names.iter().any(|n| n == name), "{name} is missing: {names:?}");
    }
    let out = |name: &str| folder.path().join(name);
    let mut again = gatenorm();
    again.arg("train").arg("--config").arg(&config).arg("--out").arg(out("again.keras"));
    succeeds(again);
    assert!(bytes(out("again.keras")) == bytes(out("out.keras")), "the same options give the same model");
    // What is typed goes before the file.
    let mut other = gatenorm();
    other.arg("train").arg("--config").arg(&config).arg("--out").arg(out("other.keras")).args(["--epochs", "1"]);
    assert!(succeeds(other).contains("epoch 1/1"));

    fails(train(folder.path(), "2"), &["there is a run in this folder already", "--resume"]);
    let mut changed = resume(folder.path());
    changed.args(["--epochs", "3"]);
    fails(changed, &["--epochs", "--config"]);
    std::fs::write(&config, "epochs = [1]\nwindws = 10\n").unwrap();
    fails(resume(folder.path()), &["run.toml", "`windws` is no option of `gatenorm train`"]);
    std::fs::write(&config, "keep = true\n").unwrap();
    fails(resume(folder.path()), &["run.toml", "`keep`", "no text and no number"]);
    let mut unsaved = gatenorm();
    unsaved.args([
        "train",
        &format!("{DATA}datatest.txt"),
        "--target",
        "Occupancy",
        "--window",
        "2",
        "--device",
        "cpu",
    ]);
    unsaved.args(["--checkpoint-every", "2", "--out"]).arg(out("unsaved.keras"));
    fails(unsaved, &["--checkpoint-every", "Give it a folder with --checkpoint"]);
    let mut nowhere = gatenorm();
    nowhere.arg("train").arg("--resume").arg(out("nowhere"));
    fails(nowhere, &["run.toml", "cannot read"]);
}
