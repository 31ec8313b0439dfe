//! How gradients change the weights of a new model of `gatenorm train`.

use clap::{Args, ValueEnum};
use gatenorm::train::{Adagrad, Adam, AdamW, Lion, Nadam, Optimizer, RmsProp, Sgd};
use gatenorm::{Error, Result};

use super::options::{above_zero, at_least_two, momentum};
use super::schedule::Schedule;

/// How gradients change the weights of a new model; one that is trained on has its optimizer in its file.
#[derive(Args)]
#[command(next_help_heading = "Optimizer of a new model")]
pub struct OptimizerFlags {
    /// How gradients change the weights [default: adam].
    #[arg(long, conflicts_with = "model")]
    optimizer: Option<Name>,
    /// How the learning rate changes from step to step, from --learning-rate on: cosine, cosine_restarts, exponential, inverse_time
    /// or polynomial, then Keras's arguments, such as `exponential:decay_steps=1000,decay_rate=0.9`. Without decay_steps it falls
    /// over the whole training.
    #[arg(long, value_name = "NAME[:KEY=VALUE,...]", value_parser = Schedule::parse, conflicts_with = "model")]
    schedule: Option<Schedule>,
    /// How much of the velocity stays, with sgd or rmsprop [default: 0].
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Nesterov's form of the momentum, with sgd.
    #[arg(long, conflicts_with = "model")]
    nesterov: bool,
    /// Decay of the first moment, with adam, adamw, nadam or lion [default: 0.9].
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    beta_1: Option<f64>,
    /// Decay of the second moment, with the same [default: 0.999; 0.99 with lion].
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    beta_2: Option<f64>,
    /// How much of the mean square stays, with rmsprop [default: 0.9].
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    rho: Option<f64>,
    /// What keeps divisors from 0, with all but sgd and lion [default: 1e-7].
    #[arg(long, value_name = "NUMBER", value_parser = above_zero, conflicts_with = "model", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// The largest second moment so far counts, with adam or adamw.
    #[arg(long, conflicts_with = "model")]
    amsgrad: bool,
    /// The gradient's variance takes its mean square's place, with rmsprop.
    #[arg(long, conflicts_with = "model")]
    centered: bool,
    /// Before each update, weights fall by this share times the learning rate [default: 0.004 with adamw, else none].
    #[arg(long, value_name = "SHARE", value_parser = above_zero, conflicts_with = "model", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// The largest norm of each variable's gradient.
    #[arg(long, value_name = "NORM", value_parser = above_zero, conflicts_with_all = ["model", "global_clipnorm", "clipvalue"], allow_negative_numbers = true)]
    clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    #[arg(long, value_name = "NORM", value_parser = above_zero, conflicts_with_all = ["model", "clipvalue"], allow_negative_numbers = true)]
    global_clipnorm: Option<f64>,
    /// The largest magnitude of an element of a gradient.
    #[arg(long, value_name = "NUMBER", value_parser = above_zero, conflicts_with = "model", allow_negative_numbers = true)]
    clipvalue: Option<f64>,
    /// Keep an average of the weights, of which so much stays in each step; the model ends with it.
    #[arg(long, value_name = "SHARE", value_parser = momentum, conflicts_with = "model", allow_negative_numbers = true)]
    ema_momentum: Option<f64>,
    /// Update the weights once in so many steps, with the mean of their gradients, as if their batches were one.
    #[arg(long, value_name = "STEPS", value_parser = at_least_two, conflicts_with = "model", allow_negative_numbers = true)]
    gradient_accumulation_steps: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Name {
    Adam,
    Adamw,
    Sgd,
    Rmsprop,
    Nadam,
    Adagrad,
    Lion,
}

impl Name {
    /// As it is typed.
    fn text(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

impl OptimizerFlags {
    fn name(&self) -> Name {
        self.optimizer.unwrap_or(Name::Adam)
    }

    /// Whether a schedule was asked for.
    pub fn has_schedule(&self) -> bool {
        self.schedule.is_some()
    }

    /// Refuses what clap cannot see: arguments of other optimizers.
    pub fn check(&self) -> Result<()> {
        use Name::{Adagrad, Adam, Adamw, Lion, Nadam, Rmsprop, Sgd};
        let betas: &[Name] = &[Adam, Adamw, Nadam, Lion];
        let flags: [(&str, bool, &[Name]); 8] = [
            ("--momentum", self.momentum.is_some(), &[Sgd, Rmsprop]),
            ("--nesterov", self.nesterov, &[Sgd]),
            ("--beta-1", self.beta_1.is_some(), betas),
            ("--beta-2", self.beta_2.is_some(), betas),
            ("--rho", self.rho.is_some(), &[Rmsprop]),
            ("--epsilon", self.epsilon.is_some(), &[Adam, Adamw, Rmsprop, Nadam, Adagrad]),
            ("--amsgrad", self.amsgrad, &[Adam, Adamw]),
            ("--centered", self.centered, &[Rmsprop]),
        ];
        let name = self.name();
        if let Some((flag, _, takers)) = flags.iter().find(|(_, given, takers)| *given && !takers.contains(&name)) {
            let (takers, name): (Vec<String>, _) = (takers.iter().map(|taker| taker.text()).collect(), name.text());
            let (first, takers) = (&takers[0], takers.join(", "));
            return Err(Error::usage(format!(
                "{flag} belongs to {takers}; {name} has no such argument. Leave it out, or add --optimizer {first}"
            )));
        }
        match self.nesterov && self.momentum.unwrap_or(0.0) == 0.0 {
            true => Err(Error::usage("--nesterov is a form of momentum. Add --momentum, such as --momentum 0.9")),
            false => Ok(()),
        }
    }

    /// The optimizer, with this learning rate or Keras's default, for a training of `steps` steps.
    pub fn optimizer(&self, rate: Option<f64>, steps: u64) -> Result<Optimizer> {
        let mut optimizer = self.rule();
        if let Some(rate) = rate {
            optimizer.set_learning_rate(rate);
        }
        if let Some(schedule) = &self.schedule {
            optimizer.set_learning_rate(schedule.from(optimizer.learning_rate(), steps)?);
        }
        let common = optimizer.common_mut();
        common.weight_decay = self.weight_decay.or(common.weight_decay);
        common.clipnorm = self.clipnorm;
        common.global_clipnorm = self.global_clipnorm;
        common.clipvalue = self.clipvalue;
        common.use_ema = self.ema_momentum.is_some();
        common.ema_momentum = self.ema_momentum.unwrap_or(common.ema_momentum);
        common.gradient_accumulation_steps = self.gradient_accumulation_steps;
        Ok(optimizer)
    }

    /// The optimizer with its own arguments.
    fn rule(&self) -> Optimizer {
        let (beta_1, beta_2) = (self.beta_1.unwrap_or(0.9), self.beta_2.unwrap_or(0.999));
        let epsilon = self.epsilon.unwrap_or(1e-7);
        let momentum = self.momentum.unwrap_or(0.0);
        match self.name() {
            Name::Adam => Adam::default().beta_1(beta_1).beta_2(beta_2).epsilon(epsilon).amsgrad(self.amsgrad).into(),
            Name::Adamw => AdamW::default().beta_1(beta_1).beta_2(beta_2).epsilon(epsilon).amsgrad(self.amsgrad).into(),
            Name::Sgd => Sgd::default().momentum(momentum).nesterov(self.nesterov).into(),
            Name::Rmsprop => {
                let rule = RmsProp::default().rho(self.rho.unwrap_or(0.9)).momentum(momentum).epsilon(epsilon);
                rule.centered(self.centered).into()
            }
            Name::Nadam => Nadam::default().beta_1(beta_1).beta_2(beta_2).epsilon(epsilon).into(),
            Name::Adagrad => Adagrad::default().epsilon(epsilon).into(),
            Name::Lion => Lion::default().beta_1(beta_1).beta_2(self.beta_2.unwrap_or(0.99)).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: OptimizerFlags,
        #[arg(long)]
        model: Option<String>,
    }

    fn optimizer(line: &str) -> Optimizer {
        let line = Line::try_parse_from(std::iter::once("train").chain(line.split_whitespace())).unwrap();
        line.flags.check().unwrap();
        line.flags.optimizer(None, 100).unwrap()
    }

    #[test]
    fn without_flags_each_optimizer_has_kerass_defaults() {
        for (name, default) in [
            ("adam", Optimizer::from(Adam::default())),
            ("adamw", AdamW::default().into()),
            ("sgd", Sgd::default().into()),
            ("rmsprop", RmsProp::default().into()),
            ("nadam", Nadam::default().into()),
            ("adagrad", Adagrad::default().into()),
            ("lion", Lion::default().into()),
        ] {
            assert_eq!(optimizer(&format!("--optimizer {name}")), default);
        }
        assert_eq!(optimizer(""), Adam::default().into());
    }

    #[test]
    fn every_flag_reaches_its_argument() {
        let adam = Adam::default().beta_1(0.8).beta_2(0.7).epsilon(1e-3).amsgrad(true).clipnorm(2.0).use_ema(0.5, None);
        let line = "--beta-1 0.8 --beta-2 0.7 --epsilon 1e-3 --amsgrad --clipnorm 2 --ema-momentum 0.5";
        assert_eq!(optimizer(line), adam.into());
        let sgd = Sgd::default().momentum(0.9).nesterov(true).weight_decay(0.1).global_clipnorm(3.0);
        let line = "--optimizer sgd --momentum 0.9 --nesterov --weight-decay 0.1 --global-clipnorm 3";
        assert_eq!(optimizer(line), sgd.into());
        let rms =
            RmsProp::default().rho(0.5).momentum(0.1).centered(true).clipvalue(4.0).gradient_accumulation_steps(3);
        let line =
            "--optimizer rmsprop --rho 0.5 --momentum 0.1 --centered --clipvalue 4 --gradient-accumulation-steps 3";
        assert_eq!(optimizer(line), rms.into());
        let lion = Lion::default().beta_1(0.5).beta_2(0.25);
        assert_eq!(optimizer("--optimizer lion --beta-1 0.5 --beta-2 0.25"), lion.into());
    }
}
