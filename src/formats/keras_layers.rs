//! Layers from Keras's JSON.

use std::sync::Arc;

use serde_json::Value;

use super::keras_args::{Args, Read, object, short};
use super::{keras_plain_layers, keras_recurrent};
use crate::data::spelling::nearest;
use crate::model::{
    Activation, BatchNormalization, Dense, Embedding, Layer, LayerNormLstm, LayerNormalization, Normalization,
    RecurrentBatchNormLstm, RenormClipping, Shape, TimeDistributed,
};

/// What a layer's entry says.
pub(super) struct Entry {
    /// Its name; without one it gets Keras's.
    pub name: Option<String>,
    pub layer: Arc<dyn Layer>,
    pub trainable: bool,
    /// Of a Normalization whose numbers stand in the config, not among the weights.
    pub scaling: Option<Scaling>,
    /// The shape of its first output, without the batch axis.
    pub output_shape: Vec<usize>,
}

/// Mean and variance of every feature.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaling {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// Layers that are supported, for messages.
const SUPPORTED: &str = "BatchNormalization, LayerNormalization, Dense, Embedding, Normalization, LayerNormLSTM, RecurrentBatchNormLSTM, TimeDistributed";

/// Reads the entry of the layer `index` (from 1), which gets inputs of these shapes.
pub(super) fn read(entry: &Value, index: usize, inputs: &[Shape]) -> Read<Entry> {
    let name = entry.get("config").and_then(|config| config.get("name")).and_then(Value::as_str);
    let called = name.map_or(format!("layer {index}"), |name| format!("layer `{name}`"));
    let (class, config) = object(&called, entry)?;
    let place = format!("{called} ({class})");
    let mut args = Args::new(&place, config)?;
    args.ignore(&["name"]);
    let input = inputs.first().map_or(&[][..], Vec::as_slice);
    let trainable = args.flag("trainable", true)?;
    // With the batch axis, as Keras counts.
    let rank = input.len() + 1;
    let mut scaling = None;
    let layer: Arc<dyn Layer> = match class {
        "LSTM" => Arc::new(keras_recurrent::lstm(&mut args)?),
        "GRU" => Arc::new(keras_recurrent::gru(&mut args)?),
        "PeepholeLSTM" => Arc::new(keras_recurrent::peephole_lstm(&mut args)?),
        "Bidirectional" => Arc::new(keras_recurrent::bidirectional(&mut args, &place)?),
        "LayerNormLSTM" => Arc::new(layer_norm_lstm(&mut args)?),
        "RecurrentBatchNormLSTM" => Arc::new(recurrent_batch_norm_lstm(&mut args)?),
        "LayerNormalization" => Arc::new(layer_normalization(&mut args, rank)?),
        "BatchNormalization" => Arc::new(batch_normalization(&mut args, rank)?),
        "Dense" => Arc::new(dense(&mut args)?),
        "Embedding" => Arc::new(embedding(&mut args)?),
        "TimeDistributed" => Arc::new(time_distributed(&mut args, &place)?),
        "Normalization" => {
            scaling = normalization(&mut args, &place, input)?;
            Arc::new(Normalization::new())
        }
        _ => keras_plain_layers::read(class, &mut args)?.ok_or_else(|| unsupported(&called, class))?,
    };
    args.finish()?;
    let outputs = layer.output_shapes(inputs).map_err(|error| format!("{place}: {error}"))?;
    let output_shape = outputs.into_iter().next().unwrap_or_default();
    Ok(Entry { name: name.map(str::to_owned), layer, trainable, scaling, output_shape })
}

fn unsupported(called: &str, class: &str) -> String {
    let supported = format!("{}, {SUPPORTED}, {}", keras_recurrent::SUPPORTED, keras_plain_layers::SUPPORTED);
    let names: Vec<String> = supported.split(", ").map(str::to_owned).collect();
    let meant = nearest(class, &names).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    format!(
        "{called}: class `{class}` is not supported{meant}; supported here: {supported}. Build the model of these in Keras and save it again"
    )
}

pub(super) fn activation(args: &mut Args<'_>, name: &'static str, default: Activation) -> Read<Activation> {
    let names = [&Activation::ALL.map(Activation::name)[..], &[Activation::Softmax.name()]].concat();
    let name = args.name_of(name, default.name(), &names)?;
    Activation::from_name(name).map_err(|error| error.to_string())
}

fn layer_norm_lstm(args: &mut Args<'_>) -> Read<LayerNormLstm> {
    args.in_f32()?;
    Ok(LayerNormLstm::new(args.count("units")?)
        .return_sequences(args.flag("return_sequences", false)?)
        .epsilon(args.number("epsilon", 1e-3)?))
}

fn recurrent_batch_norm_lstm(args: &mut Args<'_>) -> Read<RecurrentBatchNormLstm> {
    args.in_f32()?;
    Ok(RecurrentBatchNormLstm::new(args.count("units")?, args.count("max_steps")?)
        .return_sequences(args.flag("return_sequences", false)?)
        .momentum(args.number("momentum", 0.99)?)
        .epsilon(args.number("epsilon", 1e-3)?))
}

