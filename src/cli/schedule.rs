//! Learning rates that change from step to step, as they are typed: `cosine:warmup_steps=100,warmup_target=0.01`.

use gatenorm::train::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, PolynomialDecay,
};
use gatenorm::{Error, Result};

/// A schedule's name and its arguments.
#[derive(Clone, Debug)]
pub struct Schedule {
    name: &'static str,
    arguments: Vec<(&'static str, f64)>,
}

/// Every schedule, with the names of its arguments; their places are those in [`Schedule::from`].
const SCHEDULES: [(&str, &[&str]); 5] = [
    ("cosine", &["decay_steps", "alpha", "warmup_target", "warmup_steps"]),
    ("cosine_restarts", &["first_decay_steps", "t_mul", "m_mul", "alpha"]),
    ("exponential", &["decay_steps", "decay_rate", "staircase"]),
    ("inverse_time", &["decay_steps", "decay_rate", "staircase"]),
    ("polynomial", &["decay_steps", "end_learning_rate", "power", "cycle"]),
];

/// Arguments that are on or off.
const SWITCHES: [&str; 2] = ["staircase", "cycle"];

impl Schedule {
    /// `NAME` or `NAME:KEY=VALUE,...`; a switch needs no value.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let known = SCHEDULES.iter().find(|(known, _)| *known == name);
        let names: Vec<&str> = SCHEDULES.iter().map(|(name, _)| *name).collect();
        let (name, keys) = known.ok_or_else(|| format!("no schedule `{name}`; there are: {}", names.join(", ")))?;
        let argument = |part: &str| {
            let (key, value) = part.split_once('=').map_or((part, None), |(key, value)| (key, Some(value)));
            let known = keys.iter().find(|known| **known == key);
            let key = known.ok_or_else(|| format!("{name} has no `{key}`; it has: {}", keys.join(", ")))?;
            let value = match value {
                None if SWITCHES.contains(key) => Ok(1.0),
                Some("true") if SWITCHES.contains(key) => Ok(1.0),
                Some("false") if SWITCHES.contains(key) => Ok(0.0),
                Some(value) if !SWITCHES.contains(key) => value.parse().map_err(|_| format!("`{part}` is no number")),
                _ => Err(format!("`{part}` must be {}", if value.is_none() { "KEY=VALUE" } else { "true or false" })),
            };
            value.and_then(|value: f64| match key.ends_with("steps") && !(value >= 1.0 && value.fract() == 0.0) {
                true => Err(format!("`{part}` must be a whole number of at least 1")),
                false => Ok((*key, value)),
            })
        };
        let parts = rest.split(',').filter(|part| !part.is_empty());
        Ok(Schedule { name, arguments: parts.map(argument).collect::<Result<_, _>>()? })
    }

    fn get(&self, key: &str) -> Option<f64> {
        // The last one, where it is given twice.
        self.arguments.iter().rev().find(|(known, _)| *known == key).map(|&(_, value)| value)
    }

    fn needed(&self, key: &str) -> Result<f64> {
        let name = self.name;
        self.get(key).ok_or_else(|| {
            Error::usage(format!("--schedule {name} needs `{key}`, such as --schedule {name}:{key}=0.5"))
        })
    }

    /// The schedule from a learning rate on; without other words it ends with the training's last of `steps`.
    pub fn from(&self, rate: f64, steps: u64) -> Result<LearningRate> {
        let warmup_steps = self.get("warmup_steps").unwrap_or(0.0) as u64;
        let rest = steps.saturating_sub(warmup_steps).max(1);
        let steps = |key| self.get(key).map_or(rest, |steps| steps as u64);
        let (decay_steps, on) = (steps("decay_steps"), |key| self.get(key) == Some(1.0));
        Ok(match self.name {
            "cosine" => {
                let target = self.get("warmup_target");
                if target.is_some() != (warmup_steps > 0) {
                    let text = "--schedule cosine needs warmup_steps and warmup_target together: the rate first goes from --learning-rate to warmup_target";
                    return Err(Error::usage(text));
                }
                let cosine = CosineDecay::new(rate, decay_steps).alpha(self.get("alpha").unwrap_or(0.0));
                cosine.warmup_target(target).warmup_steps(warmup_steps).into()
            }
            "cosine_restarts" => {
                let (t_mul, m_mul) = (self.get("t_mul").unwrap_or(2.0), self.get("m_mul").unwrap_or(1.0));
                let cosine = CosineDecayRestarts::new(rate, steps("first_decay_steps")).t_mul(t_mul).m_mul(m_mul);
                cosine.alpha(self.get("alpha").unwrap_or(0.0)).into()
            }
            "exponential" => {
                let decay = ExponentialDecay::new(rate, decay_steps, self.needed("decay_rate")?);
                decay.staircase(on("staircase")).into()
            }
            "inverse_time" => {
                let decay = InverseTimeDecay::new(rate, decay_steps, self.needed("decay_rate")?);
                decay.staircase(on("staircase")).into()
            }
            _ => {
                let end = self.get("end_learning_rate").unwrap_or(1e-4);
                let decay = PolynomialDecay::new(rate, decay_steps).end_learning_rate(end);
                decay.power(self.get("power").unwrap_or(1.0)).cycle(on("cycle")).into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> LearningRate {
        Schedule::parse(text).unwrap().from(0.5, 100).unwrap()
    }

    #[test]
    fn what_is_typed_is_the_schedule() {
        assert_eq!(from("cosine"), CosineDecay::new(0.5, 100).into());
        let warmup = CosineDecay::new(0.5, 90).alpha(0.1).warmup_target(Some(0.7)).warmup_steps(10);
        assert_eq!(from("cosine:alpha=0.1,warmup_target=0.7,warmup_steps=10"), warmup.into());
        let restarts = CosineDecayRestarts::new(0.5, 7).t_mul(1.5).m_mul(0.9).alpha(0.2);
        assert_eq!(from("cosine_restarts:first_decay_steps=7,t_mul=1.5,m_mul=0.9,alpha=0.2"), restarts.into());
        let exponential = ExponentialDecay::new(0.5, 100, 0.9).staircase(true);
        assert_eq!(from("exponential:decay_rate=0.9,staircase"), exponential.into());
        let inverse = InverseTimeDecay::new(0.5, 3, 2.0);
        assert_eq!(from("inverse_time:decay_rate=2,decay_steps=3,staircase=false"), inverse.into());
        let polynomial = PolynomialDecay::new(0.5, 100).end_learning_rate(0.0).power(2.0).cycle(true);
        assert_eq!(from("polynomial:end_learning_rate=0,power=2,cycle=true"), polynomial.into());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_there_is() {
        for (text, words) in [
            ("cosin", "there are: cosine, cosine_restarts, exponential"),
            ("cosine:beta=1", "cosine has no `beta`; it has: decay_steps, alpha"),
            ("cosine:alpha", "`alpha` must be KEY=VALUE"),
            ("cosine:alpha=much", "`alpha=much` is no number"),
            ("cosine:decay_steps=1.5", "whole number of at least 1"),
            ("exponential:staircase=2", "true or false"),
        ] {
            let error = Schedule::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        for (text, words) in
            [("exponential", "needs `decay_rate`"), ("cosine:warmup_steps=3", "warmup_target together")]
        {
            let error = Schedule::parse(text).unwrap().from(0.5, 100).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
