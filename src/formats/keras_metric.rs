//! One metric in Keras's JSON.

use serde_json::{Map, Value, json};

use super::keras_args::{Args, Read, identifier, object, short};
use super::keras_compile::PLACE;
use crate::train::{Arguments, Average, Curve, Metric, MetricKind, Target};

const AVERAGES: [(Average, &str); 3] =
    [(Average::Micro, "micro"), (Average::Macro, "macro"), (Average::Weighted, "weighted")];

/// A name, a function or a class with its arguments.
pub(super) fn read(value: &Value) -> Read<Metric> {
    let refuse = |supported: &str| {
        format!(
            "{PLACE}: metric {}; supported here: {supported}. Compile the model with these in Keras and save it again",
            short(value)
        )
    };
    if let Some(name) = identifier(value) {
        let known = |error: String| refuse(error.rsplit("there are: ").next().unwrap_or_default());
        return Metric::from_name(name).map_err(|error| known(error.to_string()));
    }
    let (class, config) = object(PLACE, value).map_err(|_| refuse("metrics of Keras"))?;
    // Keras's class of this name compares numbers; the text "accuracy" means others.
    let kind = MetricKind::from_class(class).filter(|kind| *kind != MetricKind::Accuracy);
    let kind = kind.ok_or_else(|| {
        let known = Metric::from_name("").map_or_else(|error| error.to_string(), |_| String::new());
        refuse(&known.rsplit("there are: ").next().unwrap_or_default().replace("accuracy, binary", "binary"))
    })?;
    let mut args = Args::new(format!("{PLACE}, metric ({class})"), config)?;
    args.in_f32()?;
    let name = args.get("name").and_then(Value::as_str);
    let mut metric = Metric::of(kind);
    metric.arguments = arguments(kind, &mut args)?;
    args.finish()?;
    Ok(match name {
        Some(name) if name != metric.name() => metric.named(name),
        _ => metric,
    })
}

fn arguments(kind: MetricKind, args: &mut Args<'_>) -> Read<Arguments> {
    let mut given = Arguments::default();
    match kind {
        MetricKind::BinaryAccuracy => given.threshold = some_number(args, "threshold")?.filter(|t| *t != 0.5),
        MetricKind::F1Score => {
            given.threshold = some_number(args, "threshold")?;
            let names = AVERAGES.map(|(_, name)| name);
            if args.get("average").is_some() {
                let name = args.name_of("average", names[0], &names)?;
                given.average = AVERAGES.iter().find(|(_, known)| *known == name).map(|&(average, _)| average);
            }
        }
        MetricKind::TopK | MetricKind::SparseTopK => {
            given.k = whole(args, "k")?.filter(|k| *k != 5);
            args.off(&["from_sorted_ids"])?;
        }
        MetricKind::Auc => auc(args, &mut given)?,
        MetricKind::R2Score => {
            args.name_of("class_aggregation", "uniform_average", &["uniform_average"])?;
            args.off(&["num_regressors"])?;
        }
        MetricKind::Loss(_) => {
            given.from_logits = kind.takes_logits() && args.flag("from_logits", false)?;
            given.label_smoothing = if kind.takes_smoothing() { args.number("label_smoothing", 0.0)? } else { 0.0 };
        }
        kind if kind.counts_positives() => {
            given.threshold = one_threshold(args)?.filter(|t| *t != 0.5);
            if kind.takes_k() {
                given.k = whole(args, "top_k")?;
                given.class_id = whole(args, "class_id")?;
            }
        }
        _ => {}
    }
    if let Some(axis) = args.get("axis").filter(|axis| axis.as_i64() != Some(-1)) {
        return Err(args.wrong("axis", axis, "-1"));
    }
    Ok(given)
}

fn auc(args: &mut Args<'_>, given: &mut Arguments) -> Read<()> {
    given.num_thresholds = whole(args, "num_thresholds")?.filter(|count| *count != 200);
    let curve = args.name_of("curve", "ROC", &["ROC", "PR"])?;
    given.curve = (curve == "PR").then_some(Curve::Pr);
    args.name_of("summation_method", "interpolation", &["interpolation"])?;
    given.from_logits = args.flag("from_logits", false)?;
    args.off(&["multi_label"])?;
    for name in ["num_labels", "label_weights", "thresholds"] {
        if let Some(value) = args.get(name) {
            return Err(args.wrong(name, value, "none (null)"));
        }
    }
    Ok(())
}

fn some_number(args: &mut Args<'_>, name: &'static str) -> Read<Option<f64>> {
    if args.get(name).is_none() { Ok(None) } else { args.number(name, 0.0).map(Some) }
}

fn whole(args: &mut Args<'_>, name: &'static str) -> Read<Option<u32>> {
    let Some(value) = args.get(name) else { return Ok(None) };
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    number.map(Some).ok_or_else(|| args.wrong(name, value, "a whole number"))
}

/// `thresholds`, a number or a list of one.
fn one_threshold(args: &mut Args<'_>) -> Read<Option<f64>> {
    let Some(value) = args.get("thresholds") else { return Ok(None) };
    let one = match value {
        Value::Array(list) if list.len() == 1 => list[0].as_f64(),
        other => other.as_f64(),
    };
    one.map(Some).ok_or_else(|| args.wrong("thresholds", value, "one number"))
}

/// As a text where Keras takes it for the same metric of the same name, else as a class with its arguments.
pub(super) fn write(metric: &Metric, output: &[usize], sparse: bool) -> Value {
    let name = metric.name();
    let of_text = Metric::from_name(name).ok();
    if of_text.is_some_and(|other| other.kind == metric.kind && other.arguments == metric.arguments) {
        return name.into();
    }
    let outputs = output.last().copied().unwrap_or(1);
    let resolved = metric.resolve(Target { outputs, sequence: output.len() > 1, sparse });
    let kind = resolved.map_or(metric.kind, |resolved| resolved.kind);
    let mut config = Map::new();
    config.insert("name".into(), name.into());
    write_arguments(kind, &metric.arguments, &mut config);
    json!({ "module": "keras.metrics", "class_name": kind.class_name(), "config": config, "registered_name": null })
}

fn write_arguments(kind: MetricKind, given: &Arguments, config: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    let of_positives = kind.counts_positives();
    set(if of_positives { "thresholds" } else { "threshold" }, given.threshold.map(Into::into));
    set(if of_positives { "top_k" } else { "k" }, given.k.map(Into::into));
    set("class_id", given.class_id.map(Into::into));
    let named = |average| AVERAGES.iter().find(|(known, _)| *known == average).map(|&(_, name)| name.into());
    set("average", given.average.and_then(named));
    set("curve", given.curve.map(|curve| if curve == Curve::Pr { "PR" } else { "ROC" }.into()));
    set("num_thresholds", given.num_thresholds.map(Into::into));
    set("from_logits", given.from_logits.then_some(true.into()));
    set("label_smoothing", (given.label_smoothing != 0.0).then(|| given.label_smoothing.into()));
}
