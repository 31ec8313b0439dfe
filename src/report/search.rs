//! A search for hyper-parameters as one page of HTML.

use super::curves;
use super::page::Page;
use crate::plot::Figure;
use crate::search::{Ended, Found, Search, Trial};
use crate::train::{Epoch, History, Scores};

/// What a page tells of a search.
pub struct SearchReport<'a> {
    /// The line above it.
    pub title: &'a str,
    /// The command that was run.
    pub command: &'a str,
    /// The command that trains the best trial again, where there is one.
    pub again: Option<&'a str>,
    /// Facts, as name and value.
    pub facts: &'a [(&'a str, String)],
    /// The table of trials, a line each, with the names of its columns in the first.
    pub trials: &'a [Vec<String>],
    /// What was searched.
    pub search: &'a Search,
    /// What was found.
    pub found: &'a Found,
}

impl SearchReport<'_> {
    /// The page.
    pub fn html(&self) -> String {
        let mut page = Page::new(self.title);
        let best = self.found.best(&self.search.objective);
        page.note(self.outcome(best));
        page.heading("Trials");
        if let [names, rows @ ..] = self.trials {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            page.table(&names, rows.iter().cloned());
        }
        for (trial, why) in self.found.trials.iter().filter_map(|trial| Some((trial.trial, failure(&trial.ended)?))) {
            page.note(format!("trial {trial}: {why}"));
        }
        if let Some(best) = best {
            page.heading(&format!("Curves of trial {}, the best", best.trial));
            page.pictures(curves(&history(best)).iter().map(Figure::to_svg));
            page.note("The best of many looks better on what chose it than it is: measure it on other data.");
        }
        page.heading("How it was made");
        page.code(self.command);
        if let Some(again) = self.again {
            page.note("The best trial trains again, to its best epoch, by");
            page.code(again);
        }
        page.facts(&[self.facts, &[("gatenorm", env!("CARGO_PKG_VERSION").to_owned())]].concat());
        page.finish()
    }

    fn outcome(&self, best: Option<&Trial>) -> String {
        let Found { trials, cut } = self.found;
        let epochs: usize = trials.iter().map(|trial| trial.epochs).sum();
        let seconds: f64 = trials.iter().map(|trial| trial.seconds).sum();
        let cut = match cut {
            None => "",
            Some(Ended::Budget) => ", then the time was up",
            Some(_) => ", then interrupted",
        };
        let name = &self.search.objective.name;
        let best = match best.and_then(|best| Some((best, best.score(name)?))) {
            None => "no trial has a finite score".to_owned(),
            Some((best, value)) => format!(
                "the best {name}, {}, was that of trial {} after {} epochs",
                Scores::figure(name, value),
                best.trial,
                best.best_epoch
            ),
        };
        format!("{} trials, {epochs} epochs in {seconds:.1} s{cut}; {best}.", trials.len())
    }
}

/// Why a trial has no score.
fn failure(ended: &Ended) -> Option<&str> {
    match ended {
        Ended::Diverged(why) | Ended::Refused(why) => Some(why),
        Ended::Whole | Ended::Budget | Ended::Interrupted => None,
    }
}

/// A trial's epochs.
fn history(trial: &Trial) -> History {
    let named = |(name, value): (&String, &Option<f64>)| (name.clone(), value.unwrap_or(f64::NAN));
    let epoch = |(i, scores): (usize, &std::collections::BTreeMap<_, _>)| Epoch {
        epoch: i + 1,
        scores: Scores(scores.iter().map(named).collect()),
        seconds: 0.0,
    };
    History { epochs: trial.history.iter().enumerate().map(epoch).collect(), ..History::default() }
}
