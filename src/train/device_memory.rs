//! What a model and its data take on the device.

use std::fmt;

use super::model::Model;
use crate::memory_plan::is_shared;
use crate::plan::Plan;

/// Bytes of buffers on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Weights, gradients, the optimizer's moments, moving statistics and logs.
    pub parameters: usize,
    /// What lives during a step, and shares memory.
    pub activations: usize,
    /// Data sets, or the chunks of them that are there.
    pub data: usize,
}

impl DeviceMemory {
    /// Of named buffers; those of data sets have these names before a `/`.
    fn of<'n>(sizes: impl Iterator<Item = (&'n str, usize)>, data: impl Fn(&str) -> bool) -> DeviceMemory {
        let mut memory = DeviceMemory::default();
        for (name, bytes) in sizes {
            let part = match name.split_once('/') {
                Some((of, _)) if data(of) => &mut memory.data,
                _ if is_shared(name) => &mut memory.activations,
                _ => &mut memory.parameters,
            };
            *part += bytes;
        }
        memory
    }

    /// All together.
    pub fn total(&self) -> usize {
        self.parameters + self.activations + self.data
    }
}

impl fmt::Display for DeviceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| {
            let mib = bytes as f64 / f64::from(1 << 20);
            if mib < 10.0 { format!("{mib:.1}") } else { format!("{mib:.0}") }
        };
        let [total, parameters, activations, data] =
            [self.total(), self.parameters, self.activations, self.data].map(mib);
        write!(f, "{total} MiB on the device (parameters {parameters}, activations {activations}, data {data})")
    }
}

impl Model {
    /// What is on the device now, as the executor counts it.
    pub fn device_memory(&self) -> DeviceMemory {
        DeviceMemory::of(self.executor.sizes().into_iter(), |name| self.supplies.holds(name))
    }

    /// What a plan of [`Model::plan`] will take there, its data set included.
    pub fn memory_of(&self, plan: &Plan) -> DeviceMemory {
        let places = plan.memory().places.iter().map(|place| (place.name.as_str(), 4 * place.len()));
        DeviceMemory::of(places, |name| name == Model::PLANNED)
    }
}
