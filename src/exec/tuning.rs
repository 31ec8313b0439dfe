//! Which variant of a kernel is the fastest on an adapter: measured once for each shape, and kept from run to run.

mod measure;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::device::{Gpu, lock};
use super::{DeviceOptions, cache};
use crate::error::Result;
use crate::kernels::KernelInfo;
use crate::plan::{Plan, Step};
pub(super) use table::Tuning;

/// Which variants computed the kernels of a run, so that it goes on to the same bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// Adapter and driver.
    adapter: String,
    /// Variants by kernel and shape.
    variants: BTreeMap<String, String>,
}

impl Choices {
    pub(super) fn new(info: &wgpu::AdapterInfo) -> Self {
        Choices { adapter: cache::file_of(info, "adapter"), variants: BTreeMap::new() }
    }

    pub(super) fn of(&self, key: &str, step: &Step) -> Option<usize> {
        self.variants.get(key).and_then(|name| step.kernel.variants.position(name))
    }

    pub(super) fn set(&mut self, key: String, variant: &str) {
        self.variants.insert(key, variant.to_owned());
    }

    /// Whether both are of one adapter and driver: elsewhere another variant may be the right one, and the bits differ anyway.
    pub(super) fn same_adapter(&self, other: &Choices) -> bool {
        self.adapter == other.adapter
    }
}

/// What was measured for a kernel in one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The kernel and its shape.
    pub key: String,
    /// How long one run takes by each variant that fits.
    pub times: Vec<(String, Duration)>,
    /// The variant that is taken.
    pub choice: String,
}

/// A kernel in one shape: its parameters but for where slots begin, and its options.
pub(super) fn key(step: &Step) -> String {
    shape(step, |value| value)
}

/// The same with sizes in steps of a factor of two, which share what is measured.
fn bucket(step: &Step) -> String {
    shape(step, |value| if value <= 8 { value } else { value.next_power_of_two() })
}

fn shape(step: &Step, size: impl Fn(u32) -> u32) -> String {
    let KernelInfo { name, fields, .. } = step.kernel;
    let sizes = fields.iter().filter(|field| field.scalar == "u32" && !field.name.ends_with("_at"));
    let sizes = sizes.map(|field| {
        let bytes = &step.params[field.offset..field.offset + 4];
        let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        format!(" {}={}", field.name, size(value))
    });
    let options =
        step.options.0.iter().filter(|(_, value)| *value != 0).map(|(name, value)| format!(" {name}={value}"));
    std::iter::once((*name).to_owned()).chain(sizes).chain(options).collect()
}

impl Gpu {
    /// The variant for a step by what was measured, measuring it now where that is due; without, the fixed table's.
    pub(super) fn tuned(&self, step: &Step) -> usize {
        let preferred = self.preferred(step);
        if self.fitting(step).len() < 2 {
            return preferred;
        }
        let known = lock(&self.inner.tuning).choice(&self.bucket(step));
        let known =
            known.and_then(|name| step.kernel.variants.position(&name)).filter(|&number| self.fits(step, number));
        // A software driver compiles longer than a choice gains, and its table was measured.
        let due = lock(&self.inner.tuning).is_kept() && !self.traits().software;
        match known {
            Some(number) => number,
            None if due => self.measure(step).unwrap_or(preferred),
            None => preferred,
        }
    }

    /// What is measured once: with cooperative matrices there is more to choose from.
    fn bucket(&self, step: &Step) -> String {
        let among = if self.traits().matrices.any() { " with cooperative matrices" } else { "" };
        bucket(step) + among
    }

    fn fitting(&self, step: &Step) -> Vec<usize> {
        (0..step.kernel.variants.all.len()).filter(|&number| self.fits(step, number)).collect()
    }

    /// Measures every variant that fits a step, and keeps what was found.
    fn measure(&self, step: &Step) -> Result<usize> {
        let fitting = self.fitting(step);
        let times = measure::variants(self, step, &fitting)?;
        let number = measure::fastest(&times, self.preferred(step));
        let name = |number: usize| step.kernel.variants.all[number].name.to_owned();
        let row = Tuned {
            key: self.bucket(step),
            times: times.iter().map(|&(number, time)| (name(number), time)).collect(),
            choice: name(number),
        };
        lock(&self.inner.tuning).keep(row);
        Ok(number)
    }
}

/// Measures every kernel of a plan that has several variants here, whatever was known, and keeps the results.
///
/// Errors: a device that fails, or has too little memory for a kernel's buffers beside what is there.
pub fn tune(gpu: &Gpu, plan: &Plan) -> Result<Vec<Tuned>> {
    let mut done: Vec<String> = Vec::new();
    for step in plan.steps() {
        let key = gpu.bucket(step);
        if gpu.fitting(step).len() > 1 && !done.contains(&key) {
            gpu.measure(step)?;
            done.push(key);
        }
    }
    let tuning = lock(&gpu.inner.tuning);
    Ok(done.iter().filter_map(|key| tuning.row(key)).collect())
}

/// Forgets what was measured, of every adapter; how many files that were.
pub fn forget(options: &DeviceOptions) -> Result<usize> {
    table::forget(cache::folder(options.cache.clone()).as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Matmul, MatmulSlots};
    use crate::plan::{BufferSpec, Limits};

    pub(super) fn product([m, n, k]: [usize; 3]) -> Plan {
        let mut plan = Plan::new(Limits::NONE);
        let [a, b, c] = [("a", m * k), ("b", k * n), ("c", m * n)]
            .map(|(name, len)| plan.persistent(&BufferSpec::persistent(name, &[len])));
        Matmul::new([m, n, k]).record(&mut plan, MatmulSlots { a, b, bias: None, c });
        plan
    }

    #[test]
    fn shapes_that_are_alike_share_what_is_measured() {
        let [a, b, c] = [[100, 64, 32], [120, 64, 32], [130, 64, 32]].map(|size| bucket(&product(size).steps()[0]));
        assert!(a == b && a != c, "{a}\n{b}\n{c}");
        assert!(a.starts_with("matmul m=128 n=64 k=32 a_row=32 a_col=1"), "{a}");
        let [a, b] = [[100, 64, 32], [120, 64, 32]].map(|size| key(&product(size).steps()[0]));
        assert_ne!(a, b);
    }
}
