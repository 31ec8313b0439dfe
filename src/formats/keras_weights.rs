//! A model's variables under their paths in `model.weights.h5`.

use std::collections::{BTreeMap, HashMap};

use super::array::Array;
use super::keras_args::Read;
use super::keras_layers::Scaling;
use crate::model::{Network, Normalization, VariableSpec, snake_case};

/// The arrays of a weights file by path.
pub(super) type Arrays = BTreeMap<String, Array>;

/// A variable and its place in the file.
struct Variable {
    path: String,
    layer: String,
    spec: VariableSpec,
}

impl Variable {
    /// The path, and what is there, for messages.
    fn describe(&self) -> String {
        format!("`{}` ({} of layer `{}`)", self.path, self.spec.name, self.layer)
    }
}

/// A layer's group in the file, and what is in it.
struct Group {
    path: String,
    /// Where variables lie, with a slash at the end, and how many.
    parts: BTreeMap<String, usize>,
    variables: Vec<Variable>,
    is_normalization: bool,
}

/// Keras counts a Normalization's batches, but not in the file: the third of its variables is always 0.
const COUNT_INDEX: usize = 2;

impl Group {
    fn count_path(&self) -> String {
        format!("{}/vars/{COUNT_INDEX}", self.path)
    }
}

/// The groups of a model's layers: named by class and counted by class, whatever the layers' names are.
fn groups(network: &Network) -> Vec<Group> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut groups = Vec::with_capacity(network.layers.len());
    for placed in &network.layers {
        let class = placed.layer.class_name();
        let count = counts.entry(class).or_default();
        let number = if *count == 0 { String::new() } else { format!("_{count}") };
        *count += 1;
        let path = format!("layers/{}{number}", snake_case(class));
        // Counted in each part of the layer.
        let vars_of = |name: &str| format!("{path}/{}vars/", part(class, name));
        let mut parts = BTreeMap::from([(vars_of(""), 0)]);
        let variable = |spec: VariableSpec| {
            let vars = vars_of(&spec.name);
            let index = parts.entry(vars.clone()).or_default();
            *index += 1;
            Variable { path: format!("{vars}{}", *index - 1), layer: placed.name.clone(), spec }
        };
        let variables: Vec<Variable> = placed.layer.variables(&placed.input_shapes).into_iter().map(variable).collect();
        groups.push(Group { path, parts, variables, is_normalization: class == "Normalization" });
    }
    groups
}

/// The path and shape of every variable, in the model's order.
pub(super) fn places(network: &Network) -> Vec<(String, Vec<usize>)> {
    let variables = groups(network).into_iter().flat_map(|group| group.variables);
    variables.map(|variable| (variable.path, variable.spec.shape)).collect()
}

/// The paths of the counts of Normalization layers.
pub(super) fn counts(network: &Network) -> Vec<String> {
    let groups = groups(network).into_iter().filter(|group| group.is_normalization);
    groups.map(|group| group.count_path()).collect()
}

/// Where the variables of a part of a layer lie: a recurrent layer's belong to its cell, a wrapper's to the layers that it wraps.
fn part(class: &str, variable: &str) -> &'static str {
    match (class, variable.split_once('/')) {
        (_, Some(("forward", _))) => "forward_layer/cell/",
        (_, Some(("backward", _))) => "backward_layer/cell/",
        ("LSTM" | "GRU" | "PeepholeLSTM", _) => "cell/",
        ("TimeDistributed", _) => "layer/",
        _ => "",
    }
}

/// Every variable's values, in the model's order.
///
/// `scaling` has, for each layer, what the config gave a Normalization; such a layer has no variables in the file.
pub(super) fn read(arrays: &Arrays, network: &Network, scaling: &[Option<Scaling>]) -> Read<Vec<Vec<f32>>> {
    let groups = groups(network);
    let mut values = Vec::new();
    for (group, scaling) in groups.iter().zip(scaling) {
        let given = scaling.as_ref().map(|given| vec![given.mean.clone(), given.variance.clone()]);
        for (vars, count) in &group.parts {
            let in_file = match (&given, group.is_normalization) {
                (Some(_), _) => 0,
                (None, true) => COUNT_INDEX + 1,
                (None, false) => *count,
            };
            no_more_than(arrays, vars, in_file)?;
        }
        let read = || group.variables.iter().map(|variable| read_variable(arrays, variable)).collect();
        let mut of_layer: Vec<Vec<f32>> = given.map_or_else(read, Ok)?;
        if let (true, [_, variance]) = (group.is_normalization, &mut of_layer[..]) {
            // Keras's floor of the standard deviation, 1e-7.
            variance.iter_mut().for_each(|v| *v = v.max(Normalization::LEAST_VARIANCE));
        }
        values.extend(of_layer);
    }
    no_other_layers(arrays, &groups)?;
    Ok(values)
}

