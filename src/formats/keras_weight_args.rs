//! The arguments that all of a layer's weights share, in Keras's JSON: initializers, regularizers, constraints.

use serde_json::Value;

use super::keras_args::{Args, Read, object};
use crate::model::{Constraint, Distribution, Fan, Initializer, RecurrentArgs, Regularizer, WeightArgs, snake_case};

impl<'a> Args<'a> {
    /// `PREFIX_initializer`, `PREFIX_regularizer` and `PREFIX_constraint`.
    pub fn weight(&mut self, prefix: &str, default: Initializer) -> Read<WeightArgs> {
        Ok(WeightArgs {
            initializer: self.initializer(&format!("{prefix}_initializer"), default)?,
            regularizer: self.regularizer(&format!("{prefix}_regularizer"))?,
            constraint: self.constraint(&format!("{prefix}_constraint"))?,
        })
    }

    /// Those of a recurrent layer.
    pub fn recurrent(&mut self) -> Read<RecurrentArgs> {
        Ok(RecurrentArgs {
            kernel: self.weight("kernel", RecurrentArgs::KERNEL)?,
            recurrent: self.weight("recurrent", RecurrentArgs::RECURRENT)?,
            bias: self.weight("bias", RecurrentArgs::BIAS)?,
            activity_regularizer: self.regularizer("activity_regularizer")?,
        })
    }

    /// An initializer. Keras gives what is set to null its default for weights.
    pub fn initializer(&mut self, name: &str, default: Initializer) -> Read<Initializer> {
        if self.is_null(name) {
            return Ok(Initializer::GlorotUniform);
        }
        let Some((class, mut args)) = self.named_object(name)? else { return Ok(default) };
        let initializer = match class.as_str() {
            "zeros" | "zero" => Initializer::Zeros,
            "ones" | "one" => Initializer::Ones,
            "constant" => Initializer::Constant(args.number("value", 0.0)?),
            "random_normal" | "normal" => {
                Initializer::RandomNormal { mean: args.number("mean", 0.0)?, stddev: args.number("stddev", 0.05)? }
            }
            "random_uniform" | "uniform" => Initializer::RandomUniform {
                minval: args.number("minval", -0.05)?,
                maxval: args.number("maxval", 0.05)?,
            },
            "truncated_normal" => {
                Initializer::TruncatedNormal { mean: args.number("mean", 0.0)?, stddev: args.number("stddev", 0.05)? }
            }
            "variance_scaling" => variance_scaling(&mut args)?,
            "glorot_uniform" => Initializer::GlorotUniform,
            "glorot_normal" => Initializer::GlorotNormal,
            "he_uniform" => Initializer::HeUniform,
            "he_normal" => Initializer::HeNormal,
            "lecun_uniform" => Initializer::LecunUniform,
            "lecun_normal" => Initializer::LecunNormal,
            "orthogonal" | "orthogonal_initializer" => Initializer::Orthogonal { gain: args.number("gain", 1.0)? },
            "identity" | "identity_initializer" => Initializer::Identity { gain: args.number("gain", 1.0)? },
            _ => {
                return self.unsupported(
                    name,
                    "zeros, ones, constant, random_normal, random_uniform, truncated_normal, variance_scaling, glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal, identity",
                );
            }
        };
        args.off(&["input_axes", "output_axes"])?;
        let seed = match args.get("seed") {
            None => None,
            Some(value) => {
                Some(value.as_u64().ok_or_else(|| args.wrong("seed", value, "a whole number from 0, null"))?)
            }
        };
        args.finish()?;
        Ok(match seed {
            Some(seed) => initializer.seeded(seed),
            None => initializer,
        })
    }

    /// A regularizer, if there is one.
    pub fn regularizer(&mut self, name: &str) -> Read<Option<Regularizer>> {
        let Some((class, mut args)) = self.named_object(name)? else { return Ok(None) };
        let regularizer = match class.as_str() {
            "l1" => Regularizer::l1(args.number("l1", 0.01)?),
            "l2" => Regularizer::l2(args.number("l2", 0.01)?),
            "l1l2" | "l1_l2" => Regularizer::l1_l2(args.number("l1", 0.0)?, args.number("l2", 0.0)?),
            _ => return self.unsupported(name, "L1, L2, L1L2"),
        };
        args.finish()?;
        Ok(Some(regularizer))
    }

    /// A constraint, if there is one.
    pub fn constraint(&mut self, name: &str) -> Read<Option<Constraint>> {
        let Some((class, mut args)) = self.named_object(name)? else { return Ok(None) };
        let constraint = match class.as_str() {
            "non_neg" => Constraint::NonNeg,
            "max_norm" => Constraint::MaxNorm { max_value: args.number("max_value", 2.0)?, axes: axes(&mut args)? },
            "unit_norm" => Constraint::UnitNorm { axes: axes(&mut args)? },
            "min_max_norm" => Constraint::MinMaxNorm {
                min_value: args.number("min_value", 0.0)?,
                max_value: args.number("max_value", 1.0)?,
                rate: args.number("rate", 1.0)?,
                axes: axes(&mut args)?,
            },
            _ => return self.unsupported(name, "MaxNorm, NonNeg, UnitNorm, MinMaxNorm"),
        };
        args.finish()?;
        Ok(Some(constraint))
    }

    /// An argument that is a class's name or an object of it: its class in snake case, and its arguments.
    fn named_object(&mut self, name: &str) -> Read<Option<(String, Args<'a>)>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let place = format!("{}: {name}", self.place());
        let (class, config) = match value {
            Value::String(class) => (class.as_str(), None),
            other => object(&place, other)?,
        };
        Ok(Some((snake_case(class), Args::new(format!("{place} ({class})"), config)?)))
    }

    fn unsupported<T>(&mut self, name: &str, supported: &str) -> Read<T> {
        let value = self.get(name).unwrap_or(&Value::Null);
        Err(self.wrong(name, value, supported))
    }
}

fn variance_scaling(args: &mut Args<'_>) -> Read<Initializer> {
    let mode = args.name_of("mode", "fan_in", &Fan::ALL.map(Fan::name))?;
    let mode = Fan::ALL.into_iter().find(|fan| fan.name() == mode).unwrap_or(Fan::In);
    let names = Distribution::ALL.map(Distribution::name);
    // Keras's older name of the truncated one.
    let known = [&names[..], &["normal"]].concat();
    let distribution = args.name_of("distribution", "truncated_normal", &known)?;
    let distribution = Distribution::ALL.into_iter().find(|d| d.name() == distribution);
    let distribution = distribution.unwrap_or(Distribution::TruncatedNormal);
    Ok(Initializer::VarianceScaling { scale: args.number("scale", 1.0)?, mode, distribution })
}

/// One axis or a list of them; null means all.
fn axes(args: &mut Args<'_>) -> Read<Vec<i64>> {
    if args.is_null("axis") {
        args.ignore(&["axis"]);
        return Ok(Vec::new());
    }
    let Some(value) = args.get("axis") else { return Ok(vec![0]) };
    let listed = match value {
        Value::Array(axes) if !axes.is_empty() => axes.iter().map(Value::as_i64).collect(),
        axis => axis.as_i64().map(|axis| vec![axis]),
    };
    listed.ok_or_else(|| args.wrong("axis", value, "a whole number, a list of them, null"))
}
