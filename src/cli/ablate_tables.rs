//! The tables of `gatenorm ablate`.

use gatenorm::ablate::{Run, Spread, Summary};

use super::table::table;

/// One run in a line.
pub fn run(run: &Run) -> String {
    let (variant, rate, seed) = (run.variant, run.rate, run.seed);
    let what = match (&run.diverged, run.last("loss")) {
        (Some(diverged), _) => format!("diverged in epoch {}: {}", diverged.epoch, diverged.reason),
        (None, Some(loss)) => format!("loss {loss:.4}"),
        (None, None) => "no epoch ended".to_owned(),
    };
    format!("{variant} rate {rate} seed {seed}  {what}")
}

/// A line for each variant and learning rate.
pub fn cells(summary: &Summary) -> String {
    let mut rows = vec![vec![
        "variant".to_owned(),
        "rate".to_owned(),
        goal(summary),
        "reached".to_owned(),
        format!("best {}", summary.judged.name),
        "last loss".to_owned(),
        "trained".to_owned(),
    ]];
    rows.extend(summary.cells.iter().map(|cell| {
        vec![
            cell.variant.to_string(),
            cell.rate.to_string(),
            spread(cell.epochs_to_goal, 1),
            format!("{}/{}", cell.reached, cell.runs),
            spread(cell.best, 3),
            spread(cell.last_loss, 4),
            format!("{}/{}", cell.trained, cell.runs),
        ]
    }));
    table(&rows)
}

/// A line for each variant at its best; a column for each promised benefit.
pub fn standings(summary: &Summary) -> String {
    let name = &summary.judged.name;
    let mut rows = vec![vec![
        "at its best".to_owned(),
        goal(summary),
        format!("best {name}"),
        "highest rate".to_owned(),
        "trained".to_owned(),
        format!("{name}, all runs"),
    ]];
    rows.extend(summary.standings.iter().map(|standing| {
        let at = |text: String, rate: Option<f64>| rate.map_or(text.clone(), |rate| format!("{text} at {rate}"));
        let (fastest, best) = (standing.fastest.as_ref(), standing.best.as_ref());
        vec![
            standing.variant.to_string(),
            at(spread(fastest.and_then(|cell| cell.epochs_to_goal), 1), fastest.map(|cell| cell.rate)),
            at(spread(best.and_then(|cell| cell.best), 3), best.map(|cell| cell.rate)),
            standing.highest_rate.map_or("none".to_owned(), |rate| rate.to_string()),
            format!("{}/{}", standing.trained, standing.runs),
            spread(standing.over_all, 3),
        ]
    }));
    table(&rows)
}

fn goal(summary: &Summary) -> String {
    summary.goal.map_or("epochs to loss".to_owned(), |goal| format!("epochs to loss {goal}"))
}

/// `0.953 (0.940 to 0.961)`
fn spread(spread: Option<Spread>, digits: usize) -> String {
    match spread {
        Some(Spread { mean, least, most }) if digits == 1 => format!("{mean:.1} ({least} to {most})"),
        Some(Spread { mean, least, most }) => format!("{mean:.digits$} ({least:.digits$} to {most:.digits$})"),
        None => "-".to_owned(),
    }
}
