//! An optimizer's arguments in Keras's JSON, there and back.

use serde_json::{Value, json};

use super::keras_args::{Args, Read, identifier, object, short};
use crate::train::{Adam, Optimizer, Sgd};

const PLACE: &str = "compile_config";

/// Reads an optimizer, given by name or with its arguments.
pub(super) fn read(value: &Value) -> Read<Optimizer> {
    let refuse = || {
        format!(
            "{PLACE}: argument `optimizer` is {}; supported here: Adam, SGD. Compile the model with one of them in Keras and save it again",
            short(value)
        )
    };
    let (class, config) = match identifier(value) {
        Some(name) => (name, None),
        None => object(PLACE, value).map_err(|_| refuse())?,
    };
    let mut args = Args::new(format!("{PLACE}, optimizer ({class})"), config)?;
    let optimizer = match class.to_lowercase().as_str() {
        "adam" => adam(&mut args)?,
        "sgd" => sgd(&mut args)?,
        _ => return Err(refuse()),
    };
    args.off(&[
        "weight_decay",
        "clipnorm",
        "global_clipnorm",
        "clipvalue",
        "use_ema",
        "gradient_accumulation_steps",
        "is_legacy_optimizer",
    ])?;
    if let Some(factor) = args.get("loss_scale_factor").filter(|factor| factor.as_f64() != Some(1.0)) {
        return Err(args.wrong("loss_scale_factor", factor, "none (null)"));
    }
    // They only act together with `use_ema`, or on how Keras runs it.
    args.ignore(&["name", "ema_momentum", "ema_overwrite_frequency", "jit_compile"]);
    args.finish()?;
    Ok(optimizer)
}

fn adam(args: &mut Args<'_>) -> Read<Optimizer> {
    args.off(&["amsgrad"])?;
    let default = Adam::default();
    Ok(Optimizer::Adam(Adam {
        learning_rate: learning_rate(args, default.learning_rate)?,
        beta_1: args.number("beta_1", default.beta_1)?,
        beta_2: args.number("beta_2", default.beta_2)?,
        epsilon: args.number("epsilon", default.epsilon)?,
    }))
}

fn sgd(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = Sgd::default();
    Ok(Optimizer::Sgd(Sgd {
        learning_rate: learning_rate(args, default.learning_rate)?,
        momentum: args.number("momentum", default.momentum)?,
        nesterov: args.flag("nesterov", default.nesterov)?,
    }))
}

fn learning_rate(args: &mut Args<'_>, default: f64) -> Read<f64> {
    const NAME: &str = "learning_rate";
    match args.get(NAME) {
        None => Ok(default),
        Some(value) => value.as_f64().ok_or_else(|| args.wrong(NAME, value, "a number, no schedule")),
    }
}

/// Keras's JSON of an optimizer.
pub(super) fn write(optimizer: &Optimizer) -> Value {
    let (class_name, config) = match optimizer {
        Optimizer::Adam(adam) => (
            "Adam",
            json!({
                "name": "adam",
                "learning_rate": adam.learning_rate,
                "beta_1": adam.beta_1,
                "beta_2": adam.beta_2,
                "epsilon": adam.epsilon,
                "amsgrad": false,
            }),
        ),
        Optimizer::Sgd(sgd) => (
            "SGD",
            json!({
                "name": "sgd",
                "learning_rate": sgd.learning_rate,
                "momentum": sgd.momentum,
                "nesterov": sgd.nesterov,
            }),
        ),
    };
    json!({ "module": "keras.optimizers", "class_name": class_name, "config": config, "registered_name": null })
}
