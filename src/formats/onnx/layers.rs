//! Layers as operators, from Keras's words for them.

use serde_json::Value as Json;

use super::activation::apply;
use super::graph::{Graph, int, ints};
use super::proto::data_type;
use super::site::Site;
use super::{Value, cells, masks, merging, norms, recurrent};
use crate::formats::keras_args::{Args, Read, object};
use crate::formats::keras_layers::activation;
use crate::model::{Activation, Normalization};

/// A call of a layer.
pub(super) struct Call<'a> {
    pub class: &'a str,
    /// Its arguments, as `.keras` files have them.
    pub config: &'a Json,
    pub inputs: Vec<Value>,
    /// The shapes of its first input and output, without the batch axis.
    pub from: &'a [usize],
    pub to: &'a [usize],
}

/// Writes a layer; gives its outputs.
pub(super) fn write(site: &mut Site<'_>, call: &Call<'_>) -> Read<Vec<Value>> {
    let mut args = Args::new(call.class, Some(call.config))?;
    let [x, ..] = &call.inputs[..] else { return Err("it has no input".to_owned()) };
    let args = &mut args;
    Ok(vec![match call.class {
        "LSTM" | "GRU" | "PeepholeLSTM" => return recurrent::write(site, call.class, args, &call.inputs),
        "Bidirectional" => return recurrent::bidirectional(site, args, &call.inputs),
        "LayerNormLSTM" => cells::layer_norm_lstm(site, args, x)?,
        "RecurrentBatchNormLSTM" => cells::recurrent_batch_norm_lstm(site, args, x)?,
        "Dense" => dense(site, args, x)?,
        "TimeDistributed" => time_distributed(site, args, x)?,
        "Embedding" => embedding(site, args, x)?,
        "BatchNormalization" => batch_normalization(site, args, x, call.from.len())?,
        "LayerNormalization" => layer_normalization(site, args, x)?,
        "Normalization" => normalization(site, x)?,
        // Nothing happens in inference.
        "Dropout" | "SpatialDropout1D" => x.clone(),
        "Activation" => x.with(apply(site.graph, activation(args, "activation", Activation::Linear)?, &x.name)),
        "Rescaling" => rescaling(site.graph, args, x)?,
        "Masking" => masking(site.graph, args, x)?,
        "Flatten" | "Reshape" => reshape(site.graph, x, call.to),
        "RepeatVector" => repeat_vector(site.graph, args, x)?,
        "GlobalAveragePooling1D" => average(site.graph, args, x)?,
        "GlobalMaxPooling1D" => {
            Value::plain(site.graph.op("ReduceMax", &[&x.name], vec![ints("axes", &[1]), keep_dims(args)?]))
        }
        "Concatenate" => {
            let axis = args.number("axis", -1.0)?;
            let along_steps = call.from.len() == 2 && (axis == 1.0 || axis == -2.0);
            merging::concatenate(site.graph, &call.inputs, along_steps)
        }
        class => match merging::operator(class) {
            Some(operator) => merging::merge(site.graph, operator, class == "Average", &call.inputs),
            None => None,
        }
        .ok_or_else(|| {
            "ONNX has no operator for this class, and only the layers of `.keras` files have one made of several here: leave it out, or build it of those"
                .to_owned()
        })?,
    }])
}

/// activation(x·kernel + bias)
fn dense(site: &mut Site<'_>, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let kernel = site.variable("kernel")?;
    let bias = if args.flag("use_bias", true)? { Some(site.variable("bias")?) } else { None };
    let graph = &mut *site.graph;
    let mut z = graph.op("MatMul", &[&x.name, &kernel], vec![]);
    if let Some(bias) = bias {
        z = graph.op("Add", &[&z, &bias], vec![]);
    }
    Ok(x.with(apply(graph, activation(args, "activation", Activation::Linear)?, &z)))
}

fn time_distributed(site: &mut Site<'_>, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let entry = args.get("layer").ok_or_else(|| args.missing("layer"))?;
    match object(args.place(), entry)? {
        ("Dense", config) => {
            let mut args = Args::new(args.place(), config)?;
            site.within("layer", |site| dense(site, &mut args, x))
        }
        (class, _) => Err(format!("it wraps `{class}`; only a wrapped Dense can be written")),
    }
}

fn embedding(site: &mut Site<'_>, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let table = site.variable("embeddings")?;
    let mask_zero = args.flag("mask_zero", false)?;
    let graph = &mut *site.graph;
    let ids = graph.op("Cast", &[&x.name], vec![int("to", data_type::INT64.into())]);
    let name = graph.op("Gather", &[&table, &ids], vec![int("axis", 0)]);
    let mask = mask_zero.then(|| {
        let column = masks::column(graph, &x.name);
        masks::differing(graph, &column, 0.0)
    });
    Ok(Value { name, mask })
}

