//! Where a model is right and wrong.

use super::marks::{histogram, scatter};
use super::number;
use super::page::Page;
use crate::data::Dataset;
use crate::error::Result;
use crate::plot::{Figure, Line, Panel, Point};
use crate::train::Model;

/// Outputs that get plots of their own.
const MOST_OUTPUTS: usize = 8;
/// Samples that are drawn.
const MOST_POINTS: usize = 2000;

/// Adds a confusion matrix, or plots of numbers predicted against true ones; nothing where the model gives neither.
pub(super) fn add(page: &mut Page, model: &mut Model, data: &Dataset, which: &str) -> Result<()> {
    let shapes = model.network().output_shapes();
    let [shape] = &shapes[..] else { return Ok(()) };
    let outputs = match *shape.as_slice() {
        [outputs] => outputs,
        [_, outputs] if data.has_targets_of_rows() => outputs,
        _ => return Ok(()),
    };
    if data.labels().is_some() {
        let header = ["label", "accuracy", "share of the larger class"];
        page.heading(&format!("Labels ({which} data)"));
        let scores = model.label_scores(data)?;
        page.table(&header, scores.into_iter().map(|s| vec![s.label, number(s.accuracy), number(s.majority)]));
        return Ok(());
    }
    if model.loss().judges_classes() {
        let matrix = model.confusion_matrix(data)?;
        let known = data.classes().filter(|names| names.len() == matrix.classes());
        let names = known.map_or_else(|| (0..matrix.classes()).map(|i| i.to_string()).collect(), <[String]>::to_vec);
        page.heading(&format!("Confusion matrix ({which} data)"));
        page.note(format!(
            "Accuracy {:.4}. A row for each true class, a column for each predicted one.",
            matrix.accuracy()
        ));
        page.matrix("true", &names, &matrix.counts);
        return Ok(());
    }
    if data.target_shape().last() != Some(&outputs) {
        return Ok(());
    }
    let rows = model.judged_rows(data)?;
    let [truth, predicted] = [rows.truth, rows.predicted].map(|v| v.into_iter().map(f64::from).collect::<Vec<f64>>());
    page.heading(&format!("Predicted and true ({which} data)"));
    for output in 0..outputs.min(MOST_OUTPUTS) {
        let of = |all: &[f64]| -> Vec<f64> { all.iter().skip(output).step_by(outputs).copied().collect() };
        let name = if outputs == 1 { String::new() } else { format!("output {}", output + 1) };
        output_plots(page, &name, &of(&truth), &of(&predicted));
    }
    if outputs > MOST_OUTPUTS {
        page.note(format!("and {} more outputs", outputs - MOST_OUTPUTS));
    }
    Ok(())
}

fn output_plots(page: &mut Page, name: &str, truth: &[f64], predicted: &[f64]) {
    let residuals: Vec<f64> = truth.iter().zip(predicted).map(|(t, p)| p - t).collect();
    let n = residuals.len().max(1) as f64;
    let rmse = (residuals.iter().map(|r| r * r).sum::<f64>() / n).sqrt();
    let mae = residuals.iter().map(|r| r.abs()).sum::<f64>() / n;
    let bias = residuals.iter().sum::<f64>() / n;
    page.note(format!("{name} RMSE {rmse:.4}, MAE {mae:.4}, mean error {bias:.4}, in the target's unit").trim_start());
    let every = truth.len().div_ceil(MOST_POINTS).max(1);
    let some = |all: &[f64]| -> Vec<f64> { all.iter().step_by(every).copied().collect() };
    let cloud = scatter("predicted against true", &some(truth), &some(predicted));
    page.pictures([in_order(truth, predicted), cloud, histogram("residuals", "predicted - true", &residuals)]);
}

/// The last samples in their order, as of a series in time.
fn in_order(truth: &[f64], predicted: &[f64]) -> String {
    const SHOWN: usize = 200;
    let first = truth.len().saturating_sub(SHOWN);
    let line = |series: usize, values: &[f64]| {
        let shown = values[first..].iter().enumerate().filter(|(_, y)| y.is_finite());
        let points = shown.map(|(i, &y)| Point { x: (i + 1) as f64, y, band: (y, y) }).collect();
        Line { series, points }
    };
    let lines = vec![line(0, truth), line(1, predicted)];
    let title = format!("the last {} samples in order", truth.len() - first);
    let panel = Panel { title: String::new(), x_label: "sample".into(), log: false, lines, notes: Vec::new() };
    let series = vec!["true".to_owned(), "predicted".to_owned()];
    Figure { title, note: String::new(), series, rows: vec![vec![panel]] }.to_svg()
}
