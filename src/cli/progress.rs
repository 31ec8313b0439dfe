//! Progress of training on stderr: a bar on a terminal, else a line an epoch.

use std::io::{IsTerminal, stderr};
use std::time::Instant;

use gatenorm::model::grouped;
use gatenorm::train::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use super::report::{duration, talk};

/// Shows what `fit` tells.
pub struct Show {
    /// While an epoch runs, on a terminal.
    bar: Option<ProgressBar>,
    terminal: bool,
    epoch_began: Instant,
}

impl Show {
    /// Shows nothing yet.
    pub fn new() -> Self {
        Show { bar: None, terminal: stderr().is_terminal(), epoch_began: Instant::now() }
    }

    /// Takes what `fit` tells.
    pub fn on(&mut self, progress: &Progress<'_>) {
        if progress.epoch_done {
            self.end_epoch(progress);
        } else if self.terminal {
            self.draw(progress);
        }
    }

    fn end_epoch(&mut self, progress: &Progress<'_>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.epoch_began.elapsed().as_secs_f64();
        talk!("{}  {}  {}", title(progress), progress.scores, duration(seconds));
        self.epoch_began = Instant::now();
    }

    fn draw(&mut self, progress: &Progress<'_>) {
        let bar = self.bar.get_or_insert_with(|| new_bar(progress));
        let per_second = progress.step as f64 / self.epoch_began.elapsed().as_secs_f64().max(1e-9);
        let left = (progress.epochs - progress.epoch) * progress.steps + progress.steps - progress.step;
        let seconds = (left as f64 / per_second).round() as u64;
        let rate = if per_second < 10.0 { format!("{per_second:.1}") } else { grouped(per_second as usize) };
        let (scores, minutes) = (progress.scores, seconds / 60);
        bar.set_position(progress.step as u64);
        bar.set_message(format!("{rate} steps/s  {scores}  eta {minutes}:{:02}", seconds % 60));
    }
}

fn new_bar(progress: &Progress<'_>) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}  {bar:16}  {pos}/{len}  {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─");
    ProgressBar::new(progress.steps as u64).with_style(style).with_prefix(title(progress))
}

/// `epoch  3/10`
fn title(progress: &Progress<'_>) -> String {
    let width = progress.epochs.to_string().len();
    format!("epoch {:>width$}/{}", progress.epoch, progress.epochs)
}
