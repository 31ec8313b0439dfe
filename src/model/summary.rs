//! Keras's table of a model.

use std::fmt;

use serde_json::{Value, json};

use super::layer::{ANY_LENGTH, Shape};
use super::network::{Call, Input, Network, Placed, ValueId};

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let connected = rows.iter().any(|row| row.connected.is_some());
        // Keras's widths, or what the longest name needs.
        let title = rows.iter().map(|row| row.title.len() + 2).max().unwrap_or(0).max(44);
        let (width, last) = if connected { (title + 60, "  Connected to") } else { (title + 34, "") };
        let rule = "─".repeat(width);
        writeln!(f, "{:<title$}{:<22}{:>12}{last}", "Layer (type)", "Output Shape", "Param #")?;
        writeln!(f, "{rule}")?;
        for Row { title: name, shapes, count, connected } in rows {
            let connected = connected.map(|to| format!("  {to}")).unwrap_or_default();
            writeln!(f, "{name:<title$}{:<22}{:>12}{connected}", shapes[0], grouped(count))?;
            // Of a layer with several outputs each has a line.
            shapes[1..].iter().try_for_each(|shape| writeln!(f, "{:<title$}{shape}", ""))?;
        }
        writeln!(f, "{rule}")?;
        let (trainable, others) = self.table.count();
        writeln!(f, "Total params: {} ({})", grouped(trainable + others), size(trainable + others))?;
        writeln!(f, "Trainable params: {} ({})", grouped(trainable), size(trainable))?;
        write!(f, "Non-trainable params: {} ({})", grouped(others), size(others))
    }
}

/// A line of the table.
struct Row {
    title: String,
    /// Of each output.
    shapes: Vec<String>,
    /// Numbers in its variables.
    count: usize,
    /// Where its inputs come from, in a graph.
    connected: Option<String>,
}

impl Network {
    /// The inputs of a graph, and the layers.
    fn rows(&self) -> Vec<Row> {
        let graph = !self.is_chain();
        let input = |input: &Input| Row {
            title: format!("{} (InputLayer)", input.name.as_deref().unwrap_or("input")),
            shapes: vec![shape(&input.shape)],
            count: 0,
            connected: Some("-".into()),
        };
        let layer = |(i, placed): (usize, &Placed)| Row {
            title: format!("{} ({})", placed.name, placed.layer.class_name()),
            shapes: placed.output_shapes.iter().map(|s| shape(s)).collect(),
            count: placed.parameters(),
            connected: graph.then(|| self.connected(i).join(", ")),
        };
        let inputs = self.inputs.iter().filter(|_| graph).map(input);
        inputs.chain(self.layers.iter().enumerate().map(layer)).collect()
    }

    /// Whether every layer gets what the one before it gives, and nothing else.
    fn is_chain(&self) -> bool {
        let mut last = 0;
        let linked = self.calls.iter().enumerate().all(|(i, call)| {
            let linked = call.layer == i && call.inputs == [last];
            last = call.outputs.first().copied().unwrap_or(last);
            linked
        });
        linked && self.inputs.len() == 1 && self.outputs == [last]
    }

    /// Where a layer's inputs come from, call by call, as Keras has it: `lstm[0][1]`, the second output of the first call.
    fn connected(&self, layer: usize) -> Vec<String> {
        let of_input = |id: &ValueId| self.inputs.get(*id).map(|input| input.name.as_deref().unwrap_or("input"));
        let word = |id: &ValueId| match of_input(id) {
            Some(name) => format!("{name}[0][0]"),
            None => self.origin(*id).map(|(name, node, i)| format!("{name}[{node}][{i}]")).unwrap_or_default(),
        };
        self.calls.iter().filter(|call| call.layer == layer).flat_map(|call| call.inputs.iter().map(word)).collect()
    }

