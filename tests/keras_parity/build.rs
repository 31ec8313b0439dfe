//! From a case's config to a model. A key or value that is not known here is an unsupported feature, never ignored.

use std::collections::BTreeSet;

use gatenorm::model::{ANY_LENGTH, Bidirectional, Gru, MergeMode, RenormClipping, TimeDistributed};
use gatenorm::prelude::*;
use gatenorm::train::{
    Adagrad, Common, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, Lion, Nadam,
    Optimizer, PiecewiseConstantDecay, PolynomialDecay,
};
use serde_json::{Map, Value, json};

use crate::golden::Golden;
use crate::layers;
use crate::scores::{loss_of, metric_of};
use crate::states;
use crate::weight_args;

/// What a case needs that this builder does not know.
pub type Unsupported = BTreeSet<String>;

/// Keys of a config that describe the case and do not change what is computed.
const DESCRIPTIVE: &[&str] = &[
    "batch_size",
    "description",
    "first_batch_rows",
    "format_version",
    "forward_stored_rows",
    "initial_values",
    "input_shape",
    "last_batch_size",
    "n_samples",
    "n_steps",
    "name",
    "notes",
    "observed_float32_error",
    "seed",
    "steps_per_epoch",
    "tensors",
    "versions",
];

/// The case's model, ready to be compiled.
pub struct Built {
    pub model: Architecture,
    pub loss: Vec<Loss>,
    pub optimizer: Optimizer,
    pub metrics: Vec<Metric>,
}

/// Layers in a row, or a graph.
#[derive(Clone)]
pub enum Architecture {
    Sequential(Sequential),
    Functional(Functional),
}

/// Takes the keys of a JSON object one by one, so that those left over are noticed.
pub struct Taking<'a> {
    pub what: String,
    left: Map<String, Value>,
    pub missing: &'a mut Unsupported,
}

impl Taking<'_> {
    pub fn take(&mut self, key: &str) -> Value {
        self.left.remove(key).unwrap_or(Value::Null)
    }

    /// The value of a key must be one of these.
    pub fn expect(&mut self, key: &str, allowed: &[Value]) {
        let value = self.take(key);
        if !allowed.contains(&value) {
            let value = match &value["class_name"] {
                Value::String(class) => class.clone(),
                _ => value.to_string(),
            };
            self.missing.insert(format!("{} {key}={value}", self.what));
        }
    }

    pub fn finish(self) {
        for (key, value) in self.left {
            self.missing.insert(format!("{} {key}={value}", self.what));
        }
    }
}

pub fn taking<'a>(what: &str, config: &Value, missing: &'a mut Unsupported) -> Taking<'a> {
    Taking { what: what.into(), left: config.as_object().cloned().unwrap_or_default(), missing }
}

/// The model of a case, or what it needs that is not known here.
pub fn build(golden: &Golden) -> Result<Built, Unsupported> {
    let mut missing = Unsupported::new();
    let mut case = taking("case", &golden.config, &mut missing);
    DESCRIPTIVE.iter().for_each(|key| drop(case.take(key)));
    // Class weights are among the case's sample weights, which its data set has.
    drop((case.take("class_weight"), case.take("sample_weight")));
    let layers = case.take("layers");
    // A Masking layer says the same.
    drop(case.take("masking"));
    let (loss, metric, optimizer) = (case.take("loss"), case.take("metric"), case.take("optimizer"));
    case.finish();
    let mut shape: Vec<usize> = serde_json::from_value(golden.config["input_shape"].clone()).expect("input_shape");
    if golden.tensor("x_long").is_some() {
        shape[0] = ANY_LENGTH;
    }
    let layers = layers.as_array().expect("layers");
    let (model, loss) = if states::given(golden) {
        let losses = states::losses(&mut missing, &loss);
        (Architecture::Functional(states::model(&shape, layers, &mut missing)), losses)
    } else {
        let add = |model, layer| add_layer(model, layer, &mut missing);
        let model = layers.iter().fold(Sequential::new(&shape), add);
        (Architecture::Sequential(model), vec![loss_of(&loss, &mut missing)])
    };
    let metrics = metric_of(&metric, &mut missing);
    let optimizer = optimizer_of(&optimizer, &mut missing);
    if missing.is_empty() { Ok(Built { model, loss, optimizer, metrics }) } else { Err(missing) }
}

