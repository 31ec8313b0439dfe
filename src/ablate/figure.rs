//! Runs as a figure.

use super::curve::curves;
use super::run::Run;
use super::summary::Judged;
use super::variant::Variant;
use crate::plot::{Figure, Line, Panel, Point};

/// A column for each learning rate: above the training loss, below the judged score; a line for each variant, and a band from the
/// least to the most over seeds.
pub fn figure(runs: &[Run], judged: &Judged, title: &str, note: &str) -> Figure {
    let variants: Vec<Variant> =
        Variant::ALL.into_iter().filter(|v| runs.iter().any(|run| run.variant == *v)).collect();
    let mut rates: Vec<f64> = Vec::new();
    runs.iter().for_each(|run| {
        if !rates.contains(&run.rate) {
            rates.push(run.rate)
        }
    });
    let row = |score: &str, words: &str, log: bool| {
        let curves = curves(runs, score);
        let panel = |&rate: &f64| {
            let (mut lines, mut notes) = (Vec::new(), Vec::new());
            for curve in curves.iter().filter(|curve| curve.rate == rate) {
                let series = variants.iter().position(|&v| v == curve.variant).unwrap_or(0);
                let point = |(i, spread): (usize, &super::Spread)| Point {
                    x: (i + 1) as f64,
                    y: spread.mean,
                    band: (spread.least, spread.most),
                };
                lines.push(Line { series, points: curve.points.iter().enumerate().map(point).collect() });
                if curve.diverged > 0 {
                    notes.push((series, format!("{}: {} of {} diverged", curve.variant, curve.diverged, curve.runs)));
                }
            }
            Panel { title: format!("{words}, rate {rate}"), x_label: "epoch".into(), log, lines, notes }
        };
        rates.iter().map(panel).collect::<Vec<Panel>>()
    };
    let name = judged.name.strip_prefix("val_").map_or(judged.name.clone(), |name| format!("validation {name}"));
    Figure {
        title: title.to_owned(),
        note: note.to_owned(),
        series: variants.iter().map(|variant| variant.name().to_owned()).collect(),
        rows: vec![row("loss", "training loss", true), row(&judged.name, &name, false)],
    }
}
