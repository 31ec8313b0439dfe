//! From a case's config to a loss and a metric.

use gatenorm::prelude::*;
use serde_json::{Value, json};

use crate::build::{Unsupported, taking};

/// The loss of a case.
pub fn loss_of(loss: &Value, missing: &mut Unsupported) -> Loss {
    let class = loss["class_name"].as_str().unwrap_or("none");
    let mut config = taking(class, &loss["config"], missing);
    let known = Loss::from_name(class);
    if known.is_err() {
        config.missing.insert(format!("loss {class}"));
        return Loss::MeanSquaredError;
    }
    let mut loss = known.unwrap_or(Loss::MeanSquaredError);
    if class.ends_with("Crossentropy") {
        loss = loss.from_logits(config.take("from_logits").as_bool().unwrap_or(false));
        loss = loss.label_smoothing(config.take("label_smoothing").as_f64().unwrap_or(0.0));
    }
    if class == "Huber" {
        loss = loss.delta(config.take("delta").as_f64().expect("delta"));
    }
    config.finish();
    loss
}

/// The metric of a case, if it has one.
pub fn metric_of(metric: &Value, missing: &mut Unsupported) -> Vec<Metric> {
    if metric.is_null() {
        return Vec::new();
    }
    let class = metric["class_name"].as_str().unwrap_or("none");
    let mut config = taking(class, &metric["config"], missing);
    let Ok(mut known) = Metric::from_name(class) else {
        config.missing.insert(format!("metric {class}"));
        return Vec::new();
    };
    if let Some(name) = config.take("name").as_str() {
        known = known.named(name);
    }
    if let Some(threshold) = config.take("threshold").as_f64() {
        known = known.threshold(threshold);
    }
    if class.contains("TopK") {
        known = known.k(config.take("k").as_u64().expect("k") as u32);
    }
    if class == "F1Score" {
        config.expect("average", &[json!("macro")]);
        known = known.average(gatenorm::train::Average::Macro);
    }
    config.finish();
    vec![known]
}
