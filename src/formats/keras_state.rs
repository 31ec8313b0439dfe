//! An optimizer's state in `model.weights.h5`: step count, learning rate, then the moments of each trained variable in turn.

use super::array::Array;
use super::keras_args::Read;
use super::keras_weights::{Arrays, finite, floats};
use crate::model::{Stack, Variable};
use crate::train::{Moment, Optimizer};

const VARS: &str = "optimizer/vars/";
const ITERATION: &str = "optimizer/vars/0";
const LEARNING_RATE: &str = "optimizer/vars/1";
/// The moments begin behind step count and learning rate.
const FIRST_MOMENT: usize = 2;

/// What an optimizer has kept.
pub(super) struct State {
    pub iterations: u64,
    pub moments: Vec<Moment>,
}

fn trained(stack: &Stack) -> impl Iterator<Item = &Variable> {
    stack.table.variables().iter().filter(|variable| variable.spec.trainable)
}

/// Reads the optimizer's state and sets its learning rate; nothing where the file has none.
pub(super) fn read(arrays: &Arrays, stack: &Stack, optimizer: &mut Optimizer) -> Read<Option<State>> {
    let found = arrays.keys().filter(|path| path.starts_with(VARS)).count();
    if found == 0 {
        return Ok(None);
    }
    let moments = optimizer.moments().len();
    let expected = FIRST_MOMENT + moments * trained(stack).count();
    let iterations = iterations(arrays)?;
    // Keras makes the moments in the first step.
    let untrained = found == FIRST_MOMENT && iterations == 0;
    if found != expected && !untrained {
        return Err(format!(
            "`optimizer/vars` holds {found} variables, but the optimizer in config.json keeps {expected}: they are another optimizer's. Compile the model again in Keras, or load it there with `compile=False`, and save it"
        ));
    }
    set_learning_rate(arrays, optimizer)?;
    if untrained {
        return Ok(None);
    }
    let names = optimizer.moments();
    let of = |moment: usize, i: usize, variable: &Variable| {
        let path = format!("{VARS}{}", FIRST_MOMENT + i * moments + moment);
        let described = format!("`{path}` ({} of `{}`)", names[moment], variable.path);
        let values = floats(arrays, &path, &described, &variable.spec.shape)?;
        if moment == 1 && values.iter().any(|&v| v < 0.0) {
            return Err(format!("{described} holds a number below 0, but is a mean of squares"));
        }
        Ok((variable.path.clone(), values.to_vec()))
    };
    let moment = |m: usize| trained(stack).enumerate().map(|(i, variable)| of(m, i, variable)).collect::<Read<_>>();
    let moments = (0..moments).map(moment).collect::<Read<_>>()?;
    Ok(Some(State { iterations, moments }))
}

fn iterations(arrays: &Arrays) -> Read<u64> {
    let values = arrays.get(ITERATION).and_then(Array::as_i64);
    let count = match values {
        Some([count]) => u64::try_from(*count).ok().filter(|&count| count <= i32::MAX as u64),
        _ => None,
    };
    count.ok_or_else(|| {
        format!(
            "`{ITERATION}` (the step count) must be one integer from 0 to {}; if a learning-rate schedule was used, compile the model with a fixed rate in Keras and save it again",
            i32::MAX
        )
    })
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
    stack: &Stack,
    optimizer: &Optimizer,
    State { iterations, moments }: State,
) -> Read<()> {
    arrays.insert(ITERATION.to_owned(), Array::i64(&[], vec![iterations as i64]));
    arrays.insert(LEARNING_RATE.to_owned(), Array::f32(&[], vec![optimizer.learning_rate() as f32]));
    let count = moments.len();
    for (m, moment) in moments.into_iter().enumerate() {
        for (i, (variable, (_, values))) in trained(stack).zip(moment).enumerate() {
            finite(&values, &format!("the optimizer's {} of `{}`", optimizer.moments()[m], variable.path))?;
            let path = format!("{VARS}{}", FIRST_MOMENT + i * count + m);
            arrays.insert(path, Array::f32(&variable.spec.shape, values));
        }
    }
    Ok(())
}