/// Sets a layer's regularizers and constraints. Its initializers do not matter: a case gives the first values.
macro_rules! weight_args {
    ($layer:ident, $config:expr, $($initializer:ident),*; $($regularizer:ident),*; $($constraint:ident),*) => {
        $( $config.take(stringify!($initializer)); )*
        $( if let Some(regularizer) = weight_args::regularizer($config, stringify!($regularizer)) {
            $layer = $layer.$regularizer(regularizer);
        } )*
        $( if let Some(constraint) = weight_args::constraint($config, stringify!($constraint)) {
            $layer = $layer.$constraint(constraint);
        } )*
    };
}

fn activation_of(config: &mut Taking<'_>, key: &str) -> Activation {
    let value = config.take(key);
    Activation::from_name(value.as_str().expect("a name")).unwrap_or_else(|_| {
        config.missing.insert(format!("{} {key}={value}", config.what));
        Activation::Linear
    })
}

pub fn lstm_of(config: &mut Taking<'_>) -> Lstm {
    leave_out(config);
    let flag = |value: Value| value.as_bool().unwrap_or(false);
    let [activation, recurrent_activation] =
        ["activation", "recurrent_activation"].map(|key| activation_of(config, key));
    let [dropout, recurrent_dropout] =
        ["dropout", "recurrent_dropout"].map(|key| config.take(key).as_f64().unwrap_or(0.0));
    let mut layer = Lstm::new(config.take("units").as_u64().expect("units") as usize)
        .dropout(dropout)
        .recurrent_dropout(recurrent_dropout)
        .activation(activation)
        .recurrent_activation(recurrent_activation)
        .go_backwards(flag(config.take("go_backwards")))
        .return_state(flag(config.take("return_state")))
        .stateful(flag(config.take("stateful")))
        .zero_output_for_mask(config.take("zero_output_for_mask").as_bool().unwrap_or(false))
        .return_sequences(flag(config.take("return_sequences")))
        .use_bias(flag(config.take("use_bias")))
        .unit_forget_bias(flag(config.take("unit_forget_bias")));
    weight_args!(layer, config, kernel_initializer, recurrent_initializer, bias_initializer;
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer;
        kernel_constraint, recurrent_constraint, bias_constraint);
    layer
}

fn dense_of(config: &mut Taking<'_>) -> Dense {
    let activation = activation_of(config, "activation");
    let mut layer = Dense::new(config.take("units").as_u64().expect("units") as usize)
        .activation(activation)
        .use_bias(config.take("use_bias").as_bool().expect("a boolean"));
    weight_args!(layer, config, kernel_initializer, bias_initializer;
        kernel_regularizer, bias_regularizer, activity_regularizer; kernel_constraint, bias_constraint);
    layer
}

/// Arguments that are ways to compute the same, and the seed of dropout, whose numbers are not Keras's.
fn leave_out(config: &mut Taking<'_>) {
    ["unroll", "use_cudnn", "implementation", "seed"].iter().for_each(|key| drop(config.take(key)));
}

fn gru_of(config: &mut Taking<'_>) -> Gru {
    leave_out(config);
    let flag = |value: Value| value.as_bool().unwrap_or(false);
    let [activation, recurrent_activation] =
        ["activation", "recurrent_activation"].map(|key| activation_of(config, key));
    let [dropout, recurrent_dropout] =
        ["dropout", "recurrent_dropout"].map(|key| config.take(key).as_f64().unwrap_or(0.0));
    let mut layer = Gru::new(config.take("units").as_u64().expect("units") as usize)
        .dropout(dropout)
        .recurrent_dropout(recurrent_dropout)
        .activation(activation)
        .recurrent_activation(recurrent_activation)
        .reset_after(config.take("reset_after") != json!(false))
        .go_backwards(flag(config.take("go_backwards")))
        .return_state(flag(config.take("return_state")))
        .stateful(flag(config.take("stateful")))
        .zero_output_for_mask(flag(config.take("zero_output_for_mask")))
        .return_sequences(flag(config.take("return_sequences")))
        .use_bias(flag(config.take("use_bias")));
    weight_args!(layer, config, kernel_initializer, recurrent_initializer, bias_initializer;
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer;
        kernel_constraint, recurrent_constraint, bias_constraint);
    layer
}

