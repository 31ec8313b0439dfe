//! Whether a model could take sequences of any length, whatever length it was built for.

use crate::model::{ANY_LENGTH, Network, Shape};

/// The shapes of all values with steps of any number in the inputs that are sequences, where all layers allow it with
/// the variables that they have; else the model's own.
pub(super) fn free(network: &Network) -> Vec<Shape> {
    let of_any_length = |shape: &Shape| match shape[..] {
        [_, features] => vec![ANY_LENGTH, features],
        _ => shape.clone(),
    };
    let mut shapes: Vec<Shape> = network.values.iter().map(of_any_length).collect();
    for call in &network.calls {
        let layer = &network.layers[call.layer].layer;
        let inputs: Vec<Shape> = call.inputs.iter().map(|&id| shapes[id].clone()).collect();
        let own: Vec<Shape> = call.inputs.iter().map(|&id| network.values[id].clone()).collect();
        let sizes = |inputs: &[Shape]| layer.variables(inputs).into_iter().map(|v| v.shape).collect::<Vec<_>>();
        match layer.output_shapes(&inputs) {
            Ok(outputs) if sizes(&inputs) == sizes(&own) => {
                call.outputs.iter().zip(outputs).for_each(|(&id, shape)| shapes[id] = shape);
            }
            _ => return network.values.clone(),
        }
    }
    shapes
}
