//! Which buffers of a plan share memory: those that no step needs at the same time.
//!
//! A scratch buffer lives from the first step that binds it to the last. The largest gets memory first; each later one goes into
//! the smallest memory whose tenants all live at other times, or into new memory (greedy by size: Pisarchyk & Lee, Efficient
//! Memory Management for Deep Neural Net Inference, 2020). Since a memory has one tenant at a time, no step finds one
//! memory both read and written.

use std::ops::RangeInclusive;

use crate::kernels::Element;
use crate::plan::{BufferSpec, Role, Step};

/// Where the buffers of a plan lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryPlan {
    /// What is allocated: the buffers that outlive the plan, and memory that others share.
    pub places: Vec<BufferSpec>,
    /// For each buffer the place that it lies in, at its beginning.
    pub place_of: Vec<usize>,
    /// Bytes of what outlives the plan.
    pub kept: usize,
    /// Bytes of the memory that is shared.
    pub shared: usize,
    /// Bytes of all buffers that share it.
    pub unshared: usize,
    /// The most bytes that such buffers take during one step, less than which no plan could do with.
    pub least: usize,
    /// That step.
    pub fullest: usize,
}

/// What memory that buffers share is called, before a number: of real numbers, and of integers.
const SHARED: [&str; 2] = ["memory", "memory_of_integers"];

/// Whether a name is one of memory that buffers share.
pub(crate) fn is_shared(name: &str) -> bool {
    name.split_once('/').is_some_and(|(kind, _)| SHARED.contains(&kind))
}

/// When a buffer is needed, if it is.
type Life = Option<RangeInclusive<usize>>;

/// From the first step that binds a buffer to the last; to the end of all steps for those that are read afterwards.
fn lives(buffers: usize, steps: &[Step], read_later: &[usize]) -> Vec<Life> {
    let mut lives: Vec<Life> = vec![None; buffers];
    for (number, step) in steps.iter().enumerate() {
        for slot in &step.slots {
            let life = &mut lives[slot.buffer];
            let first = life.as_ref().map_or(number, |life| *life.start());
            *life = Some(first..=number);
        }
    }
    for &buffer in read_later {
        if let Some(life) = &mut lives[buffer] {
            *life = *life.start()..=steps.len();
        }
    }
    lives
}

