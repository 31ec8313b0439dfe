//! The arrays that a weights file holds.

/// One numeric array of a weights file, in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The length of each axis; a scalar has none.
    pub shape: Vec<usize>,
    /// The values, the last axis running fastest.
    pub data: ArrayData,
}

/// The values of an [`Array`].
#[derive(Debug, Clone, PartialEq)]
pub enum ArrayData {
    /// Weights, moments, statistics. Read from any float type, written as 32-bit floats.
    F32(Vec<f32>),
    /// Counters, such as an optimizer's iteration. Read from any integer type; written as the 32-bit integers that
    /// Keras uses, or as 64-bit ones where a value needs them.
    I64(Vec<i64>),
}

impl Array {
    /// An array of floats.
    pub fn f32(shape: &[usize], values: Vec<f32>) -> Self {
        Array { shape: shape.to_vec(), data: ArrayData::F32(values) }
    }

    /// An array of integers.
    pub fn i64(shape: &[usize], values: Vec<i64>) -> Self {
        Array { shape: shape.to_vec(), data: ArrayData::I64(values) }
    }

    /// The floats, or nothing where the array holds integers.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.data {
            ArrayData::F32(values) => Some(values),
            ArrayData::I64(_) => None,
        }
    }

    /// The integers, or nothing where the array holds floats.
    pub fn as_i64(&self) -> Option<&[i64]> {
        match &self.data {
            ArrayData::I64(values) => Some(values),
            ArrayData::F32(_) => None,
        }
    }
}

impl ArrayData {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            ArrayData::F32(values) => values.len(),
            ArrayData::I64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
