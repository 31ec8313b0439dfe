//! Which device runs the plans: how it is chosen, and the opened GPU.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::adapters::{AdapterSummary, adapters, adapters_of, best_gpu, choosable_adapters, no_gpu, why_cpu};
use super::pipelines::{DriverCache, Pipelines};
use super::tuning::Tuning;
use super::variants::Forced;
use super::{CpuExecutor, Executor, GpuExecutor, cache, cooperative};
use crate::error::{Error, Result};
use crate::kernels::{Blocks, Matrices, Precision};
use crate::plan::Limits;

/// How a device is opened.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Keep wgpu's runtime checks in the shaders (bounds of indices and loops): slower, to look for faults.
    pub checked: bool,
    /// Variants that kernels are to be computed by wherever they fit, as `lstm_sequence=steps,matmul=tiles`; by default what
    /// `GATENORM_VARIANT` says.
    pub variants: Option<String>,
    /// In what precision matrix products take their operands.
    pub precision: Precision,
    /// Compute products by the device's cooperative matrices (tensor cores), once they were found to compute what the reference does.
    pub cooperative_matrices: bool,
    /// The folder to keep in what was learnt of an adapter, or `off`; by default what `GATENORM_CACHE` says, or else a folder in the
    /// user's caches.
    pub cache: Option<String>,
}

/// Where a model lives and is computed.
#[derive(Clone, Debug)]
pub enum Device {
    /// The CPU, in `f32`, as fast as it goes.
    Cpu,
    /// The same with the operands of matrix products in half precision, which is no faster: to see what a GPU would make of them.
    CpuF16,
    /// The CPU in `f32`, by the kernels' plain references.
    CpuReference,
    /// The CPU in `f64`: slow, the truth that the others are held to.
    CpuF64,
    /// A GPU, or a software driver that stands in for one.
    Gpu(Gpu),
}

impl Device {
    /// A real GPU if there is one, else the CPU: a software driver is slower than our own CPU executor.
    pub fn auto() -> Result<Device> {
        Ok(Self::auto_with(DeviceOptions::default())?.0)
    }

    /// The same, with a sentence that says why where the choice is the CPU.
    pub fn auto_with(options: DeviceOptions) -> Result<(Device, Option<String>)> {
        let all = choosable_adapters();
        match best_gpu(&all) {
            Some(best) => Ok((Device::Gpu(Gpu::open(best, options)?), None)),
            None => Ok((Device::cpu(&options)?, Some(why_cpu(&all)))),
        }
    }

    /// The CPU in some precision; it has no cooperative matrices.
    fn cpu(options: &DeviceOptions) -> Result<Device> {
        if options.cooperative_matrices {
            return Err(Error::usage(
                "cooperative matrices are a GPU's, and the device is the CPU: choose another, or leave --cooperative-matrices out",
            ));
        }
        Ok(match options.precision {
            Precision::F32 => Device::Cpu,
            Precision::F16 => Device::CpuF16,
        })
    }

    /// `auto`, `cpu`, `gpu`, an index in the list of [`adapters`], or a part of an adapter's name.
    pub fn parse(text: &str, options: DeviceOptions) -> Result<(Device, Option<String>)> {
        match text {
            "auto" => Self::auto_with(options),
            "cpu" => Ok((Device::cpu(&options)?, None)),
            "gpu" => {
                let all = choosable_adapters();
                let best = best_gpu(&all).ok_or_else(|| Error::usage(format!("--device gpu: {}", no_gpu(&all))))?;
                Ok((Device::Gpu(Gpu::open(best, options)?), None))
            }
            named => Ok((Self::named(named, options)?, None)),
        }
    }

    /// The adapter with this index, or the best whose name or driver contains this text, in any case.
    pub fn named(text: &str, options: DeviceOptions) -> Result<Device> {
        let wanted = text.to_lowercase();
        let by_index = text.parse::<usize>().ok();
        let matches = |a: &&AdapterSummary| match by_index {
            Some(index) => a.index == index,
            None => [&a.info.name, &a.info.driver].iter().any(|n| n.to_lowercase().contains(&wanted)),
        };
        let mut all = adapters_of(!wgpu::Backends::GL, 0);
        if !all.iter().any(|a| matches(&a)) {
            all = adapters();
        }
        let best = all.iter().filter(matches).min_by_key(|a| a.rank());
        let best = best.ok_or_else(|| {
            let names: Vec<String> = all.iter().map(|a| format!("{} `{}`", a.index, a.info.name)).collect();
            let list = if names.is_empty() { "none".into() } else { names.join(", ") };
            Error::usage(format!(
                "no device `{text}`; give auto, cpu, gpu, or the index or a part of the name of an adapter (there are: {list}; `gatenorm devices` tells more)"
            ))
        })?;
        Ok(Device::Gpu(Gpu::open(best, options)?))
    }

