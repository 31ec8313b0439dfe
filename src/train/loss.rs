//! Losses by Keras's names, with Keras's arguments.

use crate::error::{Error, Result};

/// How a batch's losses become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their weighted sum over the number of rows, of masked sequences over the number of steps that count.
    #[default]
    SumOverBatchSize,
    /// Their weighted sum.
    Sum,
    /// Their weighted sum over the sum of the weights.
    MeanWithSampleWeight,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Reduction; 3] = [Reduction::SumOverBatchSize, Reduction::Sum, Reduction::MeanWithSampleWeight];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::SumOverBatchSize => "sum_over_batch_size",
            Reduction::Sum => "sum",
            Reduction::MeanWithSampleWeight => "mean_with_sample_weight",
        }
    }
}

/// The formula of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossKind {
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Huber,
    LogCosh,
    Poisson,
    KlDivergence,
}

impl LossKind {
    /// Keras's function, its class, and its short name where it has one.
    const NAMES: [(LossKind, &'static str, &'static str, Option<&'static str>); 11] = [
        (LossKind::BinaryCrossentropy, "binary_crossentropy", "BinaryCrossentropy", Some("bce")),
        (LossKind::CategoricalCrossentropy, "categorical_crossentropy", "CategoricalCrossentropy", None),
        (
            LossKind::SparseCategoricalCrossentropy,
            "sparse_categorical_crossentropy",
            "SparseCategoricalCrossentropy",
            None,
        ),
        (LossKind::MeanSquaredError, "mean_squared_error", "MeanSquaredError", Some("mse")),
        (LossKind::MeanAbsoluteError, "mean_absolute_error", "MeanAbsoluteError", Some("mae")),
        (
            LossKind::MeanAbsolutePercentageError,
            "mean_absolute_percentage_error",
            "MeanAbsolutePercentageError",
            Some("mape"),
        ),
        (
            LossKind::MeanSquaredLogarithmicError,
            "mean_squared_logarithmic_error",
            "MeanSquaredLogarithmicError",
            Some("msle"),
        ),
        (LossKind::Huber, "huber", "Huber", None),
        (LossKind::LogCosh, "log_cosh", "LogCosh", None),
        (LossKind::Poisson, "poisson", "Poisson", None),
        (LossKind::KlDivergence, "kl_divergence", "KLDivergence", Some("kld")),
    ];

    fn names(self) -> (&'static str, &'static str) {
        let found = Self::NAMES.iter().find(|(kind, ..)| *kind == self);
        found.map_or(("", ""), |&(_, function, class, _)| (function, class))
    }

    /// As in Keras's lists of losses.
    pub fn from_name(name: &str) -> Option<LossKind> {
        let is = |&&(_, function, class, short): &&(LossKind, &str, &str, Option<&str>)| {
            name == function || name == class || short.is_some_and(|s| name == s || name == s.to_uppercase())
        };
        Self::NAMES.iter().find(is).map(|&(kind, ..)| kind)
    }

    /// Whether the truth is the number of a class.
    pub fn is_sparse(self) -> bool {
        self == LossKind::SparseCategoricalCrossentropy
    }

    pub fn takes_logits(self) -> bool {
        matches!(
            self,
            LossKind::BinaryCrossentropy | LossKind::CategoricalCrossentropy | LossKind::SparseCategoricalCrossentropy
        )
    }

    pub fn takes_smoothing(self) -> bool {
        matches!(self, LossKind::BinaryCrossentropy | LossKind::CategoricalCrossentropy)
    }
}

/// What training minimises: the mean over outputs, time steps and samples, each weighted by its sample.
///
/// p is the prediction, y the truth. The cross-entropies take probabilities, unless [`Loss::from_logits`]; right after a sigmoid
/// or a softmax they go through the logits all the same, so that a saturated output keeps its gradient (as Keras does on
/// TensorFlow); else they clip probabilities to [1e-7, 1 - 1e-7].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    kind: LossKind,
    from_logits: bool,
    label_smoothing: f64,
    delta: f64,
    reduction: Reduction,
    weight: f64,
}

#[expect(non_upper_case_globals, reason = "Keras's classes, used as if they were variants")]
impl Loss {
    /// -y ln p - (1 - y) ln(1 - p)
    pub const BinaryCrossentropy: Loss = Loss::of(LossKind::BinaryCrossentropy);
    /// -Σ y ln p over the classes, where y is 1 for one class and 0 for the others
    pub const CategoricalCrossentropy: Loss = Loss::of(LossKind::CategoricalCrossentropy);
    /// The same, where the truth is the number of the class: targets `[S, 1]` or `[S, T, 1]`
    pub const SparseCategoricalCrossentropy: Loss = Loss::of(LossKind::SparseCategoricalCrossentropy);
    /// (p - y)²
    pub const MeanSquaredError: Loss = Loss::of(LossKind::MeanSquaredError);
    /// |p - y|
    pub const MeanAbsoluteError: Loss = Loss::of(LossKind::MeanAbsoluteError);
    /// 100 |p - y| / max(|y|, 1e-7)
    pub const MeanAbsolutePercentageError: Loss = Loss::of(LossKind::MeanAbsolutePercentageError);
    /// (ln(1 + p) - ln(1 + y))², where p and y are at least 1e-7
    pub const MeanSquaredLogarithmicError: Loss = Loss::of(LossKind::MeanSquaredLogarithmicError);
    /// (p - y)² / 2 up to [`Loss::delta`] (1), from there on a line (Huber 1964)
    pub const Huber: Loss = Loss::of(LossKind::Huber);
    /// ln cosh(p - y)
    pub const LogCosh: Loss = Loss::of(LossKind::LogCosh);
    /// p - y ln(p + 1e-7)
    pub const Poisson: Loss = Loss::of(LossKind::Poisson);
    /// Σ y ln(y / p) over the classes, both clipped to [1e-7, 1]
    pub const KlDivergence: Loss = Loss::of(LossKind::KlDivergence);
}

