//! The arguments that all of a layer's weights share: how each begins, what is added to the loss for it, what it is held to.

use serde_json::{Map, Value, json};

use super::constraint::Constraint;
use super::initializer::Initializer;
use super::layer::VariableSpec;
use super::regularizer::Regularizer;

/// Keras's `*_initializer`, `*_regularizer` and `*_constraint` of one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightArgs {
    /// How it begins.
    pub initializer: Initializer,
    /// What is added to the loss for it.
    pub regularizer: Option<Regularizer>,
    /// What it is held to after each step.
    pub constraint: Option<Constraint>,
}

impl WeightArgs {
    /// A weight that begins like this, and nothing else.
    pub fn new(initializer: Initializer) -> Self {
        WeightArgs { initializer, regularizer: None, constraint: None }
    }

    /// The variable that it describes.
    pub(super) fn variable(&self, name: &str, shape: &[usize]) -> VariableSpec {
        VariableSpec {
            regularizer: self.regularizer,
            constraint: self.constraint.clone(),
            ..VariableSpec::new(name, shape, self.initializer.clone())
        }
    }

    /// Writes `PREFIX_initializer`, `PREFIX_regularizer` and `PREFIX_constraint` into a layer's arguments, those that are not
    /// Keras's defaults.
    pub(super) fn write(&self, prefix: &str, default: &Initializer, config: &mut Map<String, Value>) {
        write_initializer(prefix, &self.initializer, default, config);
        if let Some(regularizer) = &self.regularizer {
            config.insert(format!("{prefix}_regularizer"), regularizer.config());
        }
        if let Some(constraint) = &self.constraint {
            config.insert(format!("{prefix}_constraint"), constraint.config());
        }
    }
}

/// What recurrent layers have of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecurrentArgs {
    pub kernel: WeightArgs,
    pub recurrent: WeightArgs,
    pub bias: WeightArgs,
    pub activity_regularizer: Option<Regularizer>,
}

impl RecurrentArgs {
    /// Keras's default of `kernel_initializer`.
    pub const KERNEL: Initializer = Initializer::GlorotUniform;
    /// Keras's default of `recurrent_initializer`.
    pub const RECURRENT: Initializer = Initializer::Orthogonal { gain: 1.0 };
    /// Keras's default of `bias_initializer`.
    pub const BIAS: Initializer = Initializer::Zeros;

    /// Writes them into a layer's arguments, those that are not Keras's defaults.
    pub(super) fn write(&self, config: &mut Map<String, Value>) {
        self.kernel.write("kernel", &Self::KERNEL, config);
        self.recurrent.write("recurrent", &Self::RECURRENT, config);
        self.bias.write("bias", &Self::BIAS, config);
        write_activity_regularizer(self.activity_regularizer, config);
    }
}

impl Default for RecurrentArgs {
    fn default() -> Self {
        let [kernel, recurrent, bias] = [Self::KERNEL, Self::RECURRENT, Self::BIAS].map(WeightArgs::new);
        RecurrentArgs { kernel, recurrent, bias, activity_regularizer: None }
    }
}

/// Writes `PREFIX_initializer` where it is not Keras's default.
pub(super) fn write_initializer(
    prefix: &str,
    initializer: &Initializer,
    default: &Initializer,
    config: &mut Map<String, Value>,
) {
    if initializer != default {
        config.insert(format!("{prefix}_initializer"), initializer.config());
    }
}

/// Writes `activity_regularizer` where there is one.
pub(super) fn write_activity_regularizer(regularizer: Option<Regularizer>, config: &mut Map<String, Value>) {
    if let Some(regularizer) = regularizer {
        config.insert("activity_regularizer".into(), regularizer.config());
    }
}

/// An object of Keras's files.
pub(super) fn keras_object(module: &str, class_name: &str, config: Map<String, Value>) -> Value {
    json!({ "module": module, "class_name": class_name, "config": config, "registered_name": null })
}

/// A number of Keras's files.
pub(super) fn number(value: f64) -> Value {
    json!(value)
}

/// The methods of a layer that set a weight's arguments, under Keras's names.
macro_rules! weight_setters {
    ($($($weight:ident).+ : $initializer:ident, $regularizer:ident, $constraint:ident;)*) => { $(
        #[doc = concat!("Keras's `", stringify!($initializer), "`: how the weight begins.")]
        pub fn $initializer(mut self, initializer: $crate::model::Initializer) -> Self {
            self.$($weight).+.initializer = initializer;
            self
        }

        #[doc = concat!("Keras's `", stringify!($regularizer), "`: what is added to the loss for the weight (nothing by default).")]
        pub fn $regularizer(mut self, regularizer: $crate::model::Regularizer) -> Self {
            self.$($weight).+.regularizer = Some(regularizer);
            self
        }

        #[doc = concat!("Keras's `", stringify!($constraint), "`: what the weight is held to after each step (nothing by default).")]
        pub fn $constraint(mut self, constraint: $crate::model::Constraint) -> Self {
            self.$($weight).+.constraint = Some(constraint);
            self
        }
    )* }
}
pub(super) use weight_setters;