fn add_layer(model: Sequential, layer: &Value, missing: &mut Unsupported) -> Sequential {
    let class = layer["class_name"].as_str().expect("class_name");
    let name = layer["name"].as_str().expect("name");
    let mut config = taking(class, &layer["config"], missing);
    let flag = |value: Value| value.as_bool().expect("a boolean");
    match class {
        "LSTM" => {
            let layer = lstm_of(&mut config);
            config.finish();
            model.add_named(name, std::sync::Arc::new(layer))
        }
        "GRU" => {
            let layer = gru_of(&mut config);
            config.finish();
            model.add_named(name, std::sync::Arc::new(layer))
        }
        "Bidirectional" => {
            let wrapped = config.take("layer");
            let mode = config.take("merge_mode");
            let mode = MergeMode::ALL.into_iter().find(|m| m.name() == mode.as_str()).expect("a merge mode");
            config.finish();
            let class = wrapped["class_name"].as_str().expect("class_name");
            let mut config = taking(class, &wrapped["config"], missing);
            let layer = match class {
                "GRU" => Bidirectional::new(gru_of(&mut config)),
                _ => Bidirectional::new(lstm_of(&mut config)),
            };
            let layer = layer.merge_mode(mode);
            config.finish();
            model.add_named(name, std::sync::Arc::new(layer))
        }
        "RecurrentBatchNormLSTM" => {
            drop(config.take("formula"));
            let mut count = |key: &str| config.take(key).as_u64().expect("a count") as usize;
            let layer = RecurrentBatchNormLstm::new(count("units"), count("max_steps"))
                .return_sequences(flag(config.take("return_sequences")))
                .momentum(config.take("momentum").as_f64().expect("momentum"))
                .epsilon(config.take("epsilon").as_f64().expect("epsilon"));
            config.finish();
            model.add_named(name, std::sync::Arc::new(layer))
        }
        "BatchNormalization" => {
            let trainable = config.take("trainable") != json!(false);
            let bounds = config.take("renorm_clipping");
            let bound = |name: &str| bounds[name].as_f64();
            let (rmax, rmin, dmax) = (bound("rmax"), bound("rmin"), bound("dmax"));
            let mut layer = BatchNormalization::new()
                .axis(config.take("axis").as_i64().expect("axis"))
                .synchronized(config.take("synchronized").as_bool().unwrap_or(false))
                .renorm(config.take("renorm").as_bool().unwrap_or(false))
                .renorm_clipping(RenormClipping { rmax, rmin, dmax })
                .renorm_momentum(config.take("renorm_momentum").as_f64().unwrap_or(0.99))
                .momentum(config.take("momentum").as_f64().expect("momentum"))
                .epsilon(config.take("epsilon").as_f64().expect("epsilon"))
                .center(flag(config.take("center")))
                .scale(flag(config.take("scale")));
            weight_args!(layer, &mut config, beta_initializer, gamma_initializer, moving_mean_initializer,
                moving_variance_initializer; beta_regularizer, gamma_regularizer; beta_constraint, gamma_constraint);
            config.finish();
            // Frozen layers have the names that Keras gives.
            if trainable { model.add_named(name, std::sync::Arc::new(layer)) } else { model.add_frozen(layer) }
        }
        "Dense" => {
            let layer = dense_of(&mut config);
            config.finish();
            model.add_named(name, std::sync::Arc::new(layer))
        }
        "TimeDistributed" if config.left["layer"]["class_name"] == "Dense" => {
            let wrapped = config.take("layer");
            config.finish();
            let mut config = taking("Dense", &wrapped["config"], missing);
            let layer = TimeDistributed::new(dense_of(&mut config));
            config.finish();
            model.add_named(name, std::sync::Arc::new(layer))
        }
        other => match layers::other(other, &mut config) {
            Some(layer) => {
                config.finish();
                model.add_named(name, layer)
            }
            None => {
                missing.insert(format!("layer {other}"));
                model
            }
        },
    }
}