fn batch_normalization(args: &mut Args<'_>, rank: usize) -> Read<BatchNormalization> {
    args.in_f32()?;
    let mut layer = BatchNormalization::new()
        .axis(args.axis(rank)?)
        .momentum(args.number("momentum", 0.99)?)
        .epsilon(args.number("epsilon", 1e-3)?)
        .center(args.flag("center", true)?)
        .scale(args.flag("scale", true)?)
        .synchronized(args.flag("synchronized", false)?)
        .renorm(args.flag("renorm", false)?)
        .renorm_clipping(renorm_clipping(args)?)
        .renorm_momentum(args.number("renorm_momentum", 0.99)?);
    layer.beta = args.weight("beta", BatchNormalization::BETA)?;
    layer.gamma = args.weight("gamma", BatchNormalization::GAMMA)?;
    layer.moving_mean = args.initializer("moving_mean_initializer", BatchNormalization::MOVING_MEAN)?;
    layer.moving_variance = args.initializer("moving_variance_initializer", BatchNormalization::MOVING_VARIANCE)?;
    Ok(layer)
}

fn layer_normalization(args: &mut Args<'_>, rank: usize) -> Read<LayerNormalization> {
    args.in_f32()?;
    args.last_axis(rank)?;
    args.off(&["rms_scaling"])?;
    let mut layer = LayerNormalization::new()
        .epsilon(args.number("epsilon", 1e-3)?)
        .center(args.flag("center", true)?)
        .scale(args.flag("scale", true)?);
    layer.beta = args.weight("beta", LayerNormalization::BETA)?;
    layer.gamma = args.weight("gamma", LayerNormalization::GAMMA)?;
    Ok(layer)
}

/// Bounds, each of which may be left out or null.
fn renorm_clipping(args: &mut Args<'_>) -> Read<RenormClipping> {
    let mut clipping = RenormClipping::default();
    let name = "renorm_clipping";
    let Some(value) = args.get(name) else { return Ok(clipping) };
    let wrong = || args.wrong(name, value, "an object of numbers `rmax`, `rmin` and `dmax`");
    for (key, bound) in value.as_object().ok_or_else(wrong)? {
        let bound = match bound {
            Value::Null => None,
            number => Some(number.as_f64().ok_or_else(wrong)?),
        };
        match key.as_str() {
            "rmax" => clipping.rmax = bound,
            "rmin" => clipping.rmin = bound,
            "dmax" => clipping.dmax = bound,
            _ => return Err(wrong()),
        }
    }
    Ok(clipping)
}

fn dense(args: &mut Args<'_>) -> Read<Dense> {
    args.in_f32()?;
    args.off(&["lora_rank", "quantization_config"])?;
    args.ignore(&["lora_alpha"]);
    let activation = activation(args, "activation", Activation::Linear)?;
    let mut layer = Dense::new(args.count("units")?).activation(activation).use_bias(args.flag("use_bias", true)?);
    layer.kernel = args.weight("kernel", Dense::KERNEL)?;
    layer.bias = args.weight("bias", Dense::BIAS)?;
    layer.activity_regularizer = args.regularizer("activity_regularizer")?;
    Ok(layer)
}

fn embedding(args: &mut Args<'_>) -> Read<Embedding> {
    args.in_f32()?;
    args.off(&["activity_regularizer", "lora_rank", "quantization_config"])?;
    // What Keras 2 knew, and the shape says.
    args.ignore(&["lora_alpha", "input_length"]);
    let mut layer = Embedding::new(args.count("input_dim")?, args.count("output_dim")?);
    layer.embeddings = args.weight("embeddings", Embedding::EMBEDDINGS)?;
    Ok(layer.mask_zero(args.flag("mask_zero", false)?))
}

/// A Dense in its wrapper.
fn time_distributed(args: &mut Args<'_>, place: &str) -> Read<TimeDistributed> {
    args.in_f32()?;
    let layer = args.get("layer").ok_or_else(|| args.missing("layer"))?;
    let (class, config) = object(place, layer)?;
    if class != "Dense" {
        return Err(format!("{place}: argument `layer` is of the class `{class}`; supported here: Dense"));
    }
    let mut inner = Args::new(format!("the layer in {place}"), config)?;
    inner.ignore(&["name"]);
    inner.trained_in_f32()?;
    let dense = dense(&mut inner)?;
    inner.finish()?;
    Ok(TimeDistributed::new(dense))
}

/// Mean and variance, where the config gives them.
fn normalization(args: &mut Args<'_>, place: &str, input: &[usize]) -> Read<Option<Scaling>> {
    args.in_f32()?;
    args.last_axis(input.len() + 1)?;
    args.off(&["invert"])?;
    let features = input.last().copied().unwrap_or(1);
    let mut numbers = |name| match args.get(name) {
        None => Ok(None),
        Some(value) => match for_features(value, features) {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(args.wrong(name, value, &format!("a finite number, or one for each of {features} features"))),
        },
    };
    match (numbers("mean")?, numbers("variance")?) {
        (None, None) => Ok(None),
        (Some(mean), Some(variance)) if variance.iter().all(|&v| v >= 0.0) => Ok(Some(Scaling { mean, variance })),
        (Some(_), Some(variance)) => {
            Err(format!("{place}: argument `variance` is {}, with a number below 0", short(&variance.into())))
        }
        _ => Err(format!("{place}: only one of `mean` and `variance` is given; give both or neither")),
    }
}

/// A number for all features, or a list with one for each.
fn for_features(value: &Value, features: usize) -> Option<Vec<f32>> {
    let number = |value: &Value| value.as_f64().map(|n| n as f32).filter(|n| n.is_finite());
    match value {
        Value::Array(list) if list.len() == features => list.iter().map(number).collect(),
        Value::Array(list) if list.len() != 1 => None,
        Value::Array(list) => Some(vec![number(list.first()?)?; features]),
        single => Some(vec![number(single)?; features]),
    }
}
