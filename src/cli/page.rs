//! `train --report`: a page that tells of a training.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gatenorm::data::Dataset;
use gatenorm::formats::atomic;
use gatenorm::train::{History, Model};

use super::options::keep_apart;

/// In a run's folder.
pub const FILE: &str = "report.html";

/// What a page tells of.
#[cfg_attr(not(feature = "plots"), allow(dead_code, reason = "without plots there are no pages"))]
pub struct Told<'a> {
    pub history: &'a History,
    pub train: &'a Dataset,
    pub validation: Option<&'a Dataset>,
}

/// Finds out whether the page can be written, before training.
pub fn check(file: Option<&Path>, read: &[Option<&PathBuf>]) -> gatenorm::Result<()> {
    let Some(file) = file else { return Ok(()) };
    if cfg!(not(feature = "plots")) {
        return Err(gatenorm::Error::usage("--report needs a gatenorm that was built with the feature `plots`"));
    }
    keep_apart("--report", file, read)?;
    atomic::check(file)
}

/// Writes the page into each of these files.
#[cfg(feature = "plots")]
pub fn write(files: &[&Path], out: &Path, model: &mut Model, told: Told<'_>) -> Result<()> {
    use std::io::Write;

    if files.is_empty() {
        return Ok(());
    }
    let words: Vec<String> = std::env::args().map(|word| super::report::typed(Path::new(&word))).collect();
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let system = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    let report = gatenorm::report::Report {
        title: &format!("Training of {name}"),
        command: &words.join(" "),
        facts: &[("system", system), ("saved as", out.display().to_string())],
        train: told.train,
        validation: told.validation,
        history: told.history,
    };
    let html = report.html(model)?;
    for file in files {
        atomic::write_file(file, |file| file.write_all(html.as_bytes()))?;
        super::report::talk!("report   {}", file.display());
    }
    Ok(())
}

/// Shows a page in the browser. Where there is none, that is said and no more: the training is over and saved.
pub fn open(file: &Path) {
    if let Err(error) = open::that_detached(file) {
        super::report::talk!("--open: no browser opened {}: {error}", file.display());
    }
}

/// Without plots there are no pages.
#[cfg(not(feature = "plots"))]
pub fn write(_: &[&Path], _: &Path, _: &mut Model, _: Told<'_>) -> Result<()> {
    Ok(())
}
