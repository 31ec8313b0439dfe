//! A training as one page of HTML: what was asked for, on what data and device, its curves, and where the model is right and wrong; and a search
//! for hyper-parameters ([`SearchReport`]): its trials, and the curves of the best.
//!
//! A page holds its pictures and needs no network.

mod judged;
mod marks;
mod page;
mod search;

pub use search::SearchReport;

use page::Page;

use crate::data::Dataset;
use crate::error::Result;
use crate::model::grouped;
use crate::plot::{Figure, Line, Panel, Point};
use crate::train::{History, Model};

/// What a report tells of.
pub struct Report<'a> {
    /// The line above it.
    pub title: &'a str,
    /// The command that was run.
    pub command: &'a str,
    /// Facts beside the device and the model, as name and value.
    pub facts: &'a [(&'a str, String)],
    /// What the model was trained on.
    pub train: &'a Dataset,
    /// What it is judged on, where not on that.
    pub validation: Option<&'a Dataset>,
    /// Its epochs.
    pub history: &'a History,
}

impl Report<'_> {
    /// The page. The model predicts what it is judged on.
    ///
    /// Errors: those of [`Model::predict`].
    pub fn html(&self, model: &mut Model) -> Result<String> {
        let mut page = Page::new(self.title);
        page.note(self.outcome());
        page.heading("Curves");
        page.pictures(curves(self.history).iter().map(Figure::to_svg));
        let (judged, which) = match self.validation {
            Some(data) => (data, "validation"),
            None => (self.train, "training"),
        };
        judged::add(&mut page, model, judged, which)?;
        page.heading("Data");
        self.data(&mut page)?;
        page.heading("Epochs");
        self.epochs(&mut page);
        page.heading("How it was made");
        page.code(self.command);
        let (trainable, others) = model.network().table.count();
        let counts = format!("{} parameters, {} of them trained", grouped(trainable + others), grouped(trainable));
        let mut facts = vec![
            ("model", model.network().line()),
            ("size", counts),
            ("device", model.device().to_string()),
            ("gatenorm", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        facts.extend_from_slice(self.facts);
        page.facts(&facts);
        Ok(page.finish())
    }

    fn outcome(&self) -> String {
        let seconds: f64 = self.history.epochs.iter().map(|epoch| epoch.seconds).sum();
        let count = self.history.epochs.len();
        let epochs = format!("{count} {} in {seconds:.1} s", if count == 1 { "epoch" } else { "epochs" });
        let interrupted = if self.history.interrupted { ", then interrupted" } else { "" };
        match self.history.best() {
            Some((name, value, epoch)) => {
                format!("{epochs}{interrupted}; the least {name}, {value:.5}, was that of epoch {epoch}.")
            }
            None => format!("{epochs}{interrupted}."),
        }
    }

    fn data(&self, page: &mut Page) -> Result<()> {
        let describe = |which: &str, data: &Dataset| {
            let shape = format!("{} x {}", data.steps(), data.features());
            vec![which.to_owned(), grouped(data.len()), shape, balance(data)]
        };
        let rows = std::iter::once(describe("training", self.train));
        let rows = rows.chain(self.validation.map(|data| describe("validation", data)));
        page.table(&["", "samples", "steps x features", "target"], rows);
        let statistics = self.train.feature_statistics()?;
        let names = self.train.columns();
        let row = |(i, (mean, variance)): (usize, (&f64, &f64))| {
            let name = names.get(i).cloned().unwrap_or_else(|| format!("feature {i}"));
            vec![name, number(*mean), number(variance.sqrt())]
        };
        const MOST: usize = 100;
        let both = statistics.mean.iter().zip(&statistics.variance).enumerate();
        page.note("Columns of the training data, before any scaling:");
        page.table(&["column", "mean", "standard deviation"], both.take(MOST).map(row));
        if names.len() > MOST {
            page.note(format!("and {} more", names.len() - MOST));
        }
        Ok(())
    }

    fn epochs(&self, page: &mut Page) {
        let names = names(self.history);
        let header: Vec<&str> = std::iter::once("epoch").chain(names.iter().map(String::as_str)).collect();
        let row = |epoch: &crate::train::Epoch| {
            let scores = names.iter().map(|name| epoch.scores.get(name).map_or("-".to_owned(), number));
            std::iter::once(epoch.epoch.to_string()).chain(scores).collect()
        };
        page.table(&header, self.history.epochs.iter().map(row));
    }
}

/// A number as it is read.
fn number(value: f64) -> String {
    match value.abs() {
        v if v == 0.0 || (1e-3..1e3).contains(&v) => format!("{value:.4}"),
        v if (1e3..1e7).contains(&v) => format!("{value:.1}"),
        _ => format!("{value:.3e}"),
    }
}

/// The target's name, and how its classes are spread.
fn balance(data: &Dataset) -> String {
    let target = data.target_name().unwrap_or("-").to_owned();
    let (Some(counts), Some(classes)) = (data.class_balance(), data.classes()) else { return target };
    let parts: Vec<String> =
        classes.iter().zip(counts).map(|(name, count)| format!("{name}: {}", grouped(count))).collect();
    format!("{target} ({})", parts.join(", "))
}

/// All scores, in the order of the first epoch that has them.
fn names(history: &History) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in history.epochs.iter().flat_map(|epoch| &epoch.scores.0) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// A figure for each score: training, and validation where there is one.
fn curves(history: &History) -> Vec<Figure> {
    let points = |name: &str| -> Vec<Point> {
        let of = |epoch: &crate::train::Epoch| {
            let y = epoch.scores.get(name).filter(|y| y.is_finite())?;
            Some(Point { x: epoch.epoch as f64, y, band: (y, y) })
        };
        history.epochs.iter().filter_map(of).collect()
    };
    let figure = |name: &String| {
        let validation = format!("val_{name}");
        let lines = [name.as_str(), &validation].map(points);
        let lines: Vec<Line> = (0..).zip(lines).map(|(series, points)| Line { series, points }).collect();
        let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.y);
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        let log = name == "loss" && least > 0.0 && most > 20.0 * least;
        let panel = Panel { title: String::new(), x_label: "epoch".into(), log, lines, notes: Vec::new() };
        let series = vec!["training".to_owned(), "validation".to_owned()];
        Figure { title: name.clone(), note: String::new(), series, rows: vec![vec![panel]] }
    };
    names(history).iter().filter(|name| !name.starts_with("val_")).map(figure).collect()
}