fn optimizer_of(optimizer: &Value, missing: &mut Unsupported) -> Optimizer {
    if optimizer.is_null() {
        return Sgd::new(0.0).into();
    }
    let class = optimizer["class_name"].as_str().unwrap_or("none");
    let mut config = taking(class, &optimizer["config"], missing);
    let rate = config.take("learning_rate");
    let rate = rate.as_f64().map(LearningRate::from).unwrap_or_else(|| schedule_of(&rate, config.missing));
    let mut number = |key: &str| config.take(key).as_f64();
    let (weight_decay, ema_momentum) = (number("weight_decay"), number("ema_momentum"));
    let (clipnorm, global_clipnorm, clipvalue) = (number("clipnorm"), number("global_clipnorm"), number("clipvalue"));
    let mut must = |key: &str| number(key).unwrap_or_else(|| panic!("{class} {key}"));
    let mut built: Optimizer = match class {
        "Adam" => Adam::new(rate).beta_1(must("beta_1")).beta_2(must("beta_2")).epsilon(must("epsilon")).into(),
        "AdamW" => AdamW::new(rate).beta_1(must("beta_1")).beta_2(must("beta_2")).epsilon(must("epsilon")).into(),
        "Nadam" => Nadam::new(rate).beta_1(must("beta_1")).beta_2(must("beta_2")).epsilon(must("epsilon")).into(),
        "SGD" => Sgd::new(rate).momentum(must("momentum")).into(),
        "RMSprop" => RmsProp::new(rate).rho(must("rho")).momentum(must("momentum")).epsilon(must("epsilon")).into(),
        "Adagrad" => {
            let adagrad = Adagrad::new(rate).initial_accumulator_value(must("initial_accumulator_value"));
            adagrad.epsilon(must("epsilon")).into()
        }
        "Lion" => Lion::new(rate).beta_1(must("beta_1")).beta_2(must("beta_2")).into(),
        other => {
            missing.insert(format!("optimizer {other}"));
            return Sgd::new(0.0).into();
        }
    };
    let mut flag = |key: &str| config.take(key).as_bool().unwrap_or(false);
    match &mut built {
        Optimizer::Adam(adam) => adam.amsgrad = flag("amsgrad"),
        Optimizer::AdamW(adam) => adam.amsgrad = flag("amsgrad"),
        Optimizer::Sgd(sgd) => sgd.nesterov = flag("nesterov"),
        Optimizer::RmsProp(rms) => rms.centered = flag("centered"),
        _ => {}
    }
    let use_ema = flag("use_ema");
    let frequency = config.take("ema_overwrite_frequency").as_u64().map(|n| n as u32);
    config.finish();
    *built.common_mut() = Common {
        weight_decay,
        clipnorm,
        global_clipnorm,
        clipvalue,
        use_ema,
        ema_momentum: ema_momentum.unwrap_or(0.99),
        ema_overwrite_frequency: frequency,
        ..Common::default()
    };
    built
}

fn schedule_of(schedule: &Value, missing: &mut Unsupported) -> LearningRate {
    let class = schedule["class_name"].as_str().unwrap_or("learning_rate");
    let mut config = taking(class, &schedule["config"], missing);
    let values = config.take("values");
    let boundaries = config.take("boundaries");
    let flag = ["staircase", "cycle"].map(|key| config.take(key)).iter().any(|value| value == &json!(true));
    let mut number = |key: &str, default: f64| config.take(key).as_f64().unwrap_or(default);
    let first = number("initial_learning_rate", f64::NAN);
    let steps = number("decay_steps", 0.0).max(number("first_decay_steps", 0.0)) as u64;
    let built: LearningRate = match class {
        "ExponentialDecay" => {
            ExponentialDecay::new(first, steps, number("decay_rate", f64::NAN)).staircase(flag).into()
        }
        "InverseTimeDecay" => {
            InverseTimeDecay::new(first, steps, number("decay_rate", f64::NAN)).staircase(flag).into()
        }
        "CosineDecay" => {
            let target = number("warmup_target", f64::NAN);
            let cosine = CosineDecay::new(first, steps).alpha(number("alpha", 0.0));
            cosine
                .warmup_target((!target.is_nan()).then_some(target))
                .warmup_steps(number("warmup_steps", 0.0) as u64)
                .into()
        }
        "CosineDecayRestarts" => {
            let restarts = CosineDecayRestarts::new(first, steps).alpha(number("alpha", 0.0));
            restarts.t_mul(number("t_mul", 2.0)).m_mul(number("m_mul", 1.0)).into()
        }
        "PolynomialDecay" => {
            let polynomial = PolynomialDecay::new(first, steps).power(number("power", 1.0)).cycle(flag);
            polynomial.end_learning_rate(number("end_learning_rate", 1e-4)).into()
        }
        "PiecewiseConstantDecay" => {
            let list = |value: Value| serde_json::from_value::<Vec<f64>>(value).expect("a list of numbers");
            let boundaries = list(boundaries).into_iter().map(|boundary| boundary as u64).collect();
            PiecewiseConstantDecay::new(boundaries, list(values)).into()
        }
        other => {
            missing.insert(format!("schedule {other}"));
            return LearningRate::from(0.0);
        }
    };
    config.finish();
    built
}
