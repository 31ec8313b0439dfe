//! Predictions in words: what a model's outputs are called, and what they mean.

use gatenorm::train::{Loss, Model};
use serde_json::Value;

/// How predictions are told.
pub struct Answers {
    meaning: Meaning,
    /// The line's number, and a name for all that [`Answers::row`] gives.
    pub header: Vec<String>,
}

impl Answers {
    /// Of a model with so many numbers for each line.
    pub fn new(model: &Model, width: usize) -> Answers {
        let meaning = Meaning::of(model, width);
        let columns: Vec<String> = match &meaning {
            Meaning::TwoClasses(_) => ["probability", "class"].map(Into::into).to_vec(),
            Meaning::Classes(classes) => {
                std::iter::once("class".into()).chain(classes.iter().map(|name| format!("p({name})"))).collect()
            }
            Meaning::Labels(_) => number_names(model, width)
                .into_iter()
                .flat_map(|name| [name.clone(), format!("{name}_class")])
                .collect(),
            Meaning::Numbers if width == 1 => vec!["prediction".into()],
            Meaning::Numbers => number_names(model, width),
        };
        Answers { meaning, header: std::iter::once("row".into()).chain(columns).collect() }
    }

    /// What is said of a line.
    pub fn row(&self, line: u64, values: &[f32]) -> Vec<Value> {
        let numbers = values.iter().map(|&v| shortest(v));
        let line = std::iter::once(Value::from(line));
        match &self.meaning {
            Meaning::Numbers => line.chain(numbers).collect(),
            Meaning::Labels(labels) => {
                let class = |(value, names): (&f32, &[String; 2])| names[usize::from(*value > 0.5)].as_str().into();
                let classes = values.iter().zip(labels).map(class);
                line.chain(numbers.zip(classes).flat_map(|(number, class): (Value, Value)| [number, class])).collect()
            }
            Meaning::TwoClasses(classes) => {
                line.chain(numbers).chain([classes[usize::from(values[0] > 0.5)].as_str().into()]).collect()
            }
            Meaning::Classes(classes) => {
                line.chain([classes[largest(values)].as_str().into()]).chain(numbers).collect()
            }
        }
    }
}

/// A value as a field of CSV.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a model's outputs are.
enum Meaning {
    Numbers,
    /// The probability of the second of these.
    TwoClasses(Vec<String>),
    /// The probability of each of these.
    Classes(Vec<String>),
    /// For each label the probability of the second of its classes.
    Labels(Vec<[String; 2]>),
}

impl Meaning {
    fn of(model: &Model, width: usize) -> Meaning {
        let loss = model.loss();
        // Logits are no probabilities.
        if loss.from_logits(false) != loss {
            return Meaning::Numbers;
        }
        let labels = model.data_spec().and_then(|spec| spec.label_classes.clone()).filter(|of| of.len() == width);
        if let (Some(labels), true) = (labels, loss.plain() == Loss::BinaryCrossentropy) {
            return Meaning::Labels(labels);
        }
        let count = match model.network().output_shape().last() {
            Some(&outputs) if outputs != width => return Meaning::Numbers,
            Some(1) if loss.plain() == Loss::BinaryCrossentropy => 2,
            Some(&outputs) if exclusive(loss) => outputs,
            _ => return Meaning::Numbers,
        };
        let named = model.data_spec().and_then(|spec| spec.classes.clone()).filter(|names| names.len() == count);
        let names = named.unwrap_or_else(|| (0..count).map(|class| class.to_string()).collect());
        if width == 1 { Meaning::TwoClasses(names) } else { Meaning::Classes(names) }
    }
}

/// Whether just one of several classes is true.
fn exclusive(loss: Loss) -> bool {
    [Loss::SparseCategoricalCrossentropy, Loss::CategoricalCrossentropy].contains(&loss.plain())
}

/// The index of the largest number; the first of them.
fn largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Names of several numbers: of targets and, in forecasts, how many rows ahead.
fn number_names(model: &Model, width: usize) -> Vec<String> {
    let named = model.data_spec().map(|spec| {
        let ahead = |target: &String| match &spec.reading.horizon[..] {
            [] => vec![target.clone()],
            horizon => horizon.iter().map(|ahead| format!("{target}+{ahead}")).collect(),
        };
        spec.targets.iter().flat_map(ahead).collect::<Vec<String>>()
    });
    let named = named.filter(|names| names.len() == width);
    named.unwrap_or_else(|| (0..width).map(|i| format!("prediction_{i}")).collect())
}

/// A number with as few digits as say which `f32` it is; null where it is none.
pub fn shortest(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}
