//! What a new model of `gatenorm train` is made of.

use std::path::Path;

use clap::{Args, ValueEnum};
use gatenorm::data::{Dataset, Missing, TargetOf};
use gatenorm::exec::Device;
use gatenorm::formats::Compile;
use gatenorm::model::{Activation, Masking, Normalization, Sequential, Stack, Within};
use gatenorm::train::{Loss, Model, Optimizer};
use gatenorm::{Error, Result};

use super::head::Head;
use super::options::{momentum, units};

/// What a new model is made of; a model that is trained on has it from its file.
#[derive(Args)]
#[command(next_help_heading = "A new model")]
pub struct LayerFlags {
    /// Sizes of the LSTMs, separated by commas [default: 64,32].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = units, conflicts_with = "model", allow_negative_numbers = true)]
    units: Option<Vec<usize>>,
    /// Read the sequences in both directions, side by side.
    #[arg(long, conflicts_with = "model")]
    bidirectional: bool,
    /// The share of each LSTM's input features that are dropped in training [default: 0].
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    dropout: Option<f64>,
    /// The share of its own output that an LSTM's gates do not see in training [default: 0].
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    recurrent_dropout: Option<f64>,
    /// The LSTMs' activation [default: tanh].
    #[arg(long, value_name = "NAME", value_parser = Activation::from_name, conflicts_with = "model")]
    activation: Option<Activation>,
    /// Batch normalisation in the LSTMs' recurrence too, in each time step on its own (Cooijmans et al. 2016). Keras has no such
    /// layer: it does not open the model.
    #[arg(long, conflicts_with_all = ["model", "bidirectional", "dropout", "recurrent_dropout", "activation"])]
    recurrent_bn: bool,
    /// Layer normalisation in the LSTMs' recurrence (Ba et al. 2016). Keras has no such layer: it does not open the model.
    #[arg(long, conflicts_with_all = ["model", "bidirectional", "dropout", "recurrent_dropout", "activation", "recurrent_bn"])]
    layer_norm: bool,
    /// Leave out the batch normalisation behind each LSTM; with --reconstruct there is none.
    #[arg(long, conflicts_with = "model")]
    no_batch_norm: bool,
    /// What to minimise [default: binary_crossentropy for a target of two classes or several such targets, sparse_categorical_crossentropy for more,
    /// mean_squared_error for the numbers of a .ts file]. A column of more than two numbers needs it.
    #[arg(long)]
    loss: Option<LossName>,
    /// Leave out the layers that scale the columns and bring outputs back to the target's unit.
    #[arg(long, conflicts_with = "model")]
    no_scaling: bool,
    /// Seed of the first weights and the shuffling [default: 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Losses that can be asked for by name.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum LossName {
    BinaryCrossentropy,
    SparseCategoricalCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
}

impl LossName {
    /// The loss of this name.
    pub fn loss(self) -> Loss {
        match self {
            LossName::BinaryCrossentropy => Loss::BinaryCrossentropy,
            LossName::SparseCategoricalCrossentropy => Loss::SparseCategoricalCrossentropy,
            LossName::MeanSquaredError => Loss::MeanSquaredError,
            LossName::MeanAbsoluteError => Loss::MeanAbsoluteError,
            LossName::Huber => Loss::Huber,
        }
    }
}

impl LayerFlags {
    /// The loss that was asked for.
    pub fn named_loss(&self) -> Option<Loss> {
        self.loss.map(LossName::loss)
    }

    /// Of the first weights and of all drawing.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }

    /// The head that fits the target of these data; refuses a loss that does not.
    pub fn head(&self, data: &Dataset) -> Result<Head> {
        Head::of(data, self.named_loss())
    }

    /// The model for these data to train on, with first weights and the data's scaling.
    pub fn compile(&self, head: &Head, train: &Dataset, device: Device, optimizer: Optimizer) -> Result<Model> {
        let stack = Stack {
            within: match (self.recurrent_bn, self.layer_norm) {
                (true, _) => Within::BatchNorm,
                (_, true) => Within::LayerNorm,
                _ => Within::Nothing,
            },
            // An autoencoder comes closer to its input without.
            batch_norm: !self.no_batch_norm && train.reading().target_of != TargetOf::Input,
            bidirectional: self.bidirectional,
            dropout: self.dropout.unwrap_or(0.0),
            recurrent_dropout: self.recurrent_dropout.unwrap_or(0.0),
            activation: self.activation.unwrap_or(Activation::Tanh),
            ..Stack::new(self.units.as_deref().unwrap_or(&[64, 32]))
        };
        NewModel { stack, head, train, seed: self.seed(), scaling: !self.no_scaling }.compile(device, optimizer)
    }

    /// What a described model that does not say it is compiled with.
    pub fn compiled(&self, data: &Dataset, optimizer: Optimizer) -> Result<Compile> {
        let Head { loss, metrics, .. } = self.head(data)?;
        Ok(Compile { loss: Some(loss), optimizer: Some(optimizer), metrics })
    }

    /// Refuses what a model's file says itself: one that is compiled, its loss; an earlier model, its seed too.
    pub fn leave_out(&self, file: &Path, compiled: bool, earlier: bool) -> Result<()> {
        let given = [("--loss", compiled && self.loss.is_some()), ("--seed", earlier && self.seed.is_some())];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::usage(format!(
                "{flag} cannot be used with `--model {}`, which says that itself. Leave {flag} out",
                file.display()
            ))),
            None => Ok(()),
        }
    }
}

/// A model as `train`, `ablate` and `tune` make it.
pub struct NewModel<'a> {
    pub stack: Stack,
    pub head: &'a Head,
    pub train: &'a Dataset,
    pub seed: u64,
    /// Whether layers scale the columns and bring outputs back to the target's unit.
    pub scaling: bool,
}

impl NewModel<'_> {
    /// The model on a device, with first weights and the data's scaling.
    pub fn compile(&self, device: Device, optimizer: Optimizer) -> Result<Model> {
        let NewModel { head, train, .. } = self;
        let mut model = Sequential::new(train.input_shape()).seed(self.seed);
        if self.scaling {
            model = model.add(Normalization::new());
        }
        if is_masked(train) {
            model = model.add(Masking::new());
        }
        let stack = Stack { return_sequences: train.has_targets_of_rows(), ..self.stack.clone() };
        model = match train.reading().target_of {
            TargetOf::Input => stack.add_autoencoder_to(model, train.steps())?,
            TargetOf::Sample | TargetOf::EveryRow => stack.add_to(model, train.steps())?,
        };
        let mut model = head.compile(model, self.scaling.then_some(train), device, optimizer)?;
        if self.scaling {
            model.adapt(train)?;
        }
        Ok(model)
    }
}

/// Whether a model of these data must skip steps.
pub fn is_masked(data: &Dataset) -> bool {
    data.lengths().is_some() || data.reading().missing == Missing::Mask
}
