//! How much memory data may take.

use clap::Args;
use gatenorm::train::Model;

/// Where data lie that are large.
#[derive(Args)]
pub struct MemoryFlags {
    /// The most that data take on the device, such as 256MiB. Larger data pass through it in chunks, in the same order and with the same
    /// results [default: no limit but that of the device for a buffer].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    device_memory: Option<usize>,
}

impl MemoryFlags {
    /// Whether something is asked for.
    pub fn is_given(&self) -> bool {
        self.device_memory.is_some()
    }

    /// Tells a model.
    pub fn apply(&self, model: &mut Model) {
        model.set_device_memory(self.device_memory);
    }
}

/// Units of sizes, and how many bytes they are.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Bytes of a size as it is written.
pub fn size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let unit = UNITS.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let bytes = number.trim().parse::<f64>().ok().map(|number| number * unit as f64);
    match bytes {
        Some(bytes) if bytes >= 1.0 && bytes < u64::MAX as f64 => Ok(bytes as usize),
        _ => Err("give a size above 0, such as 256MiB, 1.5GiB or 2GB".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(["1000", "2kB", "1.5KiB", "256 MiB", "7B"].map(size), [1000, 2000, 1536, 256 << 20, 7].map(Ok));
        assert!(["", "-1MiB", "0", "many", "1 PB", "infGB", "NaN"].iter().all(|text| size(text).is_err()));
    }
}
