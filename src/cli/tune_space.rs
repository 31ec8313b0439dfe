//! What `gatenorm tune` searches.

use clap::Args;
use gatenorm::ablate::Variant;
use gatenorm::search::{Space, Values};
use gatenorm::{Error, Result};

use super::options::at_least_one;
use super::report::talk;

/// The values that trials draw from: `LEAST..MOST`, one of several separated by commas, or a single one, which is then fixed.
#[derive(Args)]
#[command(next_help_heading = "What is searched (LEAST..MOST, or A,B,C, or one that is fixed)")]
pub struct SpaceFlags {
    /// The size of each LSTM; each order of magnitude is as likely.
    #[arg(long, value_name = "VALUES", default_value = "16..128", value_parser = whole, allow_negative_numbers = true)]
    units: Values,
    /// How many LSTMs.
    #[arg(long, value_name = "VALUES", default_value = "1..2", value_parser = whole, allow_negative_numbers = true)]
    layers: Values,
    /// Step size; each order of magnitude is as likely.
    #[arg(long, value_name = "VALUES", default_value = "1e-4..1e-2", value_parser = values, allow_negative_numbers = true)]
    learning_rate: Values,
    /// The share of each LSTM's input features that are dropped in training. Normalisation within the recurrence has none.
    #[arg(long, value_name = "VALUES", default_value = "0..0.5", value_parser = values, allow_negative_numbers = true)]
    dropout: Values,
    /// The share of its own output that an LSTM's gates do not see in training.
    #[arg(long, value_name = "VALUES", default_value = "0", value_parser = values, allow_negative_numbers = true)]
    recurrent_dropout: Values,
    /// Rows in a sample, instead of --window. What is measured on differs a little from one to the next: the first windows begin later.
    #[arg(long, value_name = "ROWS,...", value_delimiter = ',', value_parser = at_least_one, conflicts_with_all = ["window", "row_steps"], allow_negative_numbers = true)]
    pub windows: Vec<usize>,
    /// Ways to normalise: plain (or none), batch_norm (behind each LSTM), recurrent_batch_norm and layer_norm (within the recurrence)
    /// [default: all that the data and the dropout allow].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = norm)]
    norms: Option<Vec<Variant>>,
    /// Samples of one training step.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "32,64", value_parser = at_least_one, allow_negative_numbers = true)]
    batch_sizes: Vec<usize>,
}

impl SpaceFlags {
    /// The space, for data whose steps are masked or not.
    pub fn space(&self, windows: Vec<usize>, masked: bool) -> Result<Space> {
        let dropped = [&self.dropout, &self.recurrent_dropout].iter().any(|share| share.least() > 0.0);
        let norms = match &self.norms {
            Some(norms) => match norms.iter().find(|norm| masked && !norm.is_behind()) {
                Some(norm) => {
                    return Err(Error::usage(format!(
                        "--norms {norm}: normalisation within the recurrence does not take these data, whose steps are masked (series of unequal lengths, --missing mask). Leave {norm} out"
                    )));
                }
                None => norms.clone(),
            },
            None if masked || dropped => {
                let why = if masked { "steps that are masked" } else { "the dropout" };
                talk!(
                    "         plain and batch_norm alone: normalisation within the recurrence does not go with {why}"
                );
                Variant::ALL.into_iter().filter(|norm| norm.is_behind()).collect()
            }
            None => Variant::ALL.to_vec(),
        };
        let space = Space {
            units: self.units.clone(),
            layers: self.layers.clone(),
            learning_rate: self.learning_rate.clone(),
            dropout: self.dropout.clone(),
            recurrent_dropout: self.recurrent_dropout.clone(),
            windows,
            norms,
            batch_sizes: self.batch_sizes.clone(),
        };
        space.check()?;
        Ok(space)
    }
}

fn norm(name: &str) -> std::result::Result<Variant, String> {
    let name = if name.trim() == "none" { Variant::Plain.name() } else { name.trim() };
    Variant::from_name(name).map_err(|error| error.to_string())
}

fn values(text: &str) -> std::result::Result<Values, String> {
    let number = |text: &str| {
        let wrong =
            || format!("`{text}` is no number. Give LEAST..MOST, such as 1e-4..1e-2, or values separated by commas");
        text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(wrong)
    };
    match text.split_once("..") {
        Some((least, most)) => Ok(Values::Between(number(least)?, number(most.trim_start_matches('='))?)),
        None => Ok(Values::OneOf(text.split(',').map(number).collect::<std::result::Result<_, _>>()?)),
    }
}

fn whole(text: &str) -> std::result::Result<Values, String> {
    let values = values(text)?;
    let all = match &values {
        Values::Between(least, most) => &[*least, *most][..],
        Values::OneOf(values) => &values[..],
    };
    match all.iter().find(|value| value.fract() != 0.0) {
        Some(value) => Err(format!("{value} is no whole number")),
        None => Ok(values.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_a_range_a_list_or_one() {
        assert_eq!(values("1e-4..1e-2"), Ok(Values::Between(1e-4, 1e-2)));
        assert_eq!(values("0, 0.2,0.5"), Ok(Values::OneOf(vec![0.0, 0.2, 0.5])));
        assert_eq!(values("0.1"), Ok(Values::fixed(0.1)));
        assert_eq!(whole("16..=128"), Ok(Values::Between(16.0, 128.0)));
        for wrong in ["", "1..", "..2", "a..b", "1,,2", "nan", "1..inf", "1-2"] {
            values(wrong).unwrap_err();
        }
        whole("1.5..3").unwrap_err();
        whole("8,8.5").unwrap_err();
        assert_eq!(norm("none"), Ok(Variant::Plain));
        norm("batchnorm").unwrap_err();
    }
}
