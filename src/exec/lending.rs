//! A step's slots, lent out of the buffers that the CPU keeps.

use crate::kernels::{Access, Bound, Element, Real};
use crate::plan::{BufferSpec, Slot, Step};

/// What a buffer holds.
pub(super) enum Memory<T> {
    Real(Vec<T>),
    U32(Vec<u32>),
}

impl<T: Real> Memory<T> {
    /// Zeros.
    pub(super) fn new(spec: &BufferSpec) -> Self {
        match spec.element {
            Element::Real => Memory::Real(vec![T::zero(); spec.len()]),
            Element::U32 => Memory::U32(vec![0; spec.len()]),
        }
    }
}

impl<T> Memory<T> {
    fn read(&self, slot: &Slot) -> Bound<'_, T> {
        let range = slot.offset..slot.offset + slot.len;
        match self {
            Memory::Real(values) => Bound::Read(&values[range]),
            Memory::U32(values) => Bound::ReadU32(&values[range]),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Memory::Real(values) => values.len(),
            Memory::U32(values) => values.len(),
        }
    }
}

/// A buffer that a step sees.
pub(super) struct Shown {
    /// Its number: among the executor's, or in the plan.
    pub memory: usize,
    /// The bindings that show it, by where they begin.
    pub bindings: Vec<usize>,
    /// Whether all of them only read.
    pub reads: bool,
}

/// The buffers that a step sees, each once, in the order of the plan.
pub(super) fn shown(step: &Step) -> Vec<Shown> {
    let mut used: Vec<usize> = step.slots.iter().map(|s| s.buffer).collect();
    used.sort_unstable();
    used.dedup();
    let of_buffer = |memory: usize| {
        let mut bindings: Vec<usize> = (0..step.slots.len()).filter(|&i| step.slots[i].buffer == memory).collect();
        bindings.sort_by_key(|&i| step.slots[i].offset);
        let reads = bindings.iter().all(|&i| step.kernel.bindings[i].access == Access::Read);
        Shown { memory, bindings, reads }
    };
    used.into_iter().map(of_buffer).collect()
}

/// A buffer that a step sees.
pub(super) enum Lent<'a, T> {
    /// Which others read meanwhile.
    Shared(&'a Memory<T>),
    /// Which nobody else sees.
    Own(&'a mut Memory<T>),
}

/// Lends every slot of a step, whose buffers are given in the order of `shown`. `Plan::push` made sure that a buffer is either only read or
/// only written in it, and that written ranges are apart, so written buffers are cut between the ranges.
pub(super) fn bind<'a, T: Real>(
    step: &Step,
    shown: &[Shown],
    memories: impl Iterator<Item = Lent<'a, T>>,
) -> Vec<Bound<'a, T>> {
    let mut bound: Vec<Option<Bound<'a, T>>> = step.slots.iter().map(|_| None).collect();
    for (shown, memory) in shown.iter().zip(memories) {
        let slots = shown.bindings.iter().map(|&i| (i, &step.slots[i]));
        match (memory, shown.reads) {
            (Lent::Shared(memory), _) => slots.for_each(|(i, s)| bound[i] = Some(memory.read(s))),
            (Lent::Own(memory), true) => {
                let memory: &'a Memory<T> = memory;
                slots.for_each(|(i, s)| bound[i] = Some(memory.read(s)));
            }
            (Lent::Own(Memory::Real(values)), false) => {
                cut(values, slots, |i, part| bound[i] = Some(Bound::Write(part)))
            }
            (Lent::Own(Memory::U32(values)), false) => {
                cut(values, slots, |i, part| bound[i] = Some(Bound::WriteU32(part)))
            }
        }
    }
    bound.into_iter().flatten().collect()
}

fn cut<'a, 's, V>(
    values: &'a mut [V],
    slots: impl Iterator<Item = (usize, &'s Slot)>,
    mut give: impl FnMut(usize, &'a mut [V]),
) {
    let (mut rest, mut at) = (values, 0);
    for (i, slot) in slots {
        let (_, tail) = std::mem::take(&mut rest).split_at_mut(slot.offset - at);
        let (part, tail) = tail.split_at_mut(slot.len);
        give(i, part);
        (rest, at) = (tail, slot.offset + slot.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_buffer_is_cut_between_its_slots() {
        let mut values: Vec<u32> = (0..10).collect();
        let slot = |offset, len| Slot { buffer: 0, offset, len };
        let slots = [slot(1, 2), slot(3, 1), slot(6, 4)];
        let mut given = Vec::new();
        cut(&mut values, [(2, &slots[0]), (0, &slots[1]), (1, &slots[2])].into_iter(), |i, part| {
            given.push((i, part.to_vec()));
            part.fill(99);
        });
        assert_eq!(given, [(2, vec![1, 2]), (0, vec![3]), (1, vec![6, 7, 8, 9])]);
        assert_eq!(values, [0, 99, 99, 99, 4, 5, 99, 99, 99, 99]);
    }

    #[test]
    fn slots_arrive_in_the_order_of_the_bindings_whatever_their_order_in_the_buffer() {
        use crate::kernels::{Kernel, LstmSequence, Options};
        let slot = |buffer, offset, len| Slot { buffer, offset, len };
        // u and the gates in buffers of their own, c before h in the third.
        let slots = vec![slot(0, 0, 4), slot(1, 0, 4), slot(2, 64, 2), slot(2, 0, 2)];
        let params = vec![0; LstmSequence::INFO.size];
        let (kernel, options) = (LstmSequence::INFO, Options::none());
        let step = Step { kernel, label: "step".into(), params, options, slots, grid: [1; 3] };
        let memory = |from: usize, len: usize| Memory::Real((from..from + len).map(|i| i as f32).collect());
        let mut taken = [memory(0, 4), memory(10, 4), memory(100, 66)];
        let bound = bind(&step, &shown(&step), taken.iter_mut().map(Lent::Own));
        let first = |bound: &Bound<'_, f32>| match bound {
            Bound::Read(values) => ("read", values[0], values.len()),
            Bound::Write(values) => ("write", values[0], values.len()),
            _ => ("integers", 0.0, 0),
        };
        let expected = [("read", 0.0, 4), ("write", 10.0, 4), ("write", 164.0, 2), ("write", 100.0, 2)];
        assert_eq!(bound.iter().map(first).collect::<Vec<_>>(), expected);
    }
}
