//! The global gradient norm and the training's health.

use super::fast::{self, Workers};
use super::info::{info, params};
use super::variant::in_vec4s;
use super::{Args, Binding, Dispatch, Kernel, KernelInfo, Options, Real, Traits, Variant, grid_1d, sum_in_blocks};
use crate::plan::{Plan, Slot};

params! {
    /// The norm of all gradients, and the first index whose gradient is not finite.
    pub struct GradNorm {
        /// Elements of the arena.
        pub n: u32,
        /// Elements of one block.
        pub block: u32,
    }
}

/// Slots of [`GradNorm`].
pub struct GradNormSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[1]`
    pub norm: Slot,
    /// `[2]`, integers: the first step with a gradient that is not finite (0: none yet), and the element's index
    pub health: Slot,
}

/// Elements of one block: few enough blocks that one thread may join them.
const BLOCK: u32 = 1024;
const MOST_BLOCKS: u32 = 256;
/// Most elements that one thread, and one workgroup, goes through sooner than a second dispatch would begin.
const OF_ONE_THREAD: u32 = 1 << 16;
const OF_ONE_WORKGROUP: u32 = 1 << 18;
const THREADS_OF_TREE: u32 = 256;

impl GradNorm {
    /// Appends the norm of `n` gradients.
    pub fn record(n: usize, plan: &mut Plan, slots: GradNormSlots) {
        let kernel = GradNorm { n: n as u32, block: (n as u32).div_ceil(MOST_BLOCKS).max(BLOCK) };
        let blocks = kernel.blocks() as usize;
        let (squares, bad) = (plan.scratch("squares", &[blocks]), plan.scratch_u32("not_finite", &[blocks]));
        kernel.push(plan, Options::none(), &[&slots.grads, &slots.norm, &slots.health, &squares, &bad]);
    }

    fn blocks(&self) -> u32 {
        self.n.div_ceil(self.block)
    }
}

impl Kernel for GradNorm {
    const INFO: &'static KernelInfo = info!(
        GradNorm,
        "grad_norm",
        &[
            Binding::read("grads"),
            Binding::write("norm"),
            Binding::read_write("health").u32(),
            Binding::scratch("squares"),
            Binding::scratch("bad").u32(),
        ],
        &[]
    );
    const VARIANTS: &'static [Variant] = &[
        Variant::named("blocks", &["blocks", "join"]),
        Variant::named("alone", &["alone"]),
        Variant::named("tree", &["tree"]),
    ];

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.blocks())
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let dispatch = |entry, grid| Dispatch { entry, params: *self, grid };
        match variant {
            0 => vec![dispatch("blocks", self.grid()), dispatch("join", [1; 3])],
            variant => vec![dispatch(Self::VARIANTS[variant].name, [1; 3])],
        }
    }

    fn fits(&self, _: &Options, variant: usize, traits: &Traits) -> bool {
        match variant {
            // It reads vec4s.
            1 => in_vec4s(&[self.n]),
            2 => traits.workgroup_threads >= THREADS_OF_TREE && traits.workgroup_memory >= 8 * THREADS_OF_TREE,
            _ => true,
        }
    }

    fn preferred(&self, _: &Options, traits: &Traits) -> usize {
        match traits.software {
            true if self.n <= OF_ONE_THREAD && in_vec4s(&[self.n]) => 1,
            false if self.n <= OF_ONE_WORKGROUP => 2,
            _ => 0,
        }
    }

    fn fast_f32(&self, _: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::grad_norm(self, args, workers);
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let step = args.scalars.step;
        let (grads, norm, health) = (args.read(), args.write(), args.write_u32());
        let grads = &grads[..self.n as usize];
        let square = |i: usize| grads[i] * grads[i];
        norm[0] = sum_in_blocks(T::zero(), 0..grads.len(), self.block as usize, square).sqrt();
        let bad = grads.iter().position(|g| !g.to_f64().is_finite());
        if let (Some(index), 0) = (bad, health[0]) {
            health[0] = step;
            health[1] = index as u32;
        }
    }
}
