//! `--class-weight no=1,yes=5`: what samples of each class count for.

use gatenorm::data::Dataset;
use gatenorm::{Error, Result};

/// A class, as it is called in the data, and its weight.
#[derive(Clone, Debug)]
pub struct ClassWeight {
    class: String,
    weight: f64,
}

/// `CLASS=WEIGHT`; a class may have a `=` in its name.
pub fn class_weight(text: &str) -> Result<ClassWeight, String> {
    let wrong = || format!("`{text}` must be CLASS=WEIGHT with a weight of at least 0, such as 1=5");
    let (class, weight) = text.rsplit_once('=').ok_or_else(wrong)?;
    let weight: f64 =
        weight.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight >= 0.0).ok_or_else(wrong)?;
    Ok(ClassWeight { class: class.to_owned(), weight })
}

/// The weights by the classes' numbers.
pub fn numbered(weights: &[ClassWeight], data: &Dataset) -> Result<Vec<(usize, f64)>> {
    let classes = data.classes().ok_or_else(|| {
        Error::usage("--class-weight weighs classes, but the target is no single column of classes. Leave it out")
    })?;
    let number = |weight: &ClassWeight| {
        let found = classes.iter().position(|class| *class == weight.class);
        let (class, all) = (&weight.class, classes.join(", "));
        let found = found.ok_or_else(|| Error::usage(format!("--class-weight: no class `{class}`; there are: {all}")));
        found.map(|number| (number, weight.weight))
    };
    weights.iter().map(number).collect()
}
