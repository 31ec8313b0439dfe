//! A step's slots as a reference receives them.

use super::{Real, StepScalars};

/// One bound slot.
#[derive(Debug)]
pub enum Bound<'a, T> {
    /// Input.
    Read(&'a [T]),
    /// Output, or updated in place.
    Write(&'a mut [T]),
    /// Integer input.
    ReadU32(&'a [u32]),
    /// Integer output.
    WriteU32(&'a mut [u32]),
}

/// The slots of one step, taken one by one in the order of the kernel's bindings.
pub struct Args<'a, T> {
    slots: std::vec::IntoIter<Bound<'a, T>>,
    /// The scalars of this training step.
    pub scalars: StepScalars,
}

impl<'a, T: Real> Args<'a, T> {
    /// Slots in the order of the bindings.
    pub fn new(slots: Vec<Bound<'a, T>>, scalars: StepScalars) -> Self {
        Args { slots: slots.into_iter(), scalars }
    }

    /// The next slot, an input.
    pub fn read(&mut self) -> &'a [T] {
        match self.slots.next() {
            Some(Bound::Read(slice)) => slice,
            other => mismatch("real input", &other),
        }
    }

    /// The next slot, an output.
    pub fn write(&mut self) -> &'a mut [T] {
        match self.slots.next() {
            Some(Bound::Write(slice)) => slice,
            other => mismatch("real output", &other),
        }
    }

    /// The next slot, an integer input.
    pub fn read_u32(&mut self) -> &'a [u32] {
        match self.slots.next() {
            Some(Bound::ReadU32(slice)) => slice,
            other => mismatch("integer input", &other),
        }
    }

    /// The next slot, an integer output.
    pub fn write_u32(&mut self) -> &'a mut [u32] {
        match self.slots.next() {
            Some(Bound::WriteU32(slice)) => slice,
            other => mismatch("integer output", &other),
        }
    }
}

/// `Plan::push` has checked every slot against the kernel's bindings, so this is a kernel whose reference and bindings disagree.
fn mismatch<T: std::fmt::Debug>(wanted: &str, got: &Option<Bound<'_, T>>) -> ! {
    let got = got.as_ref().map_or("nothing", |b| match b {
        Bound::Read(_) => "a real input",
        Bound::Write(_) => "a real output",
        Bound::ReadU32(_) => "an integer input",
        Bound::WriteU32(_) => "an integer output",
    });
    unreachable!("the kernel's reference takes a {wanted} where its bindings declare {got}")
}