/// With the moving statistics; of each step its own where `axis` is the steps of a sequence, whose shape has two axes.
fn batch_normalization(site: &mut Site<'_>, args: &mut Args<'_>, x: &Value, axes: usize) -> Read<Value> {
    let axis = args.axis(axes + 1)?;
    let epsilon = args.number("epsilon", 1e-3)?;
    let gamma = if args.flag("scale", true)? { Some(site.weight("gamma")?.values.as_slice()) } else { None };
    let center = args.flag("center", true)?;
    let variance = &site.weight("moving_variance")?.values;
    let scales = norms::scales(variance, gamma, epsilon);
    let over_steps = axes == 2 && (axis == 1 || axis == -2);
    let shape = if over_steps { vec![variance.len(), 1] } else { vec![variance.len()] };
    let mut part = |name: &str| -> Read<String> {
        let values = &site.weight(name)?.values;
        Ok(site.part(name, &shape, values))
    };
    let (mean, beta) = (part("moving_mean")?, if center { Some(part("beta")?) } else { None });
    let scale = site.part("scale", &shape, &scales);
    Ok(x.with(norms::affine(site.graph, &x.name, &mean, &scale, beta.as_deref())))
}

fn layer_normalization(site: &mut Site<'_>, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let epsilon = args.number("epsilon", 1e-3)?;
    let gamma = if args.flag("scale", true)? { Some(site.variable("gamma")?) } else { None };
    let beta = if args.flag("center", true)? { Some(site.variable("beta")?) } else { None };
    Ok(x.with(norms::of_rows(site.graph, &x.name, epsilon, gamma.as_deref(), beta.as_deref())))
}

fn normalization(site: &mut Site<'_>, x: &Value) -> Read<Value> {
    let mean = site.variable("mean")?;
    let variance = site.weight("variance")?;
    let floored: Vec<f32> = variance.values.iter().map(|v| v.max(Normalization::LEAST_VARIANCE)).collect();
    let scale = site.part("scale", &variance.shape, &norms::scales(&floored, None, 0.0));
    Ok(x.with(norms::affine(site.graph, &x.name, &mean, &scale, None)))
}

/// scale x + offset
fn rescaling(graph: &mut Graph, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let scale = graph.float(args.number("scale", 1.0)? as f32);
    let offset = graph.float(args.number("offset", 0.0)? as f32);
    let scaled = graph.op("Mul", &[&x.name, &scale], vec![]);
    Ok(x.with(graph.op("Add", &[&scaled, &offset], vec![])))
}

fn masking(graph: &mut Graph, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let mask = masks::differing(graph, &x.name, args.number("mask_value", 0.0)? as f32);
    let column = masks::column(graph, &mask);
    let name = graph.op("Mul", &[&x.name, &column], vec![]);
    Ok(Value { name, mask: Some(mask) })
}

/// Another shape; masks end here.
fn reshape(graph: &mut Graph, x: &Value, to: &[usize]) -> Value {
    // 0 stands for the batch's length.
    let shape: Vec<i64> = std::iter::once(0).chain(to.iter().map(|&size| size as i64)).collect();
    let shape = graph.ints(&shape);
    Value::plain(graph.op("Reshape", &[&x.name, &shape], vec![]))
}

fn repeat_vector(graph: &mut Graph, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let (axis, shape) = (graph.ints(&[1]), graph.ints(&[1, args.count("n")? as i64, 1]));
    let column = graph.op("Unsqueeze", &[&x.name, &axis], vec![]);
    Ok(Value::plain(graph.op("Expand", &[&column, &shape], vec![])))
}

/// The mean over the steps that count.
fn average(graph: &mut Graph, args: &mut Args<'_>, x: &Value) -> Read<Value> {
    let keep_dims = keep_dims(args)?;
    let Some(mask) = &x.mask else {
        return Ok(Value::plain(graph.op("ReduceMean", &[&x.name], vec![ints("axes", &[1]), keep_dims])));
    };
    let (column, steps) = (masks::column(graph, mask), graph.ints(&[1]));
    let counting = graph.op("Mul", &[&x.name, &column], vec![]);
    let mut sum = |x: &str| graph.op("ReduceSum", &[x, &steps], vec![keep_dims.clone()]);
    let (sum, count) = (sum(&counting), sum(&column));
    Ok(Value::plain(graph.op("Div", &[&sum, &count], vec![])))
}

fn keep_dims(args: &mut Args<'_>) -> Read<super::proto::Attribute> {
    Ok(int("keepdims", args.flag("keepdims", false)?.into()))
}
