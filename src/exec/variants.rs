//! Which variant of a kernel a GPU takes.

use super::device::Gpu;
use crate::error::{Error, Result};
use crate::kernels::{ALL, KernelInfo, Matrices, Traits, Variant, Variants};
use crate::plan::Step;

/// Variants that somebody insists on, by kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Forced(Vec<(&'static str, usize)>);

impl Forced {
    /// Reads `KERNEL=VARIANT,KERNEL=VARIANT,...`.
    pub fn parse(text: &str) -> Result<Forced> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        Ok(Forced(pairs.map(Self::pair).collect::<Result<_>>()?))
    }

    fn pair(pair: &str) -> Result<(&'static str, usize)> {
        let (name, variant) = pair.split_once('=').ok_or_else(|| {
            Error::usage(format!("`{pair}` names no variant: write KERNEL=VARIANT, several with commas"))
        })?;
        let several = |k: &&&KernelInfo| k.variants.all.len() > 1;
        let kernel = ALL.iter().find(|k| k.name == name).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().filter(several).map(|k| k.name).collect();
            Error::usage(format!("no kernel `{name}` has variants; those that have: {}", names.join(", ")))
        })?;
        let number = kernel.variants.position(variant).ok_or_else(|| {
            let names: Vec<&str> = kernel.variants.all.iter().map(|v| v.name).collect();
            Error::usage(format!("`{name}` has no variant `{variant}`, but: {}", names.join(", ")))
        })?;
        Ok((kernel.name, number))
    }

    fn of(&self, kernel: &str) -> Option<usize> {
        self.0.iter().find(|(name, _)| *name == kernel).map(|&(_, number)| number)
    }
}

impl Gpu {
    /// What decides which variants run here.
    pub fn traits(&self) -> Traits {
        let (info, limits, features) = (&self.inner.info, &self.inner.limits, self.inner.device.features());
        let subgroups = features.contains(wgpu::Features::SUBGROUP | wgpu::Features::SUBGROUP_BARRIER);
        Traits {
            software: info.device_type == wgpu::DeviceType::Cpu,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_threads: limits.max_compute_invocations_per_workgroup,
            subgroup: subgroups.then_some((info.subgroup_min_size, info.subgroup_max_size)),
            matrices: self.inner.matrices,
        }
    }

    /// Whether a variant can compute a step here.
    pub fn fits(&self, step: &Step, variant: usize) -> bool {
        let Variants { all, fits, .. } = &step.kernel.variants;
        let trusted = |v: &Variant| {
            v.cooperative.is_none() || self.inner.trusted.get().is_none_or(|names| names.contains(&v.name))
        };
        all.get(variant).is_some_and(trusted) && fits(&step.params, &step.options, variant, &self.traits())
    }

    /// The variant that the options, or `GATENORM_VARIANT`, insist on for a kernel.
    pub fn forced(&self, kernel: &str) -> Option<usize> {
        self.inner.forced.of(kernel)
    }

    /// The variant that somebody insists on for a step, where it fits.
    pub(super) fn demanded(&self, step: &Step, insisted: Option<(&str, usize)>) -> Option<usize> {
        let insisted = insisted.filter(|(kernel, _)| *kernel == step.kernel.name).map(|(_, number)| number);
        insisted.or_else(|| self.forced(step.kernel.name)).filter(|&number| self.fits(step, number))
    }

    /// The fixed table's variant for a step.
    pub(super) fn preferred(&self, step: &Step) -> usize {
        let by_table = |traits| (step.kernel.variants.preferred)(&step.params, &step.options, &traits);
        let traits = self.traits();
        // The table does not know which cooperative matrices compute what they should.
        let numbers = [traits, Traits { matrices: Matrices::default(), ..traits }].map(by_table);
        numbers.into_iter().find(|&number| self.fits(step, number)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_that_does_not_exist_is_refused_by_name() {
        let message = |text| Forced::parse(text).expect_err("refused").to_string();
        assert!(message("matmul").contains("KERNEL=VARIANT"));
        assert!(message("matmull=main").contains("no kernel `matmull`"));
        assert!(message("fill=fast").contains("`fill` has no variant `fast`, but: main"));
        assert_eq!(Forced::parse(" fill=main , ").expect("read"), Forced(vec![("fill", 0)]));
    }
}
