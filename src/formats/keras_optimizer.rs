//! An optimizer's arguments in Keras's JSON, there and back.

use serde_json::{Map, Value, json};

use super::keras_args::{Args, Read, identifier, object, short};
use super::keras_schedule;
use crate::train::{Adagrad, Adam, AdamW, Common, LearningRate, Lion, Nadam, Optimizer, RmsProp, Sgd};

const PLACE: &str = "compile_config";
const SUPPORTED: &str = "Adam, AdamW, SGD, RMSprop, Nadam, Adagrad, Lion";

/// Reads an optimizer, given by name or with its arguments.
pub(super) fn read(value: &Value) -> Read<Optimizer> {
    let refuse = || {
        format!(
            "{PLACE}: argument `optimizer` is {}; supported here: {SUPPORTED}. Compile the model with one of them in Keras and save it again",
            short(value)
        )
    };
    let (class, config) = match identifier(value) {
        Some(name) => (name, None),
        None => object(PLACE, value).map_err(|_| refuse())?,
    };
    let place = format!("{PLACE}, optimizer ({class})");
    let mut args = Args::new(place.clone(), config)?;
    let mut optimizer = match class.to_lowercase().as_str() {
        "adam" => adam(&mut args)?,
        "adamw" => match adam(&mut args)? {
            Optimizer::Adam(Adam { learning_rate, beta_1, beta_2, epsilon, amsgrad, .. }) => {
                AdamW { learning_rate, beta_1, beta_2, epsilon, amsgrad, ..AdamW::default() }.into()
            }
            other => other,
        },
        "sgd" => sgd(&mut args)?,
        "rmsprop" => rmsprop(&mut args)?,
        "nadam" => nadam(&mut args)?,
        "adagrad" => adagrad(&mut args)?,
        "lion" => lion(&mut args)?,
        _ => return Err(refuse()),
    };
    if let Some(rate) = args.get("learning_rate") {
        optimizer.set_learning_rate(learning_rate(&args, &place, rate)?);
    }
    common(&mut args, optimizer.common_mut())?;
    args.off(&["is_legacy_optimizer"])?;
    if let Some(factor) = args.get("loss_scale_factor").filter(|factor| factor.as_f64() != Some(1.0)) {
        return Err(args.wrong("loss_scale_factor", factor, "none (null)"));
    }
    // They only act on how Keras runs it.
    args.ignore(&["name", "jit_compile"]);
    args.finish()?;
    Ok(optimizer)
}

fn learning_rate(args: &Args<'_>, place: &str, value: &Value) -> Read<LearningRate> {
    match value.as_f64() {
        Some(rate) => Ok(LearningRate::Constant(rate)),
        None if value.is_object() => keras_schedule::read(place, value),
        None => Err(args.wrong("learning_rate", value, "a number or a schedule")),
    }
}

/// Reads the arguments that every optimizer has.
fn common(args: &mut Args<'_>, common: &mut Common) -> Read<()> {
    if args.get("weight_decay").is_some() {
        common.weight_decay = Some(args.number("weight_decay", 0.0)?).filter(|&decay| decay != 0.0);
    }
    // Keras takes 0 for none.
    let mut limit = |name| Ok::<_, String>(Some(args.number(name, 0.0)?).filter(|&limit| limit != 0.0));
    common.clipnorm = limit("clipnorm")?;
    common.global_clipnorm = limit("global_clipnorm")?;
    common.clipvalue = limit("clipvalue")?;
    common.gradient_accumulation_steps = match args.get("gradient_accumulation_steps") {
        None => None,
        Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
            // Keras takes 0 for none.
            Some(0) => None,
            Some(steps) if steps > 1 => Some(steps),
            _ => return Err(args.wrong("gradient_accumulation_steps", value, "a whole number of at least 2")),
        },
    };
    common.use_ema = args.flag("use_ema", false)?;
    let momentum = args.number("ema_momentum", common.ema_momentum)?;
    let frequency = args.get("ema_overwrite_frequency");
    if common.use_ema {
        common.ema_momentum = momentum;
        let count = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        common.ema_overwrite_frequency = match frequency.map(|value| (value, count(value))) {
            None => None,
            Some((_, Some(count))) => Some(count),
            Some((value, None)) => return Err(args.wrong("ema_overwrite_frequency", value, "a whole number")),
        };
    }
    Ok(())
}

