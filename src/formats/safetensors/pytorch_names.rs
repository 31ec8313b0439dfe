//! Variables as those of PyTorch's modules, in an attribute for each layer.

use safetensors::Dtype;
use serde_json::Value;

use super::{Count, Entry, Source};
use crate::formats::keras_args::{Args, Read, object};
use crate::formats::keras_layers::activation;
use crate::model::{Activation, Network, Placed, VariableSpec};

/// A tensor for each variable, an LSTM's second bias, and the counts of `BatchNorm1d`.
pub(super) fn entries(network: &Network) -> Read<Vec<Entry>> {
    let (mut entries, mut first) = (Vec::new(), 0);
    for placed in &network.layers {
        let class = placed.layer.class_name();
        let variables = placed.layer.variables(&placed.input_shapes);
        let mut module = Module { name: &placed.name, part: "", first, variables: &variables, entries: Vec::new() };
        if !variables.is_empty() {
            let written = if placed.name.contains('.') {
                Err("its name holds a `.`, which no attribute in PyTorch can. Rename the layer".to_owned())
            } else {
                module.layer(placed, class)
            };
            written.map_err(|why| format!("layer `{}` ({class}): {why}; or take Keras's names", placed.name))?;
        }
        entries.extend(module.entries);
        first += variables.len();
    }
    Ok(entries)
}

/// Keras's gates z, r and the candidate in PyTorch's order r, z, n.
const GRU_GATES: &[usize] = &[1, 0, 2];
/// i, f, c and o: the order is the same.
const LSTM_GATES: &[usize] = &[0, 1, 2, 3];
const ONE: &[usize] = &[0];

/// A layer on its way to a module.
struct Module<'a> {
    name: &'a str,
    /// What the names of its variables begin with, as `forward/`.
    part: &'static str,
    /// The index of the first of its variables.
    first: usize,
    variables: &'a [VariableSpec],
    entries: Vec<Entry>,
}

