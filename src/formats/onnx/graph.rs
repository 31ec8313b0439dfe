//! A graph under way: nodes are added in the order in which they run, and every tensor gets a name of its own.

use std::collections::{HashMap, HashSet};

use super::proto::{
    Attribute, Dimension, GraphDef, Node, Tensor, TensorShape, TensorType, Type, ValueInfo, data_type, kind,
};

/// A graph, and the bodies of loops in it that are being written.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The model's nodes, and behind them those of the bodies that are open.
    nodes: Vec<Vec<Node>>,
    initializers: Vec<Tensor>,
    /// The names of initializers, by what they were asked for.
    constants: HashMap<String, String>,
    /// Names of tensors: those of bodies must differ from all others too.
    taken: HashSet<String>,
    /// What the names of new tensors begin with.
    scope: String,
}

/// One of ONNX's lengths of axes that is not known before data come.
pub(super) const BATCH: &str = "batch";

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph { nodes: vec![Vec::new()], ..Graph::default() }
    }

    /// Begins the names of tensors with a layer's name.
    pub fn enter(&mut self, scope: &str) {
        self.scope = scope.to_owned();
    }

    /// This name, or it with a number if it is taken.
    pub fn name(&mut self, wish: &str) -> String {
        let numbered = |i: usize| if i == 0 { wish.to_owned() } else { format!("{wish}_{i}") };
        let free = (0..).map(numbered).find(|name| !self.taken.contains(name)).unwrap_or_default();
        self.taken.insert(free.clone());
        free
    }

    /// A name for a tensor of the layer that is being written.
    pub fn fresh(&mut self, wish: &str) -> String {
        self.name(&format!("{}/{wish}", self.scope))
    }

    /// A node with one output, whose name it gives.
    pub fn op(&mut self, op_type: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let [output] = self.op_of(op_type, inputs, attributes);
        output
    }

    /// A node with several outputs.
    pub fn op_of<const N: usize>(&mut self, op_type: &str, inputs: &[&str], attributes: Vec<Attribute>) -> [String; N] {
        let outputs = std::array::from_fn(|_| self.fresh(op_type));
        self.push(op_type, inputs, &outputs, attributes);
        outputs
    }

    /// A node whose outputs' names are known.
    pub fn push(&mut self, op_type: &str, inputs: &[&str], outputs: &[String], attributes: Vec<Attribute>) {
        let node = Node {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: outputs.to_vec(),
            name: outputs.first().cloned().unwrap_or_default(),
            op_type: op_type.to_owned(),
            attribute: attributes,
        };
        if let Some(nodes) = self.nodes.last_mut() {
            nodes.push(node);
        }
    }

    /// Numbers of the model under a name, once; gives the name.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, data_type::FLOAT, raw_data)
    }

    /// One number.
    pub fn float(&mut self, value: f32) -> String {
        self.floats(&format!("constant/{value:?}"), &[], &[value])
    }

    /// Whole numbers, such as axes.
    pub fn ints(&mut self, values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&format!("constant/{values:?}"), &[values.len()], data_type::INT64, raw_data)
    }

    /// One whole number, without an axis.
    pub fn int(&mut self, value: i64) -> String {
        self.constant(&format!("constant/{value}"), &[], data_type::INT64, value.to_le_bytes().to_vec())
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        if let Some(there) = self.constants.get(name) {
            return there.clone();
        }
        let own = self.name(name);
        self.constants.insert(name.to_owned(), own.clone());
        let dims = shape.iter().map(|&size| size as i64).collect();
        self.initializers.push(Tensor { dims, data_type, name: own.clone(), raw_data });
        own
    }

    /// The body of a loop: floats of any shape in, what `write` gives out.
    pub fn body(&mut self, inputs: &[String], write: impl FnOnce(&mut Graph) -> Vec<String>) -> GraphDef {
        self.nodes.push(Vec::new());
        let outputs = write(self);
        let value = |name: &String| ValueInfo { name: name.clone(), r#type: Some(tensor_type(None)) };
        GraphDef {
            node: self.nodes.pop().unwrap_or_default(),
            name: format!("{}/body", self.scope),
            input: inputs.iter().map(value).collect(),
            output: outputs.iter().map(value).collect(),
            ..GraphDef::default()
        }
    }

    /// The whole.
    pub fn finish(mut self, name: &str, input: Vec<ValueInfo>, output: Vec<ValueInfo>) -> GraphDef {
        let node = self.nodes.pop().unwrap_or_default();
        GraphDef { node, name: name.to_owned(), initializer: self.initializers, input, output }
    }
}

/// An input or output of floats: its axes behind the batch's are numbers or names.
pub(super) fn value_info(name: &str, axes: Vec<Dimension>) -> ValueInfo {
    let dim = std::iter::once(unknown(BATCH)).chain(axes).collect();
    ValueInfo { name: name.to_owned(), r#type: Some(tensor_type(Some(TensorShape { dim }))) }
}

/// A length that is known.
pub(super) fn known(size: usize) -> Dimension {
    Dimension { dim_value: Some(size as i64), dim_param: None }
}

/// A length that comes with the data.
pub(super) fn unknown(name: &str) -> Dimension {
    Dimension { dim_value: None, dim_param: Some(name.to_owned()) }
}

fn tensor_type(shape: Option<TensorShape>) -> Type {
    Type { tensor_type: Some(TensorType { elem_type: data_type::FLOAT, shape }) }
}

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute { name: name.to_owned(), kind, ..Attribute::default() }
}

/// An attribute: a whole number.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute { i: Some(value), ..attribute(name, kind::INT) }
}

/// Whole numbers.
pub(super) fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { ints: values.to_vec(), ..attribute(name, kind::INTS) }
}

/// A number.
pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute { f: Some(value), ..attribute(name, kind::FLOAT) }
}

/// Numbers.
pub(super) fn floats(name: &str, values: &[f32]) -> Attribute {
    Attribute { floats: values.to_vec(), ..attribute(name, kind::FLOATS) }
}

/// A word.
pub(super) fn text(name: &str, value: &str) -> Attribute {
    Attribute { s: Some(value.as_bytes().to_vec()), ..attribute(name, kind::STRING) }
}

/// Words.
pub(super) fn texts(name: &str, values: &[&str]) -> Attribute {
    let strings = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    Attribute { strings, ..attribute(name, kind::STRINGS) }
}

/// One float in an array.
pub(super) fn tensor(name: &str, value: f32) -> Attribute {
    let raw_data = value.to_le_bytes().to_vec();
    let t = Tensor { dims: vec![1], data_type: data_type::FLOAT, raw_data, ..Tensor::default() };
    Attribute { t: Some(t), ..attribute(name, kind::TENSOR) }
}

/// The body of a loop.
pub(super) fn body(name: &str, value: GraphDef) -> Attribute {
    Attribute { g: Some(value), ..attribute(name, kind::GRAPH) }
}
