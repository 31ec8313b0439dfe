//! The GPUs and software drivers of this machine.

use super::cooperative;
use crate::kernels::Matrices;

/// What `devices` shows of an adapter.
#[derive(Clone, Debug)]
pub struct AdapterSummary {
    /// Its place in the list, which `--device INDEX` takes.
    pub index: usize,
    /// What wgpu knows of it.
    pub info: wgpu::AdapterInfo,
    /// Its limits.
    pub limits: wgpu::Limits,
    /// The cooperative matrices that it has.
    pub matrices: Matrices,
    pub(super) adapter: wgpu::Adapter,
}

impl AdapterSummary {
    /// True for a driver that computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Lower is better: discrete, integrated, other, virtual, software; OpenGL behind the native interfaces.
    pub(super) fn rank(&self) -> u32 {
        let kind = match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::Other => 2,
            wgpu::DeviceType::VirtualGpu => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        2 * kind + u32::from(self.info.backend == wgpu::Backend::Gl)
    }
}

/// Every adapter of this machine, in a fixed order: those of native interfaces, then OpenGL's. `WGPU_BACKEND` restricts them.
pub fn adapters() -> Vec<AdapterSummary> {
    let mut all = adapters_of(!wgpu::Backends::GL, 0);
    all.extend(adapters_of(wgpu::Backends::GL, all.len()));
    all
}

/// The adapters to choose from: OpenGL is asked only where no native interface has a real GPU, since it only shows the same
/// ones again and takes long to open.
pub(super) fn choosable_adapters() -> Vec<AdapterSummary> {
    let native = adapters_of(!wgpu::Backends::GL, 0);
    if best_gpu(&native).is_some() { native } else { adapters() }
}

pub(super) fn adapters_of(among: wgpu::Backends, first_index: usize) -> Vec<AdapterSummary> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle().with_env();
    let backends = descriptor.backends & among;
    if backends.is_empty() {
        return Vec::new();
    }
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let found = pollster::block_on(instance.enumerate_adapters(backends));
    let summary = |(i, adapter): (usize, wgpu::Adapter)| AdapterSummary {
        index: first_index + i,
        info: adapter.get_info(),
        limits: adapter.limits(),
        matrices: cooperative::matrices(&adapter),
        adapter,
    };
    found.into_iter().enumerate().map(summary).collect()
}

pub(super) fn no_gpu(all: &[AdapterSummary]) -> String {
    match all.first() {
        Some(a) => format!(
            "no GPU was found, only the software driver `{0}`; take it with --device \"{0}\", or --device cpu, which is faster",
            a.info.name
        ),
        None => "no GPU was found: install its Vulkan driver (on Debian and Ubuntu: apt install mesa-vulkan-drivers), or use --device cpu".into(),
    }
}

/// The adapter that `auto` takes: a real GPU, not a software driver.
pub fn best_gpu(all: &[AdapterSummary]) -> Option<&AdapterSummary> {
    all.iter().filter(|a| !a.is_software()).min_by_key(|a| a.rank())
}

/// Why `auto` takes the CPU where [`best_gpu`] finds none among these.
pub fn why_cpu(all: &[AdapterSummary]) -> String {
    match all.first() {
        Some(a) => {
            format!("no GPU found, only the software driver `{}`, which is slower than this CPU path", a.info.name)
        }
        None => "no GPU found (no Vulkan, Metal, DX12 or OpenGL driver answered)".into(),
    }
}
