//! Keras's table of a model.

use std::fmt;

use super::sequential::Stack;

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |shape: &[usize]| {
            let dims: Vec<String> = std::iter::once("None".into()).chain(shape.iter().map(usize::to_string)).collect();
            format!("({})", dims.join(", "))
        };
        let rule = "─".repeat(78);
        writeln!(f, "{:<42}{:<24}{:>12}", "Layer (type)", "Output Shape", "Param #")?;
        writeln!(f, "{rule}")?;
        for placed in &self.layers {
            let title = format!("{} ({})", placed.name, placed.layer.class_name());
            let specs = placed.layer.variables(&placed.input_shape);
            let count: usize = specs.iter().map(|s| s.shape.iter().product::<usize>()).sum();
            writeln!(f, "{title:<42}{:<24}{:>12}", shape(&placed.output_shape), grouped(count))?;
        }
        writeln!(f, "{rule}")?;
        let (trainable, others) = self.table.count();
        writeln!(f, "Total params: {} ({})", grouped(trainable + others), size(trainable + others))?;
        writeln!(f, "Trainable params: {} ({})", grouped(trainable), size(trainable))?;
        write!(f, "Non-trainable params: {} ({})", grouped(others), size(others))
    }
}

/// 30753 to `30,753`.
fn grouped(n: usize) -> String {
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