fn meet(a: &RangeInclusive<usize>, b: &RangeInclusive<usize>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

/// Memory that several buffers share.
struct Shared {
    place: usize,
    element: Element,
    tenants: Vec<RangeInclusive<usize>>,
}

impl MemoryPlan {
    /// For the buffers and steps of a plan; `read_later` are the buffers whose content is wanted when it has run.
    pub(crate) fn new(buffers: &[BufferSpec], steps: &[Step], read_later: &[usize]) -> MemoryPlan {
        let lives = lives(buffers.len(), steps, read_later);
        let mut plan = MemoryPlan { place_of: vec![0; buffers.len()], ..MemoryPlan::default() };
        let mut scratch = Vec::new();
        for (number, buffer) in buffers.iter().enumerate() {
            match buffer.role {
                Role::Persistent => {
                    plan.place_of[number] = plan.places.len();
                    plan.places.push(buffer.clone());
                    plan.kept += 4 * buffer.len();
                }
                Role::Activation => scratch.push(number),
            }
        }
        plan.unshared = scratch.iter().map(|&number| 4 * buffers[number].len()).sum();
        (plan.least, plan.fullest) = fullest(buffers, &lives, &scratch, steps.len());
        // The order of equal ones is that in which they were recorded: the same plan lies in memory in the same way.
        scratch.sort_by_key(|&number| std::cmp::Reverse(buffers[number].len()));
        let mut shared: Vec<Shared> = Vec::new();
        for number in scratch {
            let buffer = &buffers[number];
            // What no step binds may lie anywhere.
            let life = lives[number].clone();
            let is_free = |memory: &&mut Shared| {
                let apart = |tenant| !life.as_ref().is_some_and(|life| meet(life, tenant));
                memory.element == buffer.element && memory.tenants.iter().all(apart)
            };
            // The last that is free is the smallest.
            let memory = match shared.iter_mut().rev().find(is_free) {
                Some(memory) => memory,
                None => {
                    let of_kind = shared.iter().filter(|memory| memory.element == buffer.element).count();
                    let kind = SHARED[usize::from(buffer.element == Element::U32)];
                    let place = plan.places.len();
                    let name = format!("{kind}/{of_kind}");
                    plan.places.push(BufferSpec { name, shape: vec![buffer.len()], ..buffer.clone() });
                    plan.shared += 4 * buffer.len();
                    shared.push(Shared { place, element: buffer.element, tenants: Vec::new() });
                    let last = shared.len() - 1;
                    &mut shared[last]
                }
            };
            memory.tenants.extend(life);
            plan.place_of[number] = memory.place;
        }
        plan
    }
}

/// The most bytes that scratch buffers take during one step, and that step.
fn fullest(buffers: &[BufferSpec], lives: &[Life], scratch: &[usize], steps: usize) -> (usize, usize) {
    let at = |step: usize| {
        let living = scratch.iter().filter(|&&number| lives[number].as_ref().is_some_and(|life| life.contains(&step)));
        living.map(|&number| 4 * buffers[number].len()).sum::<usize>()
    };
    (0..steps)
        .map(|step| (at(step), step))
        .max_by_key(|&(bytes, step)| (bytes, std::cmp::Reverse(step)))
        .unwrap_or((0, 0))
}

#[cfg(test)]
mod tests {
    use crate::kernels::{Copy, CopySlots, Fill, FillSlots};
    use crate::plan::{Limits, Plan, Slot};

    fn fill(plan: &mut Plan, name: &str, len: usize) -> Slot {
        let out = plan.scratch(name, &[len]);
        Fill::record(1.0, plan, FillSlots { out: out.clone() });
        out
    }

    fn copy(plan: &mut Plan, x: &Slot, out: &Slot) {
        Copy::record(false, plan, CopySlots { x: x.clone(), out: out.clone() });
    }

    /// A chain of copies a -> b -> c -> d, in which only neighbours live at the same time.
    fn chain() -> (Plan, [Slot; 4]) {
        let mut plan = Plan::new(Limits::NONE);
        let a = fill(&mut plan, "a", 128);
        let [b, c, d] = ["b", "c", "d"].map(|name| plan.scratch(name, &[128]));
        copy(&mut plan, &a, &b);
        copy(&mut plan, &b, &c);
        copy(&mut plan, &c, &d);
        (plan, [a, b, c, d])
    }

    #[test]
    fn buffers_that_never_live_together_share_memory() {
        let (plan, [a, b, c, d]) = chain();
        let plan = plan.finish().expect("sound");
        let place = |slot: &Slot| plan.place(slot.buffer).name.clone();
        assert_eq!((place(&a), place(&b)), (place(&c), place(&d)));
        assert_ne!(place(&a), place(&b));
        let memory = plan.memory();
        assert_eq!((memory.shared, memory.unshared, memory.least, memory.fullest), (1024, 2048, 1024, 1));
    }

    #[test]
    fn what_is_read_later_is_not_overwritten() {
        let (plan, [a, b, c, d]) = chain();
        let plan = plan.finish_keeping(&[a.buffer]).expect("sound");
        let place = |slot: &Slot| plan.place(slot.buffer).name.clone();
        assert!([&b, &c, &d].iter().all(|slot| place(slot) != place(&a)));
        assert_eq!(plan.memory().least, 3 * 512);
    }

    #[test]
    fn smaller_buffers_go_into_the_smallest_memory_that_is_free() {
        let mut plan = Plan::new(Limits::NONE);
        let (large, middle) = (fill(&mut plan, "large", 1000), fill(&mut plan, "middle", 500));
        let end = plan.scratch("end", &[500]);
        copy(&mut plan, &middle, &end);
        copy(&mut plan, &large.range(0..500), &end);
        let small = fill(&mut plan, "small", 10);
        let integers = plan.scratch_u32("integers", &[10]);
        let plan = plan.finish().expect("sound");
        let place = |slot: &Slot| plan.place(slot.buffer).name.clone();
        assert_eq!(place(&small), place(&middle).max(place(&end)));
        assert_eq!(place(&integers), "memory_of_integers/0");
    }
}
