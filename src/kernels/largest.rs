//! The largest finite magnitude among many numbers.

use super::half::PARTS;
use super::info::{info, params};
use super::{Access, Args, Binding, Kernel, KernelInfo, Options, Real};
use crate::plan::{Plan, Slot};

params! {
    /// The largest finite |x| in [`PARTS`] parts, as bits: those of a part are 64 numbers in every 64 times as many.
    pub struct Largest {
        /// Numbers.
        pub n: u32,
        /// Where they begin in their binding.
        pub x_at: u32,
    }
}

/// Numbers of a part that lie side by side.
const THREADS: usize = 64;

impl Largest {
    /// The largest magnitudes among a slot's numbers, `[PARTS]` integers: those found before in this plan, if nothing was written there since.
    pub fn of(plan: &mut Plan, x: &Slot) -> Slot {
        let (bound, x_at) = x.aligned();
        let largest = Largest { n: x.len as u32, x_at };
        if let Some(found) = largest.found(plan, &bound) {
            return found;
        }
        let out = plan.scratch_u32("largest", &[PARTS]);
        largest.push(plan, Options::none(), &[&bound, &out]);
        out
    }

    fn found(&self, plan: &Plan, bound: &Slot) -> Option<Slot> {
        for step in plan.steps().iter().rev() {
            let same = step.kernel.name == Self::INFO.name && step.params == bytemuck::bytes_of(self);
            if same && step.slots[0] == *bound {
                return Some(step.slots[1].clone());
            }
            let mut written = step.slots.iter().zip(step.kernel.bindings).filter(|(_, b)| b.access != Access::Read);
            if written.any(|(slot, _)| slot.overlaps(bound)) {
                return None;
            }
        }
        None
    }
}

impl Kernel for Largest {
    const INFO: &'static KernelInfo =
        info!(Largest, "largest", &[Binding::read("x"), Binding::write("largest").u32()], &[]);

    fn grid(&self) -> [u32; 3] {
        [PARTS as u32, 1, 1]
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, largest) = (args.read(), args.write_u32());
        let x = &x[self.x_at as usize..][..self.n as usize];
        let bits = |x: &T| Some((x.to_f64() as f32).abs()).filter(|x| x.is_finite()).map(f32::to_bits);
        let row = PARTS * THREADS;
        for (part, out) in largest.iter_mut().enumerate() {
            let of_rows = x.chunks(row).filter_map(|row| row.chunks(THREADS).nth(part));
            *out = of_rows.flatten().filter_map(bits).max().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Fill, FillSlots};
    use crate::plan::{BufferSpec, Limits};

    #[test]
    fn what_was_found_is_found_anew_only_once_it_is_written() {
        let mut plan = Plan::new(Limits::NONE);
        let x = plan.persistent(&BufferSpec::persistent("x", &[256]));
        let (first, again) = (Largest::of(&mut plan, &x), Largest::of(&mut plan, &x));
        assert_eq!(first, again);
        assert_ne!(first, Largest::of(&mut plan, &x.range(0..128)));
        Fill::record(0.0, &mut plan, FillSlots { out: x.range(64..128) });
        assert_ne!(first, Largest::of(&mut plan, &x));
    }
}