fn read_variable(arrays: &Arrays, variable: &Variable) -> Read<Vec<f32>> {
    let described = variable.describe();
    let values = floats(arrays, &variable.path, &described, &variable.spec.shape)?;
    check_variance(&variable.spec.name, values, &described).map_err(|why| format!("{why}; {DAMAGED}"))?;
    Ok(values.to_vec())
}

/// Whether the values of a variable of this name, if they are variances, can be.
pub(super) fn check_variance(name: &str, values: &[f32], described: &str) -> Read<()> {
    let is_variance = name.ends_with("variance") || name.contains("variance_");
    match values.iter().find(|&&v| is_variance && v < 0.0) {
        Some(v) => Err(format!("{described} holds {v}, but a variance is at least 0")),
        None => Ok(()),
    }
}

const DAMAGED: &str = "the file is damaged or was edited: save the model again in Keras";

/// The finite floats at a path, of this shape.
pub(super) fn floats<'a>(arrays: &'a Arrays, path: &str, described: &str, shape: &[usize]) -> Read<&'a [f32]> {
    let array = arrays.get(path).ok_or_else(|| format!("there is no {described}; {DAMAGED}"))?;
    if array.shape != shape {
        return Err(format!(
            "{described} has the shape {:?}, but the layers in config.json make it {shape:?}; {DAMAGED}",
            array.shape
        ));
    }
    let values = array.as_f32().ok_or_else(|| format!("{described} holds integers, not floats; {DAMAGED}"))?;
    finite(values, described)?;
    Ok(values)
}

/// Whether all values are finite.
pub(super) fn finite(values: &[f32], described: &str) -> Read<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => Err(format!("{described} holds {} at element {i}: training that made it had diverged", values[i])),
        None => Ok(()),
    }
}

/// A variable too many means that the config is not that of these weights, as a bias where there should be none.
fn no_more_than(arrays: &Arrays, vars: &str, count: usize) -> Read<()> {
    let index = |path: &str| path.strip_prefix(vars)?.parse::<usize>().ok();
    match under(arrays, vars).find(|path| index(path).is_none_or(|i| i >= count)) {
        Some(path) => Err(format!(
            "`{path}` is one variable more than the {count} that its layer in config.json has there; {DAMAGED}"
        )),
        None => Ok(()),
    }
}

fn no_other_layers(arrays: &Arrays, groups: &[Group]) -> Read<()> {
    let known =
        |path: &str| groups.iter().any(|g| path.strip_prefix(&g.path).is_some_and(|rest| rest.starts_with('/')));
    match under(arrays, "layers/").find(|path| !known(path)) {
        Some(path) => Err(format!("`{path}` belongs to no layer in config.json; {DAMAGED}")),
        None => Ok(()),
    }
}

/// All paths that begin so.
fn under<'a>(arrays: &'a Arrays, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    arrays.range(prefix.to_owned()..).map(|(path, _)| path.as_str()).take_while(move |path| path.starts_with(prefix))
}

/// Adds a model's variables, whose values come in the model's order.
pub(super) fn write(arrays: &mut Arrays, network: &Network, values: impl IntoIterator<Item = Vec<f32>>) -> Read<()> {
    let mut values = values.into_iter();
    for group in groups(network) {
        for (variable, values) in group.variables.iter().zip(&mut values) {
            finite(&values, &format!("`{}/{}`", variable.layer, variable.spec.name))?;
            arrays.insert(variable.path.clone(), Array::f32(&variable.spec.shape, values));
        }
        if group.is_normalization {
            arrays.insert(group.count_path(), Array::i64(&[], vec![0]));
        }
    }
    Ok(())
}
