//! The number types that Keras stores in HDF5 datasets, as this crate's two.

use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder, FixedPointLayout, FloatingPointLayout};

use super::array::ArrayData;

/// How one value of a dataset is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Element {
    kind: Kind,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    /// Bytes and whether signed.
    Int(u32, bool),
}

impl Element {
    /// The type of a dataset's values, or a text that names one which is no number.
    pub(super) fn of(dataset: &Dataset) -> Result<Self, String> {
        let text = |e: hdf5_pure::Error| e.to_string();
        let datatype = dataset.datatype().map_err(text)?;
        let found = match &datatype {
            Datatype::FloatingPoint { byte_order, layout, .. } => float(layout).zip(Some(byte_order)),
            Datatype::FixedPoint { size, byte_order, layout } => integer(*size, layout).zip(Some(byte_order)),
            // HDF5 long had no bfloat16; Keras stores the two bytes as opaque, and says in an attribute what they are.
            Datatype::Opaque { size: 2, .. } => {
                let is_bf16 = dataset.attrs().map_err(text)?.get("dtype").and_then(|a| a.as_str()) == Some("bfloat16");
                is_bf16.then_some((Kind::Bf16, &DatatypeByteOrder::LittleEndian))
            }
            _ => None,
        };
        let (kind, big_endian) = match found {
            Some((kind, DatatypeByteOrder::LittleEndian)) => (kind, false),
            Some((kind, DatatypeByteOrder::BigEndian)) => (kind, true),
            _ => return Err(format!("its values are {}, not numbers that Keras uses", class(&datatype))),
        };
        Ok(Element { kind, big_endian })
    }

    /// The bytes of one value.
    pub(super) fn size(self) -> u64 {
        match self.kind {
            Kind::F16 | Kind::Bf16 => 2,
            Kind::F32 => 4,
            Kind::F64 => 8,
            Kind::Int(bytes, _) => u64::from(bytes),
        }
    }

    /// The values in `bytes`; a last one that is cut short is left out.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<ArrayData, String> {
        let words = bytes.chunks_exact(self.size() as usize).map(|word| self.word(word));
        Ok(match self.kind {
            Kind::F16 => ArrayData::F32(words.map(|w| f16_to_f32(w as u16)).collect()),
            Kind::Bf16 => ArrayData::F32(words.map(|w| f32::from_bits((w as u32) << 16)).collect()),
            Kind::F32 => ArrayData::F32(words.map(|w| f32::from_bits(w as u32)).collect()),
            Kind::F64 => ArrayData::F32(words.map(|w| f64::from_bits(w) as f32).collect()),
            Kind::Int(bytes, true) => ArrayData::I64(words.map(|w| sign_extend(w, bytes)).collect()),
            Kind::Int(_, false) => {
                let values = words.map(|w| i64::try_from(w).map_err(|_| format!("the value {w} is too large")));
                ArrayData::I64(values.collect::<Result<_, _>>()?)
            }
        })
    }

    /// The bits of one value, at the low end.
    fn word(self, bytes: &[u8]) -> u64 {
        let add = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

/// A word for a type, not looking into types within types: a hostile file may nest thousands.
fn class(datatype: &Datatype) -> &'static str {
    match datatype {
        Datatype::FixedPoint { .. } => "unusual integers",
        Datatype::FloatingPoint { .. } => "unusual floats",
        Datatype::String { .. } | Datatype::VariableLength { is_string: true, .. } => "texts",
        Datatype::Enumeration { .. } => "enumerated (or true and false)",
        Datatype::Compound { .. } => "compounds",
        Datatype::VariableLength { .. } | Datatype::Array { .. } => "lists",
        Datatype::Opaque { .. } => "opaque bytes",
        _ => "references, times or bit fields",
    }
}

fn float(layout: &FloatingPointLayout) -> Option<Kind> {
    let parts = |precision, exponent, mantissa, bias| FloatingPointLayout {
        bit_offset: 0,
        bit_precision: precision,
        exponent_location: mantissa,
        exponent_size: exponent,
        mantissa_location: 0,
        mantissa_size: mantissa,
        exponent_bias: bias,
    };
    let known = [
        (parts(32, 8, 23, 127), Kind::F32),
        (parts(64, 11, 52, 1023), Kind::F64),
        (parts(16, 5, 10, 15), Kind::F16),
        (parts(16, 8, 7, 127), Kind::Bf16),
    ];
    known.into_iter().find(|(known, _)| known == layout).map(|(_, kind)| kind)
}

fn integer(size: u32, layout: &FixedPointLayout) -> Option<Kind> {
    let whole = |size: u32| layout.bit_offset == 0 && u32::from(layout.bit_precision) == 8 * size;
    (matches!(size, 1 | 2 | 4 | 8) && whole(size)).then_some(Kind::Int(size, layout.signed))
}

fn sign_extend(word: u64, bytes: u32) -> i64 {
    let unused = 64 - 8 * bytes;
    ((word << unused) as i64) >> unused
}

fn f16_to_f32(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, exponent, mantissa) = (bits >> 15 << 31, bits >> 10 & 0x1f, bits & 0x3ff);
    let magnitude = match exponent {
        // A subnormal is its mantissa in units of 2^-24, exactly.
        0 => mantissa as f32 / 16_777_216.0,
        0x1f => f32::from_bits(0x7f80_0000 | mantissa << 13),
        _ => f32::from_bits((exponent + 112) << 23 | mantissa << 13),
    };
    f32::from_bits(sign | magnitude.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(kind: Kind, big_endian: bool, bytes: &[u8]) -> ArrayData {
        Element { kind, big_endian }.decode(bytes).unwrap()
    }

    #[test]
    fn floats_of_every_width() {
        let f32s = |kind, bytes: &[u8]| decoded(kind, false, bytes);
        assert_eq!(f32s(Kind::F32, &1.5f32.to_le_bytes()), ArrayData::F32(vec![1.5]));
        assert_eq!(decoded(Kind::F32, true, &1.5f32.to_be_bytes()), ArrayData::F32(vec![1.5]));
        assert_eq!(f32s(Kind::F64, &0.1f64.to_le_bytes()), ArrayData::F32(vec![0.1]));
        assert_eq!(f32s(Kind::Bf16, &[0xc0, 0x3f]), ArrayData::F32(vec![1.5]));
        // 1, -2, the largest, the smallest normal, the smallest subnormal, -0, infinity.
        let halves = [0x3c00u16, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00];
        let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        let values = vec![1.0, -2.0, 65504.0, 2f32.powi(-14), 2f32.powi(-24), -0.0, f32::INFINITY];
        assert_eq!(f32s(Kind::F16, &bytes), ArrayData::F32(values));
        assert!(f16_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn integers_of_every_width() {
        assert_eq!(decoded(Kind::Int(1, true), false, &[0xff, 2]), ArrayData::I64(vec![-1, 2]));
        assert_eq!(decoded(Kind::Int(4, false), false, &[0xff; 4]), ArrayData::I64(vec![0xffff_ffff]));
        assert_eq!(decoded(Kind::Int(8, true), true, &i64::MIN.to_be_bytes()), ArrayData::I64(vec![i64::MIN]));
        let too_large = Element { kind: Kind::Int(8, false), big_endian: false }.decode(&[0xff; 8]);
        assert!(too_large.unwrap_err().contains("18446744073709551615"));
    }
}