fn adam(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = Adam::default();
    Ok(Optimizer::Adam(Adam {
        beta_1: args.number("beta_1", default.beta_1)?,
        beta_2: args.number("beta_2", default.beta_2)?,
        epsilon: args.number("epsilon", default.epsilon)?,
        amsgrad: args.flag("amsgrad", default.amsgrad)?,
        ..default
    }))
}

fn sgd(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = Sgd::default();
    Ok(Optimizer::Sgd(Sgd {
        momentum: args.number("momentum", default.momentum)?,
        nesterov: args.flag("nesterov", default.nesterov)?,
        ..default
    }))
}

fn rmsprop(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = RmsProp::default();
    Ok(Optimizer::RmsProp(RmsProp {
        rho: args.number("rho", default.rho)?,
        momentum: args.number("momentum", default.momentum)?,
        epsilon: args.number("epsilon", default.epsilon)?,
        centered: args.flag("centered", default.centered)?,
        ..default
    }))
}

fn nadam(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = Nadam::default();
    Ok(Optimizer::Nadam(Nadam {
        beta_1: args.number("beta_1", default.beta_1)?,
        beta_2: args.number("beta_2", default.beta_2)?,
        epsilon: args.number("epsilon", default.epsilon)?,
        ..default
    }))
}

fn adagrad(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = Adagrad::default();
    let initial = args.number("initial_accumulator_value", default.initial_accumulator_value)?;
    let epsilon = args.number("epsilon", default.epsilon)?;
    Ok(Optimizer::Adagrad(Adagrad { initial_accumulator_value: initial, epsilon, ..default }))
}

fn lion(args: &mut Args<'_>) -> Read<Optimizer> {
    let default = Lion::default();
    let (beta_1, beta_2) = (args.number("beta_1", default.beta_1)?, args.number("beta_2", default.beta_2)?);
    Ok(Optimizer::Lion(Lion { beta_1, beta_2, ..default }))
}

/// Keras's JSON of an optimizer. What is at Keras's default is left out where older releases may not know it.
pub(super) fn write(optimizer: &Optimizer) -> Value {
    let class_name = optimizer.class_name();
    let own = match optimizer {
        Optimizer::Adam(Adam { beta_1, beta_2, epsilon, amsgrad, .. })
        | Optimizer::AdamW(AdamW { beta_1, beta_2, epsilon, amsgrad, .. }) => {
            json!({ "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad })
        }
        Optimizer::Sgd(sgd) => json!({ "momentum": sgd.momentum, "nesterov": sgd.nesterov }),
        Optimizer::RmsProp(rms) => json!({
            "rho": rms.rho,
            "momentum": rms.momentum,
            "epsilon": rms.epsilon,
            "centered": rms.centered,
        }),
        Optimizer::Nadam(nadam) => {
            json!({ "beta_1": nadam.beta_1, "beta_2": nadam.beta_2, "epsilon": nadam.epsilon })
        }
        Optimizer::Adagrad(adagrad) => json!({
            "initial_accumulator_value": adagrad.initial_accumulator_value,
            "epsilon": adagrad.epsilon,
        }),
        Optimizer::Lion(lion) => json!({ "beta_1": lion.beta_1, "beta_2": lion.beta_2 }),
    };
    let mut config = own.as_object().cloned().unwrap_or_default();
    config.insert("name".into(), class_name.to_lowercase().into());
    config.insert("learning_rate".into(), keras_schedule::write(optimizer.schedule()));
    write_common(optimizer, &mut config);
    json!({ "module": "keras.optimizers", "class_name": class_name, "config": config, "registered_name": null })
}

fn write_common(optimizer: &Optimizer, config: &mut Map<String, Value>) {
    let common = optimizer.common();
    // AdamW without it would get Keras's default.
    let decay = common.weight_decay.or(matches!(optimizer, Optimizer::AdamW(_)).then_some(0.0));
    let numbers = [
        ("weight_decay", decay),
        ("clipnorm", common.clipnorm),
        ("global_clipnorm", common.global_clipnorm),
        ("clipvalue", common.clipvalue),
        ("ema_momentum", common.use_ema.then_some(common.ema_momentum)),
    ];
    for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        config.insert(name.into(), value.into());
    }
    if let Some(steps) = common.gradient_accumulation_steps {
        config.insert("gradient_accumulation_steps".into(), steps.into());
    }
    if common.use_ema {
        config.insert("use_ema".into(), true.into());
        config.insert("ema_overwrite_frequency".into(), common.ema_overwrite_frequency.into());
    }
}
