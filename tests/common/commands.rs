//! The binary under test: its commands, and a folder with files for them.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

pub fn gatenorm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatenorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    // Without it libwayland, which the OpenGL backend asks for a display, complains on stderr.
    command.env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Stdout of a command that ends well.
pub fn stdout(args: &[&str]) -> String {
    let output = gatenorm(args).assert().success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

/// Stdout as the one JSON object that `--json` promises.
pub fn object(args: &[&str]) -> Value {
    let text = stdout(&[args, &["--json"]].concat());
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(value.is_object(), "{text}");
    value
}

/// The command ends with status 2, nothing on stdout, and one paragraph on stderr that holds all of `parts`.
pub fn assert_refused(args: &[&str], parts: &[&str]) {
    let output = gatenorm(args).assert().code(2).get_output().clone();
    let Output { stdout, stderr, .. } = &output;
    let text = String::from_utf8(stderr.clone()).unwrap();
    assert!(stdout.is_empty() && !text.contains("panicked"), "{args:?}: {text}");
    // Lines before the error tell about data and device; clap adds its usage below.
    let (_, message) = text.split_once("error: ").unwrap_or_else(|| panic!("{args:?}: {text}"));
    let message = message.split("\n\n").next().unwrap().trim_end();
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing from: {message}");
    }
}

/// A folder with files to read, and a path for the model.
pub struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    pub fn new() -> Self {
        Room { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub fn names(&self) -> Vec<PathBuf> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names
    }
}

impl Room {
    /// Twenty rows of two columns and a target of two classes.
    pub fn rows(&self) -> String {
        let row = |i: u32| format!("{i},{},{}\n", i * i % 7, if i.is_multiple_of(3) { "yes" } else { "no" });
        self.write("rows.csv", &("a,b,y\n".to_owned() + &(0..20).map(row).collect::<String>()))
    }

    /// Training on `data` with these flags is refused, and leaves nothing behind.
    pub fn assert_train_refused(&self, data: &str, flags: &[&str], parts: &[&str]) {
        let before = self.names();
        let out = self.path("out.keras");
        let args = ["train", data, "--device", "cpu", "--out", &out];
        assert_refused(&[&args[..], flags].concat(), parts);
        assert_eq!(self.names(), before);
    }
}

/// How samples are made of [`Room::rows`].
pub const USUAL: [&str; 4] = ["--target", "y", "--window", "3"];
