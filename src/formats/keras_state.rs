//! An optimizer's state in `model.weights.h5`: step count, learning rate unless a schedule gives it, then the moments group by group,
//! within a group of each trained variable in turn.

use super::array::Array;
use super::keras_args::Read;
use super::keras_weights::{Arrays, finite, floats};
use crate::model::{Network, Variable};
use crate::train::{LearningRate, Moment, MomentSpec, Optimizer};

const VARS: &str = "optimizer/vars/";
const ITERATION: &str = "optimizer/vars/0";
const LEARNING_RATE: &str = "optimizer/vars/1";

/// What an optimizer has kept.
pub(super) struct State {
    pub iterations: u64,
    pub moments: Vec<Moment>,
}

fn trained(network: &Network) -> impl Iterator<Item = &Variable> {
    network.table.variables().iter().filter(|variable| variable.spec.trainable)
}

/// Where each part of the state lies.
struct Places<'a> {
    /// The index of the first moment: behind the step count, and the learning rate if there is one.
    first: usize,
    /// For each moment, in the order of [`Optimizer::moments`], the paths of its variables.
    moments: Vec<(MomentSpec, Vec<(String, &'a Variable)>)>,
    /// Of Nadam's product of momenta.
    product: Option<String>,
    /// All variables.
    count: usize,
}

impl<'a> Places<'a> {
    fn new(network: &'a Network, optimizer: &Optimizer) -> Places<'a> {
        let first = if matches!(optimizer.schedule(), LearningRate::Constant(_)) { 2 } else { 1 };
        let mut at = first;
        let mut moments = Vec::new();
        for group in optimizer.moment_groups() {
            let path = |m: usize, i: usize| format!("{VARS}{}", at + i * group.len() + m);
            for (m, spec) in group.iter().enumerate() {
                moments.push((*spec, trained(network).enumerate().map(|(i, v)| (path(m, i), v)).collect()));
            }
            at += group.len() * trained(network).count();
        }
        let product = matches!(optimizer, Optimizer::Nadam(_)).then(|| format!("{VARS}{at}"));
        Places { first, moments, count: at + usize::from(product.is_some()), product }
    }
}

/// Reads the optimizer's state and sets its learning rate; nothing where the file has none.
pub(super) fn read(arrays: &Arrays, network: &Network, optimizer: &mut Optimizer) -> Read<Option<State>> {
    let found = arrays.keys().filter(|path| path.starts_with(VARS)).count();
    if found == 0 {
        return Ok(None);
    }
    let places = Places::new(network, optimizer);
    let iterations = iterations(arrays)?;
    // Keras makes the moments in the first step.
    let untrained = found == places.first && iterations == 0;
    if found != places.count && !untrained {
        return Err(format!(
            "`optimizer/vars` holds {found} variables, but the optimizer in config.json keeps {}: they are another optimizer's. Compile the model again in Keras, or load it there with `compile=False`, and save it",
            places.count
        ));
    }
    if places.first > 1 {
        set_learning_rate(arrays, optimizer)?;
    }
    if untrained {
        return Ok(None);
    }
    if let Some(path) = &places.product {
        // It follows from the step count.
        floats(arrays, path, &format!("`{path}` (the product of Nadam's momenta)"), &[])?;
    }
    let of = |spec: &MomentSpec, path: &str, variable: &Variable| {
        let described = format!("`{path}` ({} of `{}`)", spec.name, variable.path);
        let values = floats(arrays, path, &described, &variable.spec.shape)?;
        if spec.squares && values.iter().any(|&v| v < 0.0) {
            return Err(format!("{described} holds a number below 0, but is a mean of squares"));
        }
        Ok((variable.path.clone(), values.to_vec()))
    };
    let moments = places.moments.iter();
    let moments = moments.map(|(spec, paths)| paths.iter().map(|(path, v)| of(spec, path, v)).collect::<Read<_>>());
    Ok(Some(State { iterations, moments: moments.collect::<Read<_>>()? }))
}

fn iterations(arrays: &Arrays) -> Read<u64> {
    let values = arrays.get(ITERATION).and_then(Array::as_i64);
    let count = match values {
        Some([count]) => u64::try_from(*count).ok().filter(|&count| count <= i32::MAX as u64),
        _ => None,
    };
    count.ok_or_else(|| format!("`{ITERATION}` (the step count) must be one integer from 0 to {}", i32::MAX))
}

/// The rate in force is the variable's, as in Keras. Where the config's is the same but for rounding, that is kept, so that
/// training goes on to the bit.
fn set_learning_rate(arrays: &Arrays, optimizer: &mut Optimizer) -> Read<()> {
    let described = format!("`{LEARNING_RATE}` (the learning rate)");
    let rate = floats(arrays, LEARNING_RATE, &described, &[])?[0];
    if optimizer.learning_rate() as f32 != rate {
        optimizer.set_learning_rate(f64::from(rate));
    }
    Ok(())
}

/// Adds an optimizer's state.
pub(super) fn write(
    arrays: &mut Arrays,
    network: &Network,
    optimizer: &Optimizer,
    State { iterations, moments }: State,
) -> Read<()> {
    let places = Places::new(network, optimizer);
    arrays.insert(ITERATION.to_owned(), Array::i64(&[], vec![iterations as i64]));
    if places.first > 1 {
        arrays.insert(LEARNING_RATE.to_owned(), Array::f32(&[], vec![optimizer.learning_rate() as f32]));
    }
    for ((spec, paths), moment) in places.moments.into_iter().zip(moments) {
        for ((path, variable), (_, values)) in paths.into_iter().zip(moment) {
            finite(&values, &format!("the optimizer's {} of `{}`", spec.name, variable.path))?;
            arrays.insert(path, Array::f32(&variable.spec.shape, values));
        }
    }
    if let (Some(path), Optimizer::Nadam(nadam)) = (places.product, optimizer) {
        arrays.insert(path, Array::f32(&[], vec![nadam.momentum_product(optimizer.updates(iterations)) as f32]));
    }
    Ok(())
}
