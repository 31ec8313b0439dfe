//! One loss in Keras's JSON.

use serde_json::{Map, Value, json};

use super::keras_args::{Args, Read, identifier, object, short};
use super::keras_compile::PLACE;
use crate::train::{Loss, LossKind, Reduction};

/// A name, a function or a class with its arguments.
pub(super) fn read(value: &Value) -> Read<Loss> {
    let refuse = |why: &str| {
        format!(
            "{PLACE}: argument `loss` is {}; supported here: {why}. Compile the model with one of them in Keras and save it again",
            short(value)
        )
    };
    let known = |name: &str| Loss::from_name(name).map_err(|error| refuse(&supported(&error.to_string())));
    if let Some(name) = identifier(value) {
        return known(name);
    }
    let (class, config) = object(PLACE, value).map_err(|_| refuse("losses of Keras"))?;
    let loss = known(class)?;
    let mut args = Args::new(format!("{PLACE}, loss ({class})"), config)?;
    args.ignore(&["name"]);
    args.in_f32()?;
    let mut loss = loss.reduction(reduction(&mut args)?);
    if loss.kind().takes_logits() {
        loss = loss.from_logits(args.flag("from_logits", false)?);
    }
    if loss.kind().takes_smoothing() {
        loss = loss.label_smoothing(args.number("label_smoothing", 0.0)?);
    }
    if loss.kind() == LossKind::Huber {
        loss = loss.delta(args.number("delta", 1.0)?);
    }
    if let Some(axis) = args.get("axis").filter(|axis| axis.as_i64() != Some(-1)) {
        return Err(args.wrong("axis", axis, "-1"));
    }
    args.finish()?;
    Ok(loss)
}

/// The list of names at the end of an error.
fn supported(error: &str) -> String {
    error.rsplit("there are: ").next().unwrap_or(error).to_owned()
}

fn reduction(args: &mut Args<'_>) -> Read<Reduction> {
    let all = Reduction::ALL.map(Reduction::name);
    let name = args.name_of("reduction", all[0], &[&all[..], &["mean"]].concat())?;
    Ok(Reduction::ALL.into_iter().find(|reduction| reduction.name() == name).unwrap_or_default())
}

/// Its name, or its class with the arguments that are not the defaults. The weight is another argument of `compile`.
pub(super) fn write(loss: Loss) -> Value {
    let plain = loss.plain();
    if loss == plain.weight(loss.counts_for()) {
        return loss.name().into();
    }
    let mut config = Map::new();
    config.insert("reduction".into(), loss.reduced_by().name().into());
    if loss.kind().takes_logits() {
        config.insert("from_logits".into(), loss.takes_logits().into());
    }
    if loss.kind().takes_smoothing() {
        config.insert("label_smoothing".into(), loss.smoothing().into());
    }
    if loss.kind() == LossKind::Huber {
        config.insert("delta".into(), loss.huber_delta().into());
    }
    json!({ "module": "keras.losses", "class_name": loss.class_name(), "config": config, "registered_name": null })
}
