//! A learning rate in Keras's JSON, there and back: a number, or a schedule.

use serde_json::{Value, json};

use super::keras_args::{Args, Read, object, quoted};
use crate::train::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, PiecewiseConstantDecay,
    PolynomialDecay,
};

const CLASSES: [&str; 6] = [
    "ExponentialDecay",
    "CosineDecay",
    "CosineDecayRestarts",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "InverseTimeDecay",
];

/// Reads a schedule; `place` is where it stands.
pub(super) fn read(place: &str, value: &Value) -> Read<LearningRate> {
    let (class, config) = object(&format!("{place}: argument `learning_rate`"), value)?;
    let place = format!("{place}, learning_rate ({class})");
    let mut args = Args::new(place.clone(), config)?;
    args.ignore(&["name"]);
    let schedule = match class {
        "ExponentialDecay" => {
            let (rate, steps) = (required(&mut args, "initial_learning_rate")?, steps(&mut args, "decay_steps")?);
            let schedule = ExponentialDecay::new(rate, steps, required(&mut args, "decay_rate")?);
            schedule.staircase(args.flag("staircase", false)?).into()
        }
        "InverseTimeDecay" => {
            let (rate, steps) = (required(&mut args, "initial_learning_rate")?, steps(&mut args, "decay_steps")?);
            let schedule = InverseTimeDecay::new(rate, steps, required(&mut args, "decay_rate")?);
            schedule.staircase(args.flag("staircase", false)?).into()
        }
        "CosineDecay" => cosine(&mut args)?.into(),
        "CosineDecayRestarts" => {
            let rate = required(&mut args, "initial_learning_rate")?;
            let schedule = CosineDecayRestarts::new(rate, steps(&mut args, "first_decay_steps")?);
            let schedule = schedule.t_mul(args.number("t_mul", 2.0)?).m_mul(args.number("m_mul", 1.0)?);
            schedule.alpha(args.number("alpha", 0.0)?).into()
        }
        "PiecewiseConstantDecay" => {
            let boundaries = list(&mut args, "boundaries", whole)?;
            PiecewiseConstantDecay::new(boundaries, list(&mut args, "values", Value::as_f64)?).into()
        }
        "PolynomialDecay" => {
            let rate = required(&mut args, "initial_learning_rate")?;
            let schedule = PolynomialDecay::new(rate, steps(&mut args, "decay_steps")?);
            let schedule = schedule.end_learning_rate(args.number("end_learning_rate", 1e-4)?);
            schedule.power(args.number("power", 1.0)?).cycle(args.flag("cycle", false)?).into()
        }
        _ => {
            return Err(format!(
                "{place}: supported here: a number, {}. Compile the model with one of them in Keras and save it again",
                quoted(&CLASSES)
            ));
        }
    };
    args.finish()?;
    Ok(schedule)
}

fn cosine(args: &mut Args<'_>) -> Read<CosineDecay> {
    let (rate, steps) = (required(args, "initial_learning_rate")?, steps(args, "decay_steps")?);
    let target = args.get("warmup_target");
    let target = target.map(|value| value.as_f64().ok_or_else(|| args.wrong("warmup_target", value, "a number")));
    let warmup_steps = args.get("warmup_steps");
    let warmup_steps = match warmup_steps.map(|value| (value, whole(value))) {
        None => 0,
        Some((_, Some(steps))) => steps,
        Some((value, None)) => return Err(args.wrong("warmup_steps", value, "a whole number")),
    };
    let schedule = CosineDecay::new(rate, steps).alpha(args.number("alpha", 0.0)?);
    Ok(schedule.warmup_target(target.transpose()?).warmup_steps(warmup_steps))
}

/// A whole number, which Keras may write as 1000.0.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n))?;
    Some(number as u64)
}

fn required(args: &mut Args<'_>, name: &'static str) -> Read<f64> {
    let value = args.get(name).unwrap_or(&Value::Null);
    value.as_f64().ok_or_else(|| args.wrong(name, value, "a number"))
}

fn steps(args: &mut Args<'_>, name: &'static str) -> Read<u64> {
    let value = args.get(name).unwrap_or(&Value::Null);
    whole(value).ok_or_else(|| args.wrong(name, value, "a whole number"))
}

fn list<V>(args: &mut Args<'_>, name: &'static str, item: impl Fn(&Value) -> Option<V>) -> Read<Vec<V>> {
    let value = args.get(name).unwrap_or(&Value::Null);
    let items = value.as_array().and_then(|list| list.iter().map(item).collect());
    items.ok_or_else(|| args.wrong(name, value, "a list of numbers"))
}

/// Keras's JSON of a learning rate.
pub(super) fn write(rate: &LearningRate) -> Value {
    let (class_name, config) = match rate {
        LearningRate::Constant(rate) => return json!(rate),
        LearningRate::ExponentialDecay(s) => (
            "ExponentialDecay",
            json!({
                "initial_learning_rate": s.initial_learning_rate,
                "decay_steps": s.decay_steps,
                "decay_rate": s.decay_rate,
                "staircase": s.staircase,
            }),
        ),
        LearningRate::InverseTimeDecay(s) => (
            "InverseTimeDecay",
            json!({
                "initial_learning_rate": s.initial_learning_rate,
                "decay_steps": s.decay_steps,
                "decay_rate": s.decay_rate,
                "staircase": s.staircase,
            }),
        ),
        LearningRate::CosineDecay(s) => (
            "CosineDecay",
            json!({
                "initial_learning_rate": s.initial_learning_rate,
                "decay_steps": s.decay_steps,
                "alpha": s.alpha,
                "warmup_target": s.warmup_target,
                "warmup_steps": s.warmup_steps,
            }),
        ),
        LearningRate::CosineDecayRestarts(s) => (
            "CosineDecayRestarts",
            json!({
                "initial_learning_rate": s.initial_learning_rate,
                "first_decay_steps": s.first_decay_steps,
                "t_mul": s.t_mul,
                "m_mul": s.m_mul,
                "alpha": s.alpha,
            }),
        ),
        LearningRate::PiecewiseConstantDecay(s) => {
            ("PiecewiseConstantDecay", json!({ "boundaries": s.boundaries, "values": s.values }))
        }
        LearningRate::PolynomialDecay(s) => (
            "PolynomialDecay",
            json!({
                "initial_learning_rate": s.initial_learning_rate,
                "decay_steps": s.decay_steps,
                "end_learning_rate": s.end_learning_rate,
                "power": s.power,
                "cycle": s.cycle,
            }),
        ),
    };
    json!({
        "module": "keras.optimizers.schedules",
        "class_name": class_name,
        "config": config,
        "registered_name": null,
    })
}
