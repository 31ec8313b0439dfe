//! What `gatenorm tune` prints.

use gatenorm::search::{Ended, Found, Method, Rung, Search, Trial};
use gatenorm::train::Scores;

use super::report::duration;
use super::table::table;

/// The schedule in words.
pub fn schedule(search: &Search, rungs: &[Rung]) -> String {
    let name = &search.objective.name;
    let trained: usize = rungs
        .iter()
        .scan(0, |before, rung| {
            let more = rung.trials * (rung.epochs - *before);
            *before = rung.epochs;
            Some(more)
        })
        .sum();
    match (search.method, rungs) {
        (Method::Halving { .. }, [first, rest @ ..]) if !rest.is_empty() => {
            let rest: Vec<String> =
                rest.iter().map(|rung| format!("the best {} to {}", rung.trials, rung.epochs)).collect();
            let all = search.trials * search.epochs;
            format!(
                "{} trials by {name}, successive halving: all to {}, {}; {trained} epochs instead of {all}",
                first.trials,
                counted(first.epochs),
                rest.join(", ")
            )
        }
        _ => format!("{} trials by {name}, {} each", search.trials, counted(search.epochs)),
    }
}

/// A trial in a line.
pub fn line(trial: &Trial, search: &Search, best: bool) -> String {
    let width = search.trials.to_string().len();
    let name = &search.objective.name;
    let what = match outcome(&trial.ended) {
        Some(words) => words,
        None => match trial.score(name) {
            Some(value) => {
                format!("{name} {}{}", Scores::figure(name, value), if best { " (best so far)" } else { "" })
            }
            None => format!("no {name} yet"),
        },
    };
    let (number, trials, epochs) = (trial.trial, search.trials, trial.epochs);
    let (drawn, took) = (&trial.hyperparameters, duration(trial.seconds));
    format!("trial {number:>width$}/{trials}  {:<9}  {what}  {drawn}  {took}", counted(epochs))
}

/// `1 epoch`, `3 epochs`
fn counted(epochs: usize) -> String {
    format!("{epochs} epoch{}", if epochs == 1 { "" } else { "s" })
}

/// How it failed, where it did.
fn outcome(ended: &Ended) -> Option<String> {
    match ended {
        Ended::Diverged(_) => Some("diverged".to_owned()),
        Ended::Refused(_) => Some("refused".to_owned()),
        Ended::Whole | Ended::Budget | Ended::Interrupted => None,
    }
}

/// All trials, the best first; below the reasons of those that failed.
pub fn trials(found: &Found, search: &Search) -> String {
    let reasons = found.trials.iter().filter_map(|trial| match &trial.ended {
        Ended::Diverged(why) | Ended::Refused(why) => Some(format!("\ntrial {}: {why}", trial.trial)),
        Ended::Whole | Ended::Budget | Ended::Interrupted => None,
    });
    table(&rows(found, search)) + &reasons.collect::<String>()
}

/// A line for each trial, behind that of the columns' names.
pub fn rows(found: &Found, search: &Search) -> Vec<Vec<String>> {
    let name = &search.objective.name;
    let windows = search.space.windows.len() > 1;
    let recurrent = search.space.recurrent_dropout.most() > 0.0;
    let mut others: Vec<&String> =
        found.trials.iter().flat_map(|trial| trial.scores.keys()).filter(|n| *n != name).collect();
    others.sort();
    others.dedup();
    // What trials are measured on comes before what they trained to.
    others.sort_by_key(|name| !name.starts_with("val_"));
    let mut head = vec!["trial", "units", "norm", "rate", "dropout"];
    head.extend(recurrent.then_some("recurrent"));
    head.extend(windows.then_some("window"));
    head.extend(["batch", "epochs", "best at", name]);
    head.extend(others.iter().map(|name| name.as_str()));
    head.push("time");
    let row = |trial: &Trial| {
        let drawn = &trial.hyperparameters;
        let share = |share: f64| if drawn.norm.is_behind() { share.to_string() } else { "-".to_owned() };
        let figure = |name: &String| trial.score(name).map_or("-".to_owned(), |value| Scores::figure(name, value));
        let mut row =
            vec![trial.trial.to_string(), drawn.units(), drawn.norm.to_string(), drawn.rate(), share(drawn.dropout)];
        row.extend(recurrent.then(|| share(drawn.recurrent_dropout)));
        row.extend(drawn.window.filter(|_| windows).map(|window| window.to_string()));
        let best = if trial.best_epoch > 0 { trial.best_epoch.to_string() } else { "-".to_owned() };
        row.extend([drawn.batch_size.to_string(), epochs(trial), best]);
        row.push(outcome(&trial.ended).unwrap_or_else(|| figure(name)));
        row.extend(others.iter().map(|name| figure(name)));
        row.push(duration(trial.seconds));
        row
    };
    let head = head.into_iter().map(str::to_owned).collect();
    std::iter::once(head).chain(found.trials.iter().map(row)).collect()
}

/// How long it has trained, and whether it was to train longer.
fn epochs(trial: &Trial) -> String {
    match trial.ended {
        Ended::Budget | Ended::Interrupted => format!("{} (cut off)", trial.epochs),
        _ => trial.epochs.to_string(),
    }
}
