//! The command that trains a trial again.

use gatenorm::ablate::Variant;
use gatenorm::search::Trial;
use toml::Table;

use super::run_config;

/// What `train` has under the names of the search's options, or is given by the trial.
const OF_TRIALS: [&str; 11] = [
    "data",
    "out",
    "report",
    "units",
    "learning-rate",
    "dropout",
    "recurrent-dropout",
    "epochs",
    "seed",
    "batch-size",
    "window",
];

/// The words of the command that trains a trial up to its best epoch: with `options`, those of the search that `train` has too, and
/// `more`.
pub fn words(trial: &Trial, options: &Table, more: Vec<(&str, String)>) -> Vec<String> {
    let data =
        options.iter().filter(|(key, _)| *key == "data").map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut words: Vec<String> = ["gatenorm", "train"].map(str::to_owned).to_vec();
    words.extend(run_config::for_train(&data, &[]));
    words.extend(run_config::for_train(options, &OF_TRIALS));
    let drawn = &trial.hyperparameters;
    let share = |flag, share: f64| (share > 0.0).then(|| (flag, share.to_string()));
    let of_trial = [
        drawn.window.map(|window| ("--window", window.to_string())),
        Some(("--units", drawn.units())),
        Some(("--learning-rate", drawn.rate())),
        share("--dropout", drawn.dropout),
        share("--recurrent-dropout", drawn.recurrent_dropout),
        Some(("--batch-size", drawn.batch_size.to_string())),
        Some(("--epochs", trial.best_epoch.to_string())),
        Some(("--seed", trial.seed.to_string())),
        Some(("--out", "again.keras".to_owned())),
    ];
    for (flag, value) in more.into_iter().chain(of_trial.into_iter().flatten()) {
        words.extend([flag.to_owned(), value]);
    }
    words.extend(norm_flags(drawn.norm).iter().map(|flag| flag.to_string()));
    words
}

/// A way to normalise as `train` takes it.
fn norm_flags(norm: Variant) -> &'static [&'static str] {
    match norm {
        Variant::Plain => &["--no-batch-norm"],
        Variant::BatchNorm => &[],
        Variant::RecurrentBatchNorm => &["--recurrent-bn", "--no-batch-norm"],
        Variant::LayerNorm => &["--layer-norm", "--no-batch-norm"],
    }
}
