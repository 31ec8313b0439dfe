//! How `gatenorm tune` searches.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gatenorm::Error;
use gatenorm::search::{Method, Space};

use super::new_model::LossName;
use super::options::at_least_one;
use super::report::talk;

/// How it is searched.
#[derive(Args)]
#[command(next_help_heading = "Search")]
pub struct CourseFlags {
    /// How many models.
    #[arg(long, value_name = "N", default_value = "30", value_parser = at_least_one, allow_negative_numbers = true)]
    pub trials: usize,
    /// How epochs are shared out among them.
    #[arg(long, value_name = "HOW", default_value = "halving")]
    search: SearchName,
    /// The most epochs of a trial.
    #[arg(long, value_name = "N", default_value = "27", value_parser = at_least_one, allow_negative_numbers = true)]
    pub epochs: usize,
    /// Epochs of all trials, before the best third goes on to three times as many [default: a ninth of --epochs, but 300 training
    /// steps at least where batch normalisation is searched, whose moving averages lag until then].
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    first_epochs: Option<usize>,
    /// The most time that epochs may take, such as 20m, 1h30m or 90s: the epoch that is under way then is the last.
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub budget: Option<Duration>,
    /// What trials are judged by, such as val_accuracy; whether less or more is better is known.
    #[arg(long, value_name = "SCORE", default_value = "val_loss")]
    pub objective: String,
    /// What each trial minimises [default: as `train` does].
    #[arg(long)]
    pub loss: Option<LossName>,
    /// Seed of all drawing. What trial k draws, and its own seed, depend on this and k alone.
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// A folder for the search: its options (tune.toml), what came of its trials (trials.jsonl), their models and the best
    /// (best.keras), and what it needs to go on with --resume.
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    pub folder: Option<PathBuf>,
    /// Go on with the search in this folder: nothing else needs to be said. A --budget is for all sittings together.
    #[arg(long, value_name = "FOLDER")]
    pub resume: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum SearchName {
    /// Successive halving (Jamieson and Talwalkar 2016): all trials train for a few epochs, the best third for three times as many, and
    /// so on. The default, since it looks at several times as many models in the same time. Low learning rates begin slowly:
    /// --first-epochs gives them more
    Halving,
    /// All epochs for every trial: for trainings whose beginning says little of their end
    Random,
}

/// `20m`, `1h30m`, `90s`
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time above 0, such as 20m, 1h30m or 90s".to_owned();
    let (mut seconds, mut number) = (0.0, String::new());
    for c in text.trim().chars() {
        let unit = match c {
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => {
                number.push(c);
                continue;
            }
        };
        seconds += unit * std::mem::take(&mut number).trim().parse::<f64>().map_err(|_| wrong())?;
    }
    let all_said = number.is_empty() && seconds > 0.0;
    Duration::try_from_secs_f64(seconds).ok().filter(|_| all_said).ok_or_else(wrong)
}

impl CourseFlags {
    /// How epochs are shared out among trials of this space, over so many samples.
    ///
    /// Errors: first epochs of a random search.
    pub fn method(&self, space: &Space, samples: usize) -> gatenorm::Result<Method> {
        match (self.search, self.first_epochs) {
            (SearchName::Random, Some(_)) => Err(Error::usage("--first-epochs is for --search halving. Leave it out")),
            (SearchName::Random, None) => Ok(Method::Random),
            (SearchName::Halving, Some(first_epochs)) => Ok(Method::Halving { factor: Method::FACTOR, first_epochs }),
            (SearchName::Halving, None) => {
                let settling = space.settling_epochs(samples);
                if settling > self.epochs / 9 && settling > 1 {
                    talk!(
                        "         halving begins after 300 training steps, which moving averages of batch normalisation need to settle; --first-epochs says otherwise"
                    );
                }
                Ok(Method::halving(self.epochs, settling))
            }
        }
    }

    /// The folder that stays, where there is one.
    pub fn kept(&self) -> Option<&PathBuf> {
        self.folder.as_ref().or(self.resume.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let seconds = |text: &str| time(text).map(|time| time.as_secs_f64());
        assert_eq!(
            ["90s", "20m", "1h30m", "0.5h", " 1m 30s "].map(seconds),
            [90.0, 1200.0, 5400.0, 1800.0, 90.0].map(Ok)
        );
        for wrong in ["", "20", "m", "1h30", "-5m", "0s", "1d", "nanm", "infs", "1e300h"] {
            time(wrong).unwrap_err();
        }
    }
}