    /// The layer, its call, and which of what that gives, that a value is.
    fn origin(&self, id: ValueId) -> Option<(&str, usize, usize)> {
        let at = self.calls.iter().position(|call| call.outputs.contains(&id))?;
        let Call { layer, outputs, .. } = &self.calls[at];
        let node = self.calls[..at].iter().filter(|call| call.layer == *layer).count();
        Some((&self.layers[*layer].name, node, outputs.iter().position(|output| *output == id)?))
    }
}

impl Placed {
    fn parameters(&self) -> usize {
        self.layer.variables(&self.input_shapes).iter().map(|s| s.shape.iter().product::<usize>()).sum()
    }
}

/// `(None, 10, 5)`, with the batch axis.
fn shape(shape: &[usize]) -> String {
    let dim = |&n: &usize| if n == ANY_LENGTH { "None".into() } else { n.to_string() };
    let dims: Vec<String> = std::iter::once("None".into()).chain(shape.iter().map(dim)).collect();
    format!("({})", dims.join(", "))
}

impl Network {
    /// All layers in one line: `LSTM 64 -> BatchNormalization -> Dense 1 sigmoid`; those of a graph with commas.
    pub fn line(&self) -> String {
        let layers = self.layers.iter().map(|placed| {
            let config = placed.layer.config();
            let units = config.get("units").map(|units| format!(" {units}")).unwrap_or_default();
            let activation = config.get("activation").and_then(|a| a.as_str());
            let activation = activation.filter(|&a| placed.layer.class_name() == "Dense" && a != "linear");
            let activation = activation.map(|a| format!(" {a}")).unwrap_or_default();
            format!("{}{units}{activation}", placed.layer.class_name())
        });
        layers.collect::<Vec<_>>().join(if self.is_chain() { " -> " } else { ", " })
    }

    /// Keras's table as data: every layer with its arguments, and the counts; of a functional model also its graph.
    pub fn to_json(&self) -> Value {
        let layers = self.layers.iter().enumerate().map(|(i, placed)| {
            let mut layer = json!({
                "name": placed.name,
                "class": placed.layer.class_name(),
                "config": placed.layer.config(),
                "output_shape": placed.output_shapes[0],
                "parameters": placed.parameters(),
            });
            if self.functional {
                layer["output_shapes"] = json!(placed.output_shapes);
                layer["connected_to"] = self.connected(i).into();
            }
            layer
        });
        let (trainable, others) = self.table.count();
        let mut model = json!({
            "input_shape": self.input_shape(),
            "layers": layers.collect::<Vec<_>>(),
            "parameters": trainable + others,
            "trainable_parameters": trainable,
        });
        if self.functional {
            let input = |input: &Input| json!({"name": input.name, "shape": input.shape});
            let output = |(name, shape): (&str, &Shape)| json!({"name": name, "shape": shape});
            model["inputs"] = self.inputs.iter().map(input).collect();
            model["outputs"] = self.output_names().into_iter().zip(self.output_shapes()).map(output).collect();
        }
        model
    }
}

/// 30753 to `30,753`.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|g| String::from_utf8_lossy(g).into_owned()).collect::<Vec<_>>().join(",")
}

/// Bytes of so many `f32`s, in words.
fn size(n: usize) -> String {
    let bytes = 4.0 * n as f64;
    match bytes {
        b if b < 1024.0 => format!("{b:.2} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.2} KB", b / 1024.0),
        b => format!("{:.2} MB", b / (1024.0 * 1024.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Dense, Normalization, Sequential};
    use super::*;

    #[test]
    fn a_model_in_one_line_names_its_layers_and_sizes() {
        let model = Sequential::new(&[10, 1]).add(Normalization::new()).add_lstms(&[64, 32]);
        let network = model.add(Dense::new(1).activation(Activation::Sigmoid)).build().unwrap();
        let line = "Normalization -> LSTM 64 -> BatchNormalization -> LSTM 32 -> BatchNormalization -> Dense 1 sigmoid";
        assert_eq!(network.line(), line);
        assert_eq!(network.to_json()["layers"][1]["parameters"], 4 * 64 * (1 + 64 + 1));
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 30_753, 1_234_567].map(grouped), ["0", "999", "1,000", "30,753", "1,234,567"]);
    }
}
