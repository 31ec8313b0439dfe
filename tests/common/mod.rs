//! What several test programs need.

use gatenorm::exec::{Device, DeviceOptions};

/// The device under test.
pub fn gpu() -> Option<Device> {
    Some(Device::any_gpu(DeviceOptions::default()).expect("an adapter"))
}