impl Module<'_> {
    fn layer(&mut self, placed: &Placed, class: &str) -> Read<()> {
        let config = Value::Object(placed.layer.config());
        let mut args = Args::new(class, Some(&config))?;
        match class {
            "LSTM" | "GRU" => self.recurrent(class, &mut args, "_l0"),
            "Bidirectional" => self.bidirectional(&mut args),
            "Dense" => self.linear(),
            "TimeDistributed" => {
                self.part = "layer/";
                self.linear()
            }
            "Embedding" => self.same("embeddings", "weight"),
            "Normalization" => self.same("mean", "mean").and(self.same("variance", "variance")),
            "BatchNormalization" => self.batch_norm(),
            "LayerNormalization" => self.layer_norm(),
            _ => Err("PyTorch has no such module".to_owned()),
        }
    }

    /// The index of a variable, and what it is, where the layer has it.
    fn find(&self, variable: &str) -> Option<(usize, &VariableSpec)> {
        let name = format!("{}{variable}", self.part);
        let at = self.variables.iter().position(|spec| spec.name == name)?;
        Some((self.first + at, &self.variables[at]))
    }

    fn needed(&self, variable: &str) -> Read<(usize, Vec<usize>)> {
        let found = self.find(variable).map(|(index, spec)| (index, spec.shape.clone()));
        found.ok_or_else(|| format!("it has no variable `{}{variable}`", self.part))
    }

    /// A variable as it is.
    fn same(&mut self, variable: &str, tensor: &str) -> Read<()> {
        let (index, shape) = self.needed(variable)?;
        self.entries.push(Entry::same(format!("{}.{tensor}", self.name), shape, index));
        Ok(())
    }

    /// `[rows, gates H]` turned to `[gates H, rows]`, the gates in another order.
    fn turned(&mut self, variable: &str, tensor: &str, gates: &'static [usize]) -> Read<()> {
        let (index, shape) = self.needed(variable)?;
        let [rows, width] = shape[..] else { return Err(format!("`{variable}` is no matrix")) };
        let column = in_order(gates, width);
        let element = Box::new(move |i: usize| (i % rows) * width + column(i / rows));
        self.push(tensor, vec![width, rows], Source::Variable { index, element, written: true });
        Ok(())
    }

    /// A row of a bias of `width` columns; where it is not `written`, zeros stand for it.
    fn bias(&mut self, tensor: &str, row: usize, gates: &'static [usize], written: bool) -> Read<()> {
        let (index, shape) = self.needed("bias")?;
        let width = shape.last().copied().unwrap_or(1);
        let column = in_order(gates, width);
        let element = Box::new(move |i: usize| row * width + column(i));
        self.push(tensor, vec![width], Source::Variable { index, element, written });
        Ok(())
    }

    fn push(&mut self, tensor: &str, shape: Vec<usize>, source: Source) {
        self.entries.push(Entry { name: format!("{}.{tensor}", self.name), shape, source });
    }

    fn recurrent(&mut self, class: &str, args: &mut Args<'_>, suffix: &str) -> Read<()> {
        let activations = [
            activation(args, "activation", Activation::Tanh)?,
            activation(args, "recurrent_activation", Activation::Sigmoid)?,
        ];
        if activations != [Activation::Tanh, Activation::Sigmoid] {
            return Err(format!("nn.{class} has the activations tanh and sigmoid alone"));
        }
        if !args.flag("reset_after", true)? {
            return Err("nn.GRU resets after the product: train with `reset_after=True`".to_owned());
        }
        let gates = if class == "GRU" { GRU_GATES } else { LSTM_GATES };
        self.turned("kernel", &format!("weight_ih{suffix}"), gates)?;
        self.turned("recurrent_kernel", &format!("weight_hh{suffix}"), gates)?;
        if self.find("bias").is_none() {
            return Ok(());
        }
        // A GRU has two biases; an LSTM one, and PyTorch's second is added to it.
        let of_gru = class == "GRU";
        self.bias(&format!("bias_ih{suffix}"), 0, gates, true)?;
        self.bias(&format!("bias_hh{suffix}"), of_gru.into(), gates, of_gru)
    }

    fn bidirectional(&mut self, args: &mut Args<'_>) -> Read<()> {
        let parts = [("layer", "forward/", "_l0"), ("backward_layer", "backward/", "_l0_reverse")];
        let mut classes = Vec::with_capacity(2);
        for (argument, part, suffix) in parts {
            let entry = args.get(argument).ok_or_else(|| args.missing(argument))?;
            let (class, config) = object(args.place(), entry)?;
            if class != "LSTM" && class != "GRU" {
                return Err(format!("PyTorch has no such module as {class}"));
            }
            self.part = part;
            self.recurrent(class, &mut Args::new(args.place(), config)?, suffix)?;
            classes.push((class, self.find("bias").is_some()));
        }
        match classes[..] {
            [a, b] if a == b => Ok(()),
            _ => Err("its two layers differ, which those of nn.LSTM and nn.GRU cannot".to_owned()),
        }
    }

    fn linear(&mut self) -> Read<()> {
        self.turned("kernel", "weight", ONE)?;
        if self.find("bias").is_some() { self.bias("bias", 0, ONE, true) } else { Ok(()) }
    }

    fn batch_norm(&mut self) -> Read<()> {
        if self.find("renorm_mean").is_some() {
            return Err("nn.BatchNorm1d knows no renormalisation".to_owned());
        }
        match (self.find("gamma").is_some(), self.find("beta").is_some()) {
            (true, true) => self.same("gamma", "weight").and(self.same("beta", "bias"))?,
            (false, false) => {}
            _ => return Err("nn.BatchNorm1d has gamma and beta, or neither".to_owned()),
        }
        self.same("moving_mean", "running_mean")?;
        self.same("moving_variance", "running_var")?;
        let source = Source::Count { value: Count::Steps, dtype: Dtype::I64 };
        self.push("num_batches_tracked", Vec::new(), source);
        Ok(())
    }

    fn layer_norm(&mut self) -> Read<()> {
        match (self.find("gamma").is_some(), self.find("beta").is_some()) {
            (true, true) => self.same("gamma", "weight").and(self.same("beta", "bias")),
            (true, false) => self.same("gamma", "weight"),
            (false, _) => Err("nn.LayerNorm has no beta without a gamma: train with `scale=True`".to_owned()),
        }
    }
}

/// Which of `width` columns in Keras's order of gates each is in another.
fn in_order(gates: &'static [usize], width: usize) -> impl Fn(usize) -> usize {
    let units = width / gates.len();
    move |i| gates[i / units] * units + i % units
}