    /// The best adapter of any kind, software drivers included: what tests run on.
    pub fn any_gpu(options: DeviceOptions) -> Result<Device> {
        let native = adapters_of(!wgpu::Backends::GL, 0);
        let all = if native.is_empty() { adapters() } else { native };
        let best = all.iter().min_by_key(|a| a.rank());
        Ok(Device::Gpu(Gpu::open(best.ok_or_else(|| Error::Device(no_gpu(&all)))?, options)?))
    }

    /// An executor on it, without buffers.
    pub fn executor(&self) -> Result<Box<dyn Executor>> {
        Ok(match self {
            Device::Cpu => Box::new(CpuExecutor::fast()),
            Device::CpuF16 => Box::new(CpuExecutor::fast().in_precision(Precision::F16)),
            Device::CpuReference => Box::new(CpuExecutor::<f32>::new()),
            Device::CpuF64 => Box::new(CpuExecutor::<f64>::new()),
            Device::Gpu(gpu) => Box::new(GpuExecutor::new(gpu)?),
        })
    }

    /// What plans for this device must keep within.
    pub fn limits(&self) -> Limits {
        match self {
            Device::Cpu | Device::CpuReference | Device::CpuF64 => Limits::NONE,
            Device::CpuF16 => Limits { precision: Precision::F16, ..Limits::NONE },
            Device::Gpu(gpu) => gpu.limits(),
        }
    }
}

/// How a device of half precision is called.
const HALF: &str = "f32 with matrix products of f16";

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => write!(f, "CPU, f32"),
            Device::CpuF16 => write!(f, "CPU, {HALF}"),
            Device::CpuReference => write!(f, "CPU, f32, plain references"),
            Device::CpuF64 => write!(f, "CPU, f64"),
            Device::Gpu(gpu) => {
                let info = &gpu.inner.info;
                let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
                let precision = if gpu.inner.precision == Precision::F16 { HALF } else { "f32" };
                write!(f, "{} ({:?}, {}), {precision}", info.name, info.backend, driver.trim())?;
                match gpu.trusted() {
                    [] => Ok(()),
                    _ => write!(f, ", cooperative matrices"),
                }
            }
        }
    }
}

/// An opened GPU, shared by all that is computed on it.
#[derive(Clone)]
pub struct Gpu {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub info: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub checked: bool,
    pub precision: Precision,
    pub matrices: Matrices,
    /// Variants with cooperative matrices that compute what they should; unset as long as that is being found out.
    pub trusted: OnceLock<Vec<&'static str>>,
    pub forced: Forced,
    pub blocks: Blocks,
    pub pipelines: Mutex<Pipelines>,
    pub driver_cache: Option<DriverCache>,
    pub tuning: Mutex<Tuning>,
    lost: Arc<AtomicBool>,
    faults: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("name", &self.inner.info.name).finish_non_exhaustive()
    }
}

/// What some variants need, what times them, and what keeps their pipelines.
const USED_FEATURES: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::SUBGROUP_BARRIER)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::PIPELINE_CACHE);

