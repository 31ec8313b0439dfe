//! Reads of buffers that a device answers while it works on.

use std::ops::Range;

use super::read_back::OnDevice;
use crate::error::{Error, Result};
use crate::kernels::Element;

/// Elements of a buffer.
#[derive(Clone, Debug)]
pub struct ReadPart<'a> {
    /// The buffer's name.
    pub name: &'a str,
    /// Which of them.
    pub range: Range<usize>,
    /// What they are.
    pub element: Element,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers.
    Real(Vec<f64>),
    /// Integers.
    U32(Vec<u32>),
}

impl Values {
    /// The real numbers.
    pub fn real(self) -> Result<Vec<f64>> {
        match self {
            Values::Real(values) => Ok(values),
            Values::U32(_) => Err(Error::usage("integers were read where real numbers are wanted")),
        }
    }

    /// The integers.
    pub fn u32(self) -> Result<Vec<u32>> {
        match self {
            Values::U32(values) => Ok(values),
            Values::Real(_) => Err(Error::usage("real numbers were read where integers are wanted")),
        }
    }
}

/// A read that has begun; dropping it gives it up.
#[derive(Debug)]
pub struct Reading(pub(super) Progress);

#[derive(Debug)]
pub(super) enum Progress {
    Done(Vec<Values>),
    OnDevice(OnDevice),
}

impl Reading {
    /// Whether the device has yet to answer, so that it is worth giving it more to do meanwhile.
    pub fn is_under_way(&self) -> bool {
        matches!(self.0, Progress::OnDevice(_))
    }
}
