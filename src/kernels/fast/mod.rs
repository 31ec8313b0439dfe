//! Kernels on the CPU in `f32`, as fast as they go there: matrix products by the `gemm` crate, loops that vectorise, rows of the
//! batch in parallel. Held to the references like a GPU.

mod adam;
mod batch_norm;
mod gru;
mod gru_cell;
mod gru_grad;
mod lstm;
mod lstm_grad;
mod maths;
mod panels;
mod product;
mod rows;
mod sums;
mod vectorised;
mod workers;

pub(super) use adam::adam;
pub(super) use batch_norm::{batch_norm, batch_norm_apply, batch_norm_grad};
pub(super) use gru::gru_sequence;
pub(super) use gru_grad::gru_sequence_grad;
pub(super) use lstm::lstm_sequence;
pub(super) use lstm_grad::lstm_sequence_grad;
pub(crate) use maths::{sigmoid, tanh};
pub(super) use product::matmul;
pub(super) use sums::{column_sum, grad_norm};
pub(crate) use vectorised::vectorised;
pub use workers::Workers;

#[cfg(test)]
mod tests {
    use super::Workers;
    use crate::exec::{CpuExecutor, Executor};
    use crate::kernels::{ALL, Element};
    use crate::verify::{Case, case};

    /// The bits that a case leaves in every buffer.
    fn outcome(case: &Case, cpu: &mut CpuExecutor<f32>) -> Vec<u64> {
        case.load(cpu).expect("buffers");
        cpu.run(&case.plan, 0..1).expect("a run");
        let mut bits = Vec::new();
        for spec in &case.plan.memory().places {
            let whole = 0..spec.len();
            match spec.element {
                Element::Real => bits.extend(cpu.read(&spec.name, whole).expect("numbers").iter().map(|v| v.to_bits())),
                Element::U32 => {
                    bits.extend(cpu.read_u32(&spec.name, whole).expect("integers").into_iter().map(u64::from));
                }
            }
        }
        bits
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let mut alone = CpuExecutor::fast_on(Workers::of(1, 1));
        let mut others = [2, 3, 7].map(|threads| (threads, CpuExecutor::fast_on(Workers::of(threads, 1))));
        let mut differ = Vec::new();
        for kernel in ALL {
            for number in 0..104 {
                let case = case(kernel, 5, number).expect("a sound case");
                let expected = outcome(&case, &mut alone);
                for (threads, cpu) in &mut others {
                    if outcome(&case, cpu) != expected {
                        differ.push((kernel.name, number, *threads));
                    }
                }
            }
        }
        assert!(differ.is_empty(), "{differ:?}");
    }
}
