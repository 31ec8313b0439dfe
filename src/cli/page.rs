//! `train --report` and `tune --report`: a page that tells of a training, or of a search.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gatenorm::data::Dataset;
use gatenorm::exec::Device;
use gatenorm::formats::atomic;
use gatenorm::search::{Found, Search};
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
    if files.is_empty() {
        return Ok(());
    }
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let report = gatenorm::report::Report {
        title: &format!("Training of {name}"),
        command: &command(),
        facts: &[("system", system()), ("saved as", out.display().to_string())],
        train: told.train,
        validation: told.validation,
        history: told.history,
    };
    let html = report.html(model)?;
    files.iter().try_for_each(|file| save(file, &html))
}

/// Writes the page of a search.
#[cfg(feature = "plots")]
pub fn write_search(file: &Path, search: &Search, found: &Found, again: Option<&str>, device: &Device) -> Result<()> {
    let schedule = super::tune_tables::schedule(search, &search.rungs()?);
    let report = gatenorm::report::SearchReport {
        title: "Search for hyper-parameters",
        command: &command(),
        again,
        facts: &[("schedule", schedule), ("device", device.to_string()), ("system", system())],
        trials: &super::tune_tables::rows(found, search),
        search,
        found,
    };
    save(file, &report.html())
}

/// The command as it was typed.
#[cfg(feature = "plots")]
fn command() -> String {
    let words: Vec<String> = std::env::args().map(|word| super::report::typed(Path::new(&word))).collect();
    words.join(" ")
}

#[cfg(feature = "plots")]
fn system() -> String {
    format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(feature = "plots")]
fn save(file: &Path, html: &str) -> Result<()> {
    use std::io::Write;

    atomic::write_file(file, |file| file.write_all(html.as_bytes()))?;
    super::report::talk!("report   {}", file.display());
    Ok(())
}

/// Shows a page in the browser. Where none can be opened, that is said and no more: the training is over and saved.
pub fn open(file: &Path) {
    let Err(error) = open::that_detached(file) else { return };
    let place = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    super::report::talk!("--open: there is no browser to open here ({error}); the page is in {}", place.display());
}

/// Without plots there are no pages.
#[cfg(not(feature = "plots"))]
pub fn write_search(_: &Path, _: &Search, _: &Found, _: Option<&str>, _: &Device) -> Result<()> {
    Ok(())
}

/// Without plots there are no pages.
#[cfg(not(feature = "plots"))]
pub fn write(_: &[&Path], _: &Path, _: &mut Model, _: Told<'_>) -> Result<()> {
    Ok(())
}
