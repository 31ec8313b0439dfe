//! What stands before the values of a NumPy array, and arrays of numbers that are read from their file part by part.

use super::records::open;
use crate::{Error, Result};
use half::f16;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, TypeStr};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What an array is.
pub(super) struct Header {
    pub shape: Vec<usize>,
    pub plain: TypeStr,
    pub order: Order,
}

impl Header {
    /// Of an array with so many bytes of values; `which` stands before messages.
    pub fn of(path: &Path, which: &str, header: &NpyHeader, held: u64) -> Result<Header> {
        let wrong = |message: String| Error::input(path, format!("{which}{message}"));
        let sizes: Option<Vec<usize>> = header.shape().iter().map(|&size| usize::try_from(size).ok()).collect();
        let counted = |shape: Vec<usize>| {
            let count = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))?;
            Some((shape, count))
        };
        let Some((shape, count)) = sizes.and_then(counted) else {
            let shape = header.shape();
            return Err(wrong(format!("the shape {shape:?} is too large for this machine. Use a smaller one")));
        };
        let DType::Plain(plain) = header.dtype() else {
            return Err(refused(path, which, "records of several fields"));
        };
        if plain.type_char() == TypeChar::Object {
            return Err(refused(path, which, "Python objects (dtype object)"));
        }
        let needed = count.saturating_mul(plain.num_bytes().unwrap_or(0));
        if held < needed as u64 {
            return Err(wrong(format!(
                "it was cut off: {held} bytes of values, where the shape {shape:?} of {plain} needs {needed}. Save or copy it again"
            )));
        }
        Ok(Header { shape, plain, order: header.order() })
    }
}

/// An array that holds something else than numbers.
pub(super) fn refused(path: &Path, which: &str, what: &str) -> Error {
    let text =
        format!("{which}it holds {what}, which are no numbers. Save it as numbers, such as `x.astype(\"float32\")`");
    Error::input(path, text)
}

/// No array at all.
pub(super) fn unreadable(path: &Path, which: &str, why: std::io::Error) -> Error {
    Error::input(path, format!("{which}not a readable .npy array: {why}. Save it again"))
}

/// How a number is written.
#[derive(Clone, Copy, Debug)]
struct Number {
    kind: TypeChar,
    bytes: usize,
    big: bool,
}

impl Number {
    /// None for what is no number, or no known one.
    fn of(plain: &TypeStr) -> Option<Number> {
        let number =
            Number { kind: plain.type_char(), bytes: plain.num_bytes()?, big: plain.endianness() == Endianness::Big };
        let known = match number.kind {
            TypeChar::Float => [2, 4, 8].contains(&number.bytes),
            TypeChar::Int | TypeChar::Uint => [1, 2, 4, 8].contains(&number.bytes),
            TypeChar::Bool => number.bytes == 1,
            _ => false,
        };
        known.then_some(number)
    }

    fn decode(self, bytes: &[u8], out: &mut [f32]) {
        macro_rules! each {
            ($type:ty, $to:expr) => {
                for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(size_of::<$type>())) {
                    let bytes = bytes.try_into().unwrap_or_default();
                    *value = $to(if self.big { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) });
                }
            };
        }
        match (self.kind, self.bytes) {
            (TypeChar::Float, 2) => each!(f16, f32::from),
            (TypeChar::Float, 4) => each!(f32, |v| v),
            (TypeChar::Float, _) => each!(f64, |v| v as f32),
            (TypeChar::Int, 1) => each!(i8, f32::from),
            (TypeChar::Int, 2) => each!(i16, f32::from),
            (TypeChar::Int, 4) => each!(i32, |v| v as f32),
            (TypeChar::Int, _) => each!(i64, |v| v as f32),
            (TypeChar::Uint, 2) => each!(u16, f32::from),
            (TypeChar::Uint, 4) => each!(u32, |v| v as f32),
            (TypeChar::Uint, 8) => each!(u64, |v| v as f32),
            (TypeChar::Bool, _) => each!(u8, |v| f32::from(u8::from(v != 0))),
            _ => each!(u8, f32::from),
        }
    }
}

/// An array of numbers in a file, in C order.
#[derive(Debug)]
pub(super) struct NumberFile {
    path: PathBuf,
    file: Mutex<File>,
    /// Where its values begin.
    begins: u64,
    number: Number,
    pub shape: Vec<usize>,
}

impl NumberFile {
    /// Opens a `.npy` file; none where its values are no numbers, or stand in Fortran order.
    pub fn open(path: &Path) -> Result<Option<NumberFile>> {
        let file = open(path)?;
        let failed = |e| Error::io(path, "read", e);
        let header = NpyHeader::from_reader(&file).map_err(|e| unreadable(path, "", e))?;
        let (begins, all) = ((&file).stream_position().map_err(failed)?, file.metadata().map_err(failed)?.len());
        let Header { shape, plain, order } = Header::of(path, "", &header, all.saturating_sub(begins))?;
        let number = Number::of(&plain).filter(|_| order == Order::C);
        Ok(number.map(|number| NumberFile { path: path.to_owned(), file: Mutex::new(file), begins, number, shape }))
    }

    /// An array of f32, little endian, which is all that a file holds; messages name it `path`.
    pub fn of_floats(path: PathBuf, file: File, shape: Vec<usize>) -> NumberFile {
        let number = Number { kind: TypeChar::Float, bytes: size_of::<f32>(), big: false };
        NumberFile { path, file: Mutex::new(file), begins: 0, number, shape }
    }

    /// Reads the values from `first` on.
    pub fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        /// Values that are read at once.
        const AT_ONCE: usize = 1 << 17;
        let size = self.number.bytes;
        let mut bytes = vec![0; size * out.len().min(AT_ONCE)];
        // A lock that is poisoned guards nothing but where the file is read next.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |e| Error::io(&self.path, "read", e);
        file.seek(SeekFrom::Start(self.begins + (first * size) as u64)).map_err(failed)?;
        for part in out.chunks_mut(AT_ONCE) {
            let bytes = &mut bytes[..size * part.len()];
            file.read_exact(bytes).map_err(failed)?;
            self.number.decode(bytes, part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_decoded_in_either_order_of_bytes() {
        let decoded = |kind: &str, bytes: &[u8]| {
            let DType::Plain(plain) = DType::parse(&format!("'{kind}'")).expect("a type") else { panic!("{kind}") };
            let mut out = [0.0; 2];
            Number::of(&plain).expect("a number").decode(bytes, &mut out);
            out
        };
        assert_eq!(decoded("<f2", &[0x00, 0x3e, 0x00, 0xc0]), [1.5, -2.0]);
        assert_eq!(decoded(">f2", &[0x3e, 0x00, 0xc0, 0x00]), [1.5, -2.0]);
        assert_eq!(decoded("<i4", &[[3, 0, 0, 0], [254, 255, 255, 255]].concat()), [3.0, -2.0]);
        assert_eq!(decoded("|i1", &[128, 127]), [-128.0, 127.0]);
        assert_eq!(decoded("|u1", &[128, 255]), [128.0, 255.0]);
        assert_eq!(decoded("|b1", &[0, 1]), [0.0, 1.0]);
        assert_eq!(decoded(">u8", &[&[255; 8][..], &[0, 0, 0, 0, 0, 0, 1, 0]].concat()), [u64::MAX as f32, 256.0]);
        assert_eq!(decoded("<f8", &[1e300f64.to_le_bytes(), 0.1f64.to_le_bytes()].concat()), [f32::INFINITY, 0.1]);
    }
}
