//! Keras's table of a model.

use std::fmt;

use serde_json::{Value, json};

use super::layer::ANY_LENGTH;
use super::network::Network;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |shape: &[usize]| {
            let dim = |&n: &usize| if n == ANY_LENGTH { "None".into() } else { n.to_string() };
            let dims: Vec<String> = std::iter::once("None".into()).chain(shape.iter().map(dim)).collect();
            format!("({})", dims.join(", "))
        };
        let rule = "─".repeat(78);
        writeln!(f, "{:<44}{:<22}{:>12}", "Layer (type)", "Output Shape", "Param #")?;
        writeln!(f, "{rule}")?;
        for placed in &self.layers {
            let title = format!("{} ({})", placed.name, placed.layer.class_name());
            let specs = placed.layer.variables(&placed.input_shapes);
            let count: usize = specs.iter().map(|s| s.shape.iter().product::<usize>()).sum();
            writeln!(f, "{title:<44}{:<22}{:>12}", shape(&placed.output_shapes[0]), grouped(count))?;
        }
        writeln!(f, "{rule}")?;
        let (trainable, others) = self.table.count();
        writeln!(f, "Total params: {} ({})", grouped(trainable + others), size(trainable + others))?;
        writeln!(f, "Trainable params: {} ({})", grouped(trainable), size(trainable))?;
        write!(f, "Non-trainable params: {} ({})", grouped(others), size(others))
    }
}

impl Network {
    /// All layers in one line: `LSTM 64 -> BatchNormalization -> Dense 1 sigmoid`.
    pub fn line(&self) -> String {
        let layers = self.layers.iter().map(|placed| {
            let config = placed.layer.config();
            let units = config.get("units").map(|units| format!(" {units}")).unwrap_or_default();
            let activation = config.get("activation").and_then(|a| a.as_str());
            let activation = activation.filter(|&a| placed.layer.class_name() == "Dense" && a != "linear");
            let activation = activation.map(|a| format!(" {a}")).unwrap_or_default();
            format!("{}{units}{activation}", placed.layer.class_name())
        });
        layers.collect::<Vec<_>>().join(" -> ")
    }

    /// Keras's table as data: every layer with its arguments, and the counts.
    pub fn to_json(&self) -> Value {
        let layers = self.layers.iter().map(|placed| {
            let specs = placed.layer.variables(&placed.input_shapes);
            json!({
                "name": placed.name,
                "class": placed.layer.class_name(),
                "config": placed.layer.config(),
                "output_shape": placed.output_shapes[0],
                "parameters": specs.iter().map(|s| s.shape.iter().product::<usize>()).sum::<usize>(),
            })
        });
        let (trainable, others) = self.table.count();
        json!({
            "input_shape": self.input_shape(),
            "layers": layers.collect::<Vec<_>>(),
            "parameters": trainable + others,
            "trainable_parameters": trainable,
        })
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