impl Loss {
    pub(crate) const fn of(kind: LossKind) -> Loss {
        Loss {
            kind,
            from_logits: false,
            label_smoothing: 0.0,
            delta: 1.0,
            reduction: Reduction::SumOverBatchSize,
            weight: 1.0,
        }
    }

    /// Whether predictions are logits, not probabilities; of cross-entropies only.
    pub fn from_logits(self, from_logits: bool) -> Loss {
        Loss { from_logits, ..self }
    }

    /// How far labels are drawn to the middle: y (1 - s) + s / 2, or + s / C for C classes; of binary and categorical cross-entropy.
    pub fn label_smoothing(self, label_smoothing: f64) -> Loss {
        Loss { label_smoothing, ..self }
    }

    /// Where [`Loss::Huber`] becomes a line.
    pub fn delta(self, delta: f64) -> Loss {
        Loss { delta, ..self }
    }

    /// How a batch's losses become one number.
    pub fn reduction(self, reduction: Reduction) -> Loss {
        Loss { reduction, ..self }
    }

    /// What it counts for in the whole loss, as Keras's `loss_weights`.
    pub fn weight(self, weight: f64) -> Loss {
        Loss { weight, ..self }
    }

    /// The same of predictions and truths in another unit, as if both were divided by it: of the squared, the absolute and Huber's error.
    /// It is a weight, as Keras's `loss_weights`, so that Keras reads it too; other losses stay as they are.
    pub fn in_units_of(self, unit: f64) -> Loss {
        match self.kind {
            LossKind::MeanSquaredError => self.weight(self.weight / (unit * unit)),
            LossKind::MeanAbsoluteError => self.weight(self.weight / unit),
            LossKind::Huber => self.delta(self.delta * unit).weight(self.weight / (unit * unit)),
            _ => self,
        }
    }

    /// Keras's name.
    pub fn name(self) -> &'static str {
        self.kind.names().0
    }

    /// Keras's class.
    pub fn class_name(self) -> &'static str {
        self.kind.names().1
    }

    /// The loss of this name, or of Keras's short form.
    pub fn from_name(name: &str) -> Result<Loss> {
        LossKind::from_name(name).map(Loss::of).ok_or_else(|| {
            let known: Vec<&str> = LossKind::NAMES.iter().map(|&(_, function, ..)| function).collect();
            Error::usage(format!("loss `{name}` is not supported here; there are: {}", known.join(", ")))
        })
    }

    /// The same formula with the default arguments.
    pub fn plain(self) -> Loss {
        Loss::of(self.kind)
    }

    /// Whether it compares probabilities of classes, not numbers.
    pub fn judges_classes(self) -> bool {
        self.kind.takes_logits()
    }

    pub(crate) fn kind(self) -> LossKind {
        self.kind
    }

    pub(crate) fn takes_logits(self) -> bool {
        self.from_logits
    }

    pub(crate) fn smoothing(self) -> f64 {
        self.label_smoothing
    }

    pub(crate) fn huber_delta(self) -> f64 {
        self.delta
    }

    pub(crate) fn reduced_by(self) -> Reduction {
        self.reduction
    }

    pub(crate) fn counts_for(self) -> f64 {
        self.weight
    }

    /// Whether its arguments are its own, and can be.
    pub(super) fn check(self) -> Result<()> {
        let refuse = |argument: &str, why: &str| Err(Error::usage(format!("loss `{}`: {argument} {why}", self.name())));
        if self.from_logits && !self.kind.takes_logits() {
            return refuse("from_logits", "belongs to cross-entropies");
        }
        if self.label_smoothing != 0.0 && !self.kind.takes_smoothing() {
            return refuse("label_smoothing", "belongs to binary_crossentropy and categorical_crossentropy");
        }
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            return refuse("label_smoothing", &format!("is {}; give a number from 0 to 1", self.label_smoothing));
        }
        if self.delta != 1.0 && self.kind != LossKind::Huber {
            return refuse("delta", "belongs to huber");
        }
        if !(self.delta > 0.0 && self.delta.is_finite()) {
            return refuse("delta", &format!("is {}; give a number above 0", self.delta));
        }
        if !self.weight.is_finite() {
            return refuse("weight", &format!("is {}; give a number", self.weight));
        }
        Ok(())
    }
}

/// The losses of a model's outputs: one for each, or one for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses(pub(crate) Vec<Loss>);

impl From<Loss> for Losses {
    fn from(loss: Loss) -> Losses {
        Losses(vec![loss])
    }
}

impl<const N: usize> From<[Loss; N]> for Losses {
    fn from(losses: [Loss; N]) -> Losses {
        Losses(losses.to_vec())
    }
}

impl From<Vec<Loss>> for Losses {
    fn from(losses: Vec<Loss>) -> Losses {
        Losses(losses)
    }
}
