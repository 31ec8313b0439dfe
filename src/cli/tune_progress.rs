//! Progress of a search on stderr: a line for each trial, and on a terminal one for the epoch.

use std::io::{IsTerminal, stderr};

use gatenorm::search::{Rung, Search, Trial};
use gatenorm::train::Scores;
use indicatif::{ProgressBar, ProgressStyle};

use super::report::talk;
use super::tune_tables::line;

/// Shows what a search tells.
pub struct Progress<'a> {
    search: &'a Search,
    /// On a terminal.
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Shows nothing yet.
    pub fn new(search: &'a Search) -> Self {
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        Progress { search, bar: stderr().is_terminal().then(|| ProgressBar::new_spinner().with_style(style)) }
    }

    /// An epoch of a trial.
    pub fn show(&self, trial: usize, epoch: usize, rung: Rung, scores: &Scores) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("trial {trial}/{}  epoch {epoch}/{}  {scores}", self.search.trials, rung.epochs));
            bar.tick();
        }
    }

    /// The end of a trial's rung.
    pub fn end(&self, trial: &Trial, best: bool) {
        self.finish();
        talk!("{}", line(trial, self.search, best));
    }

    /// Takes the epoch's line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            bar.reset();
        }
    }
}