/// A poisoned lock still holds plain data: a thread that panicked while holding it left nothing half-done that matters.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    /// Opens an adapter with WebGPU's default limits, but the largest buffers and workgroups that it offers, and with what some
    /// variants of kernels need where it has that.
    pub fn open(summary: &AdapterSummary, options: DeviceOptions) -> Result<Gpu> {
        let forced = options.variants.or_else(|| std::env::var("GATENORM_VARIANT").ok());
        let forced = Forced::parse(&forced.unwrap_or_default())?;
        let offered = &summary.limits;
        let defaults = wgpu::Limits::default();
        let most_storage = defaults.max_storage_buffers_per_shader_stage;
        // A storage buffer more for the parameters, where it is to be had.
        let blocks = match summary.is_software() && offered.max_storage_buffers_per_shader_stage > most_storage {
            true => Blocks::Storage,
            false => Blocks::Uniform,
        };
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            max_compute_workgroup_storage_size: offered.max_compute_workgroup_storage_size,
            max_compute_invocations_per_workgroup: offered.max_compute_invocations_per_workgroup,
            max_compute_workgroup_size_x: offered.max_compute_workgroup_size_x,
            max_compute_workgroup_size_y: offered.max_compute_workgroup_size_y,
            max_compute_workgroup_size_z: offered.max_compute_workgroup_size_z,
            max_storage_buffers_per_shader_stage: most_storage + u32::from(blocks == Blocks::Storage),
            ..defaults.or_worse_values_from(offered)
        };
        let mut features = USED_FEATURES;
        let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
        if options.cooperative_matrices {
            features |= cooperative::FEATURES;
            // SAFETY: what is experimental of it is that it may compute wrong products, which is found out below.
            experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gatenorm"),
            required_features: summary.adapter.features() & features,
            experimental_features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(summary.adapter.request_device(&descriptor))
            .map_err(|e| Error::Device(format!("cannot open `{}`: {e}", summary.info.name)))?;
        let (lost, faults) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let noted = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| lock(&noted).push(error.to_string())));
        let flag = lost.clone();
        device.set_device_lost_callback(move |_, _| flag.store(true, Ordering::SeqCst));
        let folder = cache::folder(options.cache);
        let driver_cache = DriverCache::open(folder.as_deref(), &summary.info, &device);
        let inner = Inner {
            info: summary.info.clone(),
            limits,
            device,
            queue,
            checked: options.checked,
            precision: options.precision,
            matrices: if options.cooperative_matrices { summary.matrices } else { Matrices::default() },
            trusted: OnceLock::new(),
            forced,
            blocks,
            pipelines: Mutex::default(),
            driver_cache,
            tuning: Mutex::new(Tuning::open(folder.as_deref(), &summary.info)),
            lost,
            faults,
        };
        let gpu = Gpu { inner: Arc::new(inner) };
        let trusted =
            if options.cooperative_matrices { cooperative::trusted(&gpu, options.precision)? } else { Vec::new() };
        // Nobody else has it yet, so that nobody else has set it.
        let _ = gpu.inner.trusted.set(trusted);
        Ok(gpu)
    }

    /// Variants with cooperative matrices that compute what they should.
    pub(super) fn trusted(&self) -> &[&'static str] {
        self.inner.trusted.get().map_or(&[], Vec::as_slice)
    }

    /// What wgpu knows of the adapter.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.inner.info
    }

    /// What plans for this GPU must keep within.
    pub fn limits(&self) -> Limits {
        Limits {
            max_binding: self.inner.limits.max_storage_buffer_binding_size as usize,
            max_buffer: self.inner.limits.max_buffer_size as usize,
            max_loops: if self.traits().software { Limits::SOFTWARE_LOOPS } else { Limits::NONE.max_loops },
            precision: self.inner.precision,
        }
    }
}

impl Inner {
    /// Fails once the device is lost or has refused something.
    pub fn check(&self) -> Result<()> {
        if self.lost.load(Ordering::SeqCst) {
            return Err(Error::Device(format!(
                "the device `{}` was lost (driver reset, or a dispatch ran too long); what was saved last is intact: start again, with a smaller batch if it happens again",
                self.info.name
            )));
        }
        match lock(&self.faults).first() {
            Some(fault) => Err(Error::Device(format!("the device `{}` refused a command: {fault}", self.info.name))),
            None => Ok(()),
        }
    }

    /// Waits for a submission, or for all.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        self.check()?;
        let poll = wgpu::PollType::Wait { submission_index: submission, timeout: None };
        // wgpu's poll panics where the device is lost while it waits.
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        if !matches!(polled, Ok(Ok(_))) {
            self.lost.store(true, Ordering::SeqCst);
        }
        self.check()
    }

    /// Runs `create` and turns a refusal (wrong use, too little memory) into an error that begins with `what`.
    pub fn scoped<R>(&self, what: &str, create: impl FnOnce() -> R) -> Result<R> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let created = create();
        let invalid = pollster::block_on(validation.pop());
        let too_large = pollster::block_on(memory.pop());
        if let Some(error) = too_large {
            let text = format!(
                "{what}: too little memory on `{}` ({error}); use a smaller batch, or let data pass through in chunks (--device-memory)",
                self.info.name
            );
            return Err(Error::Device(text));
        }
        if let Some(error) = invalid {
            return Err(Error::Device(format!("{what}: `{}` refused it: {error}", self.info.name)));
        }
        self.check()?;
        Ok(created)
    }
}
