//! The end of a new model, and how it is judged.

use std::sync::Arc;

use gatenorm::data::{Dataset, TargetOf};
use gatenorm::exec::Device;
use gatenorm::model::{Activation, Dense, Layer, Rescaling, Sequential};
use gatenorm::train::{Loss, Metric, Model, Optimizer, Reduction};
use gatenorm::{Error, Result};

/// The end of a model, and how it is judged.
pub struct Head {
    outputs: usize,
    activation: Activation,
    pub loss: Loss,
    pub metrics: Vec<Metric>,
}

impl Head {
    /// The one that fits the target of these data; refuses a loss that does not.
    pub fn of(data: &Dataset, named: Option<Loss>) -> Result<Head> {
        let classes = data.classes().map_or(0, <[String]>::len);
        let labels = data.labels().map_or(0, <[_]>::len);
        let fitting = match classes {
            _ if labels > 0 => Loss::BinaryCrossentropy,
            0 => Loss::MeanSquaredError,
            2 => Loss::BinaryCrossentropy,
            _ => Loss::SparseCategoricalCrossentropy,
        };
        let loss = named.unwrap_or(fitting);
        // Of targets of every row some may count for nothing: then means are over the others.
        let of_rows = data.has_targets_of_rows();
        let reduction = if of_rows { Reduction::MeanWithSampleWeight } else { Reduction::SumOverBatchSize };
        let head = |outputs, activation, metrics: &[Metric]| {
            let metrics = metrics.iter().map(|metric| metric.clone().weighted(of_rows)).collect();
            Ok(Head { outputs, activation, loss: loss.reduction(reduction), metrics })
        };
        let errors = [Metric::MeanAbsoluteError, Metric::RootMeanSquaredError];
        match classes {
            _ if labels > 0 && loss == Loss::BinaryCrossentropy => {
                head(labels, Activation::Sigmoid, &[Metric::BinaryAccuracy])
            }
            0 if labels == 0 && !loss.judges_classes() => {
                let outputs = match data.reading().target_of {
                    TargetOf::Input => data.features(),
                    TargetOf::Sample | TargetOf::EveryRow => data.target_shape().last().copied().unwrap_or(1),
                };
                head(outputs, Activation::Linear, &errors)
            }
            2 if loss == Loss::BinaryCrossentropy => head(1, Activation::Sigmoid, &[Metric::Accuracy]),
            2.. if loss == Loss::SparseCategoricalCrossentropy => {
                head(classes, Activation::Softmax, &[Metric::Accuracy])
            }
            _ => {
                let target = match (labels, classes) {
                    (0, 0) => "numbers".to_owned(),
                    (0, _) => format!("{classes} classes"),
                    _ => format!("{labels} labels of two classes each"),
                };
                let (loss, fitting) = (loss.name(), fitting.name());
                Err(Error::usage(format!("{loss} does not fit a target of {target}. Use `--loss {fitting}`")))
            }
        }
    }

    /// Ends these layers with it, and places the model on a device. Targets that are numbers are scaled by these data: the loss compares
    /// them in units of their spread, and a last layer brings the outputs back to the targets' own.
    pub fn compile(
        &self,
        model: Sequential,
        scaled_by: Option<&Dataset>,
        device: Device,
        optimizer: Optimizer,
    ) -> Result<Model> {
        let dense = Dense::new(self.outputs).activation(self.activation);
        let scales = scaled_by.filter(|_| !self.loss.judges_classes()).map(Dataset::target_scales).unwrap_or_default();
        let names = scaled_by.map(Dataset::target_names).unwrap_or_default();
        let (rescaling, loss): (Vec<Rescaling>, Vec<Loss>) = scales
            .iter()
            .map(|&(mean, deviation)| (Rescaling::new(deviation).offset(mean), self.loss.in_units_of(deviation)))
            .unzip();
        if rescaling.len() < 2 {
            let model = model.add(dense);
            let loss = loss.first().copied().unwrap_or(self.loss);
            let metrics = self.metrics.clone();
            return match rescaling.into_iter().next() {
                Some(rescaling) => model.add(rescaling).compile(device, loss, optimizer, metrics),
                None => model.compile(device, loss, optimizer, metrics),
            };
        }
        let (mut graph, last) = model.graph()?;
        let (mut outputs, mut metrics) = (Vec::new(), Vec::new());
        for ((i, rescaling), name) in rescaling.into_iter().enumerate().zip(names) {
            let scaled = graph.add(dense.clone(), &[last])?;
            let name = layer_name(name, i, names);
            let layer: Arc<dyn Layer> = Arc::new(rescaling);
            let layer = graph.place(Some(&name), layer, true)?;
            outputs.push(graph.call(layer, &[scaled])?[0]);
            metrics.extend(self.metrics.iter().map(|metric| metric.clone().on(&name)));
        }
        graph.outputs(&outputs).compile(device, loss, optimizer, metrics)
    }
}

/// The name of the output of a target, in letters that Keras takes for a layer's.
fn layer_name(target: &str, index: usize, all: &[String]) -> String {
    let plain = |name: &str| name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>();
    let name = plain(target);
    let twice = all.iter().filter(|other| plain(other) == name).count() > 1;
    if twice { format!("{name}_{index}") } else { name }
}
