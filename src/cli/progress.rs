//! Progress of training on stderr: a bar on a terminal, else a line an epoch.

use std::io::{IsTerminal, stderr};
use std::time::Instant;

use gatenorm::Result;
use gatenorm::model::grouped;
use gatenorm::train::{Batches, Callback, Scores, Training};
use indicatif::{ProgressBar, ProgressStyle};

use super::report::{duration, talk};

/// Shows what `fit` tells.
pub struct Show {
    /// While an epoch runs, on a terminal.
    bar: Option<ProgressBar>,
    terminal: bool,
    epoch: usize,
    epoch_began: Instant,
}

impl Show {
    /// Shows nothing yet.
    pub fn new() -> Self {
        Show { bar: None, terminal: stderr().is_terminal(), epoch: 0, epoch_began: Instant::now() }
    }

    fn draw(&mut self, step: usize, scores: &Scores, training: &Training<'_>) {
        let title = title(self.epoch, training);
        let bar = self.bar.get_or_insert_with(|| new_bar(title, training.steps));
        let per_second = step as f64 / self.epoch_began.elapsed().as_secs_f64().max(1e-9);
        let epochs = training.epochs.saturating_sub(self.epoch + 1);
        let left = epochs * training.steps + training.steps.saturating_sub(step);
        let seconds = (left as f64 / per_second).round() as u64;
        let rate = if per_second < 10.0 { format!("{per_second:.1}") } else { grouped(per_second as usize) };
        bar.set_position(step as u64);
        let memory = training.model.device_memory().total().div_ceil(1 << 20);
        bar.set_message(format!(
            "{rate} steps/s  {scores}  {memory} MiB on the device  eta {}:{:02}",
            seconds / 60,
            seconds % 60
        ));
    }
}

impl Callback for Show {
    fn batches(&self) -> Batches {
        if self.terminal { Batches::Bunched } else { Batches::None }
    }

    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Training<'_>) -> Result<()> {
        (self.epoch, self.epoch_began) = (epoch, Instant::now());
        Ok(())
    }

    fn on_batch_end(&mut self, batch: usize, logs: &Scores, training: &mut Training<'_>) -> Result<()> {
        self.draw(batch + 1, logs, training);
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.epoch_began.elapsed().as_secs_f64();
        talk!("{}  {logs}  {}", title(epoch, training), duration(seconds));
        Ok(())
    }
}

fn new_bar(title: String, steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}  {bar:16}  {pos}/{len}  {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─");
    ProgressBar::new(steps as u64).with_style(style).with_prefix(title)
}

/// `epoch  3/10`
fn title(epoch: usize, training: &Training<'_>) -> String {
    let width = training.epochs.to_string().len();
    format!("epoch {:>width$}/{}", epoch + 1, training.epochs)
}
