//! Layers that make one tensor of several.

use super::Value;
use super::graph::{Graph, int};
use super::masks;

/// An operator's name for a layer that merges element by element.
pub(super) fn operator(class: &str) -> Option<&'static str> {
    Some(match class {
        "Add" | "Average" => "Add",
        "Subtract" => "Sub",
        "Multiply" => "Mul",
        "Maximum" => "Max",
        "Minimum" => "Min",
        _ => return None,
    })
}

/// Merges tensors of one shape two at a time.
pub(super) fn merge(graph: &mut Graph, operator: &str, average: bool, inputs: &[Value]) -> Option<Value> {
    let (first, rest) = inputs.split_first()?;
    let mut merged = rest.iter().fold(first.clone(), |merged, next| pair(graph, operator, &merged, next));
    if average {
        let count = graph.float(inputs.len() as f32);
        merged.name = graph.op("Div", &[&merged.name, &count], vec![]);
    }
    Some(merged)
}

/// What is masked counts as 1 in a product, and is left out of a maximum or minimum; where both are, a product is 0 and
/// the others are the first.
fn pair(graph: &mut Graph, operator: &str, a: &Value, b: &Value) -> Value {
    let heeds = matches!(operator, "Mul" | "Max" | "Min");
    let (mask_a, mask_b) = (a.mask.as_ref().filter(|_| heeds), b.mask.as_ref().filter(|_| heeds));
    let mut name = graph.op(operator, &[&a.name, &b.name], vec![]);
    if let Some(mask) = mask_a {
        let counts = masks::truths(graph, mask);
        name = graph.op("Where", &[&counts, &name, &b.name], vec![]);
    }
    if let Some(mask) = mask_b {
        let alone = match mask_a.filter(|_| operator == "Mul") {
            Some(mask) => {
                let column = masks::column(graph, mask);
                graph.op("Mul", &[&a.name, &column], vec![])
            }
            None => a.name.clone(),
        };
        let counts = masks::truths(graph, mask);
        name = graph.op("Where", &[&counts, &name, &alone], vec![]);
    }
    Value { name, mask: joined(graph, a, b) }
}

/// The mask where either counts, if both have one.
fn joined(graph: &mut Graph, a: &Value, b: &Value) -> Option<String> {
    let (a, b) = (a.mask.as_ref()?, b.mask.as_ref()?);
    Some(masks::either(graph, a, b))
}

/// Puts tensors one behind the other: along the features, or along the steps.
pub(super) fn concatenate(graph: &mut Graph, inputs: &[Value], along_steps: bool) -> Value {
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let name = graph.op("Concat", &names, vec![int("axis", if along_steps { 1 } else { -1 })]);
    let mask = match inputs.iter().any(|input| input.mask.is_some()) {
        false => None,
        true if along_steps => Some(in_a_row(graph, inputs)),
        true => Some(of_any(graph, inputs)),
    };
    Value { name, mask }
}

/// The masks one behind the other.
fn in_a_row(graph: &mut Graph, inputs: &[Value]) -> String {
    let mask = |input: &Value| input.mask.clone().unwrap_or_else(|| masks::all(graph, &input.name));
    let masks: Vec<String> = inputs.iter().map(mask).collect();
    let masks: Vec<&str> = masks.iter().map(String::as_str).collect();
    graph.op("Concat", &masks, vec![int("axis", 1)])
}

/// Where any counts: everywhere, if one of them has no mask.
fn of_any(graph: &mut Graph, inputs: &[Value]) -> String {
    let of_each: Option<Vec<&String>> = inputs.iter().map(|input| input.mask.as_ref()).collect();
    match of_each.as_deref() {
        Some([first, rest @ ..]) => rest.iter().fold((*first).clone(), |a, b| masks::either(graph, &a, b)),
        _ => masks::all(graph, &inputs[0].name),
    }
}
