//! Adam's step.

use super::Workers;
use super::vectorised::vectorised;
use crate::kernels::{Adam, Args, Kernel, Options};

/// [`Adam`]; AMSGrad is left to the reference.
pub(in crate::kernels) fn adam(p: &Adam, options: &Options, mut args: Args<'_, f32>, workers: &Workers) {
    if options.get("AMSGRAD") != 0 {
        return p.reference(options, args);
    }
    let rate = args.scalars.adam_rate as f32;
    let (grads, health) = (args.read(), args.read_u32());
    let (params, m, v) = (args.write(), args.write(), args.write());
    if health[0] != 0 {
        return;
    }
    let n = p.n as usize;
    let parts = workers.cut(n, 10 * n, 64);
    let each = parts.first().map_or(1, |part| part.len());
    let updated = params[..n].chunks_mut(each).zip(m[..n].chunks_mut(each).zip(v[..n].chunks_mut(each)));
    let work = grads[..n].chunks(each).zip(updated).collect();
    workers.each(work, |(grads, (params, (m, v)))| {
        vectorised(
            #[inline(always)]
            |_| {
                for ((&g, param), (m, v)) in grads.iter().zip(params.iter_mut()).zip(m.iter_mut().zip(v.iter_mut())) {
                    *m += (g - *m) * p.one_minus_beta_1;
                    *v += (g * g - *v) * p.one_minus_beta_2;
                    *param -= rate * *m / (v.sqrt() + p.epsilon);
                }
            },
        );
    });
}
