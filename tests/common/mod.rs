//! What tests that need a device share.
#![allow(dead_code, reason = "each test file uses its own part")]

use gatenorm::exec::{Device, DeviceOptions, Gpu};

/// The device that tests run on: `GATENORM_TEST_DEVICE` (an index or a part of a name), else the best adapter of any kind.
/// Without one the test fails, unless `GATENORM_SKIP_GPU=1` asks to skip. `GATENORM_CHECKED=1` keeps wgpu's runtime checks in
/// the kernels.
pub fn gpu() -> Option<Device> {
    let checked = std::env::var("GATENORM_CHECKED").is_ok_and(|v| v == "1");
    open(DeviceOptions { checked, ..DeviceOptions::default() }).map(Device::Gpu)
}

/// The same opened, with these options.
pub fn open(options: DeviceOptions) -> Option<Gpu> {
    if std::env::var("GATENORM_SKIP_GPU").is_ok_and(|v| v == "1") {
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        println!("skipped `{test}`, which needs a GPU: GATENORM_SKIP_GPU=1");
        return None;
    }
    let device = match std::env::var("GATENORM_TEST_DEVICE") {
        Ok(named) => Device::named(&named, options),
        Err(_) => Device::any_gpu(options),
    };
    match device.expect("tests need a GPU or a software driver; GATENORM_SKIP_GPU=1 skips them") {
        Device::Gpu(gpu) => Some(gpu),
        other => panic!("GATENORM_TEST_DEVICE names {other}, which is no GPU"),
    }
}
