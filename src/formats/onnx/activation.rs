//! Activations as operators, and as words of the operators `LSTM` and `GRU`.

use std::f32::consts::FRAC_1_SQRT_2;

use super::graph::{Graph, float, int};
use crate::model::Activation;

/// activation(x)
pub(super) fn apply(graph: &mut Graph, activation: Activation, x: &str) -> String {
    match activation {
        Activation::Linear => x.to_owned(),
        Activation::Sigmoid => graph.op("Sigmoid", &[x], vec![]),
        Activation::Tanh => graph.op("Tanh", &[x], vec![]),
        Activation::Relu => graph.op("Relu", &[x], vec![]),
        Activation::HardSigmoid => hard_sigmoid(graph, x),
        Activation::Relu6 => clip(graph, x, 0.0, 6.0),
        Activation::LeakyRelu => graph.op("LeakyRelu", &[x], vec![float("alpha", LEAKY_RELU_SLOPE)]),
        Activation::Softsign => graph.op("Softsign", &[x], vec![]),
        Activation::Elu => graph.op("Elu", &[x], vec![]),
        // ONNX's own constants are those of Klambauer et al. (2017) too.
        Activation::Selu => graph.op("Selu", &[x], vec![]),
        Activation::Silu => {
            let gate = graph.op("Sigmoid", &[x], vec![]);
            graph.op("Mul", &[x, &gate], vec![])
        }
        Activation::Gelu => gelu(graph, x),
        Activation::Exponential => graph.op("Exp", &[x], vec![]),
        Activation::Softplus => graph.op("Softplus", &[x], vec![]),
        Activation::HardTanh => clip(graph, x, -1.0, 1.0),
        Activation::Mish => {
            let positive = graph.op("Softplus", &[x], vec![]);
            let gate = graph.op("Tanh", &[&positive], vec![]);
            graph.op("Mul", &[x, &gate], vec![])
        }
        Activation::HardSilu => {
            let gate = hard_sigmoid(graph, x);
            graph.op("Mul", &[x, &gate], vec![])
        }
        Activation::LogSigmoid => {
            let negative = graph.op("Neg", &[x], vec![]);
            let positive = graph.op("Softplus", &[&negative], vec![]);
            graph.op("Neg", &[&positive], vec![])
        }
        Activation::Softmax => graph.op("Softmax", &[x], vec![int("axis", -1)]),
    }
}

const LEAKY_RELU_SLOPE: f32 = 0.2;
const HARD_SIGMOID: (f32, f32) = (1.0 / 6.0, 0.5);

fn hard_sigmoid(graph: &mut Graph, x: &str) -> String {
    graph.op("HardSigmoid", &[x], vec![float("alpha", HARD_SIGMOID.0), float("beta", HARD_SIGMOID.1)])
}

fn clip(graph: &mut Graph, x: &str, least: f32, most: f32) -> String {
    let (least, most) = (graph.float(least), graph.float(most));
    graph.op("Clip", &[x, &least, &most], vec![])
}

/// x Φ(x) = x (1 + erf(x / √2)) / 2
fn gelu(graph: &mut Graph, x: &str) -> String {
    let (root, one, half) = (graph.float(FRAC_1_SQRT_2), graph.float(1.0), graph.float(0.5));
    let scaled = graph.op("Mul", &[x, &root], vec![]);
    let erf = graph.op("Erf", &[&scaled], vec![]);
    let above = graph.op("Add", &[&erf, &one], vec![]);
    let share = graph.op("Mul", &[&above, &half], vec![]);
    graph.op("Mul", &[x, &share], vec![])
}

/// What the operators `LSTM` and `GRU` call an activation, with its alpha and beta.
pub(super) struct Word {
    pub name: &'static str,
    pub alpha: Option<f32>,
    pub beta: Option<f32>,
}

/// The word, where they have one.
pub(super) fn word(activation: Activation) -> Option<Word> {
    let (name, alpha, beta) = match activation {
        Activation::Linear => ("Affine", Some(1.0), Some(0.0)),
        Activation::Sigmoid => ("Sigmoid", None, None),
        Activation::Tanh => ("Tanh", None, None),
        Activation::Relu => ("Relu", None, None),
        Activation::HardSigmoid => ("HardSigmoid", Some(HARD_SIGMOID.0), Some(HARD_SIGMOID.1)),
        Activation::LeakyRelu => ("LeakyRelu", Some(LEAKY_RELU_SLOPE), None),
        Activation::Softsign => ("Softsign", None, None),
        Activation::Elu => ("Elu", Some(1.0), None),
        Activation::Softplus => ("Softplus", None, None),
        _ => return None,
    };
    Some(Word { name, alpha, beta })
}
