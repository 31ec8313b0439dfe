//! Sums of squares of each variable's gradient.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// squares[part, variable] = sum of squares over a part of a variable's gradient; a column sum joins the parts.
    pub struct VariableSquares {
        /// Variables.
        pub variables: u32,
        /// Parts that each is cut into.
        pub parts: u32,
    }
}

/// Slots of [`VariableSquares`].
pub struct VariableSquaresSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[variables, 2]`, integers: first element, elements
    pub spans: Slot,
    /// `[parts, variables]`
    pub squares: Slot,
}

impl VariableSquares {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: VariableSquaresSlots) {
        self.push(plan, Options::none(), &[&slots.grads, &slots.spans, &slots.squares]);
    }
}

impl Kernel for VariableSquares {
    const INFO: &'static KernelInfo = info!(
        VariableSquares,
        "variable_squares",
        &[Binding::read("grads"), Binding::read("spans").u32(), Binding::write("squares")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.variables * self.parts)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (grads, spans, squares) = (args.read(), args.read_u32(), args.write());
        let (variables, parts) = (self.variables as usize, self.parts as usize);
        for (variable, span) in spans.chunks(2).take(variables).enumerate() {
            let [first, len] = [span[0] as usize, span[1] as usize];
            let part_len = len.div_ceil(parts);
            for part in 0..parts {
                let begin = len.min(part * part_len);
                let of_part = &grads[first + begin..first + len.min(begin + part_len)];
                squares[part * variables + variable] = sum_in_runs(of_part.iter().map(|&g| g * g));
            }
        }
    }
}
