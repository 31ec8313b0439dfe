//! Recurrent layers from Keras's JSON.

use serde_json::Value;

use super::keras_args::{Args, Read, object};
use super::keras_layers::activation;
use crate::model::{Activation, Bidirectional, Gru, Lstm, MergeMode, Recurrent, Wrapped};

/// Classes read here: Keras's, and this crate's variant of the LSTM.
pub(super) const SUPPORTED: &str = "LSTM, GRU, Bidirectional";

/// The arguments that LSTM and GRU share.
fn recurrent(args: &mut Args<'_>) -> Read<Recurrent> {
    args.in_f32()?;
    args.ignore(&["unroll", "use_cudnn", "implementation"]);
    Ok(Recurrent {
        units: args.count("units")?,
        activation: activation(args, "activation", Activation::Tanh)?,
        recurrent_activation: activation(args, "recurrent_activation", Activation::Sigmoid)?,
        use_bias: args.flag("use_bias", true)?,
        return_sequences: args.flag("return_sequences", false)?,
        return_state: args.flag("return_state", false)?,
        go_backwards: args.flag("go_backwards", false)?,
        stateful: args.flag("stateful", false)?,
        zero_output_for_mask: args.flag("zero_output_for_mask", false)?,
        dropout: args.number("dropout", 0.0)?,
        recurrent_dropout: args.number("recurrent_dropout", 0.0)?,
        seed: args.get("seed").and_then(Value::as_u64),
        weights: args.recurrent()?,
    })
}

pub(super) fn lstm(args: &mut Args<'_>) -> Read<Lstm> {
    let mut lstm = Lstm::new(1).unit_forget_bias(args.flag("unit_forget_bias", true)?);
    lstm.recurrent = recurrent(args)?;
    Ok(lstm)
}

pub(super) fn gru(args: &mut Args<'_>) -> Read<Gru> {
    let mut gru = Gru::new(1).reset_after(args.flag("reset_after", true)?);
    gru.recurrent = recurrent(args)?;
    Ok(gru)
}

/// The LSTM with what Keras's does not have.
pub(super) fn peephole_lstm(args: &mut Args<'_>) -> Read<Lstm> {
    let (peepholes, coupled_gates) = (args.flag("peepholes", false)?, args.flag("coupled_gates", false)?);
    Ok(lstm(args)?.peepholes(peepholes).coupled_gates(coupled_gates))
}

pub(super) fn bidirectional(args: &mut Args<'_>, place: &str) -> Read<Bidirectional> {
    args.in_f32()?;
    // Only of a model that is being built.
    args.off(&["weights"])?;
    let mode = match args.given("merge_mode") {
        None => MergeMode::Concat,
        Some(Value::Null) => MergeMode::Separate,
        Some(value) => {
            let found = MergeMode::ALL.into_iter().find(|mode| mode.name().is_some() && mode.name() == value.as_str());
            found.ok_or_else(|| args.wrong("merge_mode", value, "\"concat\", \"sum\", \"mul\", \"ave\", null"))?
        }
    };
    let layer = args.get("layer").ok_or_else(|| format!("{place}: argument `layer` is missing"))?;
    let mut wrapper = Bidirectional::new(wrapped(place, "layer", layer)?).merge_mode(mode);
    if let Some(layer) = args.get("backward_layer") {
        wrapper = wrapper.backward_layer(wrapped(place, "backward_layer", layer)?);
    }
    Ok(wrapper)
}

fn wrapped(place: &str, argument: &str, entry: &Value) -> Read<Wrapped> {
    let place = format!("{place}, {argument}");
    let (class, config) = object(&place, entry)?;
    let mut args = Args::new(format!("{place} ({class})"), config)?;
    args.ignore(&["name"]);
    args.trained_in_f32()?;
    let layer = match class {
        "LSTM" => lstm(&mut args)?.into(),
        "GRU" => gru(&mut args)?.into(),
        "PeepholeLSTM" => peephole_lstm(&mut args)?.into(),
        _ => return Err(format!("{place}: class `{class}` is not supported; supported here: LSTM, GRU")),
    };
    args.finish()?;
    Ok(layer)
}
