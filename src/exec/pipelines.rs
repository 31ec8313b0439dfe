//! Pipelines and their layouts: created on first use, shared by all executors of a device.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::device::{Gpu, lock};
use super::{Counters, cache};
use crate::error::Result;
use crate::kernels::{Access, Binding, Blocks, Dispatch, KernelInfo, Options, Variant};
use crate::plan::Step;

/// Kernel, variant, entry point, overrides.
type PipelineKey = (&'static str, &'static str, &'static str, Options);
/// Kernel and variant.
type SourceKey = (&'static str, &'static str);

/// What a pipeline is made of.
#[derive(Clone)]
pub(super) struct Wanted {
    pub kernel: &'static KernelInfo,
    pub variant: &'static Variant,
    pub entry: &'static str,
    pub options: Options,
}

impl Wanted {
    /// What the dispatches of a step's variant need.
    pub fn of(step: &Step, number: usize) -> Vec<Wanted> {
        let (kernel, variant) = (step.kernel, &step.kernel.variants.all[number]);
        let dispatches = (kernel.variants.dispatches)(&step.params, &step.options, number);
        let of = |d: &Dispatch<Vec<u8>>| Wanted { kernel, variant, entry: d.entry, options: step.options.clone() };
        dispatches.iter().map(of).collect()
    }

    fn key(&self) -> PipelineKey {
        (self.kernel.name, self.variant.name, self.entry, self.options.clone())
    }

    fn source(&self) -> SourceKey {
        (self.kernel.name, self.variant.name)
    }
}

/// Pipelines and layouts of a device, shared by all its executors.
#[derive(Default)]
pub(super) struct Pipelines {
    by_kernel: HashMap<PipelineKey, wgpu::ComputePipeline>,
    modules: HashMap<SourceKey, wgpu::ShaderModule>,
    layouts: HashMap<&'static str, wgpu::BindGroupLayout>,
}

impl Gpu {
    pub(super) fn uniform_layout(&self) -> wgpu::BindGroupLayout {
        let params = match self.inner.blocks {
            Blocks::Uniform => wgpu::BufferBindingType::Uniform,
            Blocks::Storage => wgpu::BufferBindingType::Storage { read_only: true },
        };
        let entry = |binding, ty| layout_entry(binding, ty, true);
        self.layout("params", || vec![entry(0, params), entry(1, wgpu::BufferBindingType::Uniform)])
    }

    pub(super) fn storage_layout(&self, kernel: &'static KernelInfo) -> wgpu::BindGroupLayout {
        let entry = |(i, b): (usize, &Binding)| {
            let read_only = b.access == Access::Read;
            layout_entry(i as u32, wgpu::BufferBindingType::Storage { read_only }, false)
        };
        self.layout(kernel.name, || kernel.bindings.iter().enumerate().map(entry).collect())
    }

    fn layout(
        &self,
        name: &'static str,
        entries: impl FnOnce() -> Vec<wgpu::BindGroupLayoutEntry>,
    ) -> wgpu::BindGroupLayout {
        let mut pipelines = lock(&self.inner.pipelines);
        let create = || {
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(name), entries: &entries() };
            self.inner.device.create_bind_group_layout(&descriptor)
        };
        pipelines.layouts.entry(name).or_insert_with(create).clone()
    }

    /// Creates those of these pipelines that are missing, on all cores: a driver may take long for each.
    pub(super) fn create_pipelines(&self, wanted: &[Wanted], counters: &mut Counters) -> Result<()> {
        // Those of one source stay together, so that it is parsed once.
        let mut missing: Vec<Vec<&Wanted>> = Vec::new();
        for want in wanted {
            let known = lock(&self.inner.pipelines).by_kernel.contains_key(&want.key());
            let of_source = |group: &&mut Vec<&Wanted>| group[0].source() == want.source();
            match missing.iter_mut().find(of_source) {
                _ if known => {}
                Some(group) if group.iter().any(|other| other.key() == want.key()) => {}
                Some(group) => group.push(want),
                None => missing.push(vec![want]),
            }
        }
        counters.pipelines += missing.iter().map(Vec::len).sum::<usize>() as u64;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(group) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                group.iter().try_for_each(|want| self.pipeline(want).map(drop))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            others.into_iter().fold(own, |so_far, other| so_far.and(other.join().unwrap_or(Ok(()))))
        })?;
        if !missing.is_empty() {
            self.keep_pipelines();
        }
        Ok(())
    }

    /// A pipeline, created on first use.
    pub(super) fn pipeline(&self, want: &Wanted) -> Result<wgpu::ComputePipeline> {
        if let Some(pipeline) = lock(&self.inner.pipelines).by_kernel.get(&want.key()) {
            return Ok(pipeline.clone());
        }
        let (uniform, storage) = (self.uniform_layout(), self.storage_layout(want.kernel));
        let pipeline = self.inner.scoped(&format!("kernel `{}`", want.kernel.name), || {
            let module = self.module(want);
            self.create_pipeline(want, &module, &[Some(&uniform), Some(&storage)])
        })?;
        lock(&self.inner.pipelines).by_kernel.insert(want.key(), pipeline.clone());
        Ok(pipeline)
    }

    /// The parsed source of a variant.
    fn module(&self, want: &Wanted) -> wgpu::ShaderModule {
        if let Some(module) = lock(&self.inner.pipelines).modules.get(&want.source()) {
            return module.clone();
        }
        let checks = match self.inner.checked {
            true => wgpu::ShaderRuntimeChecks::checked(),
            false => wgpu::ShaderRuntimeChecks::unchecked(),
        };
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(want.kernel.name),
            source: wgpu::ShaderSource::Wgsl(want.kernel.source(want.variant, self.inner.blocks).into()),
        };
        // SAFETY: these are our own kernels: every loop ends, and every index stays within the slots that `Plan::push`
        // checked; the whole test suite also runs with the checks on.
        let module = unsafe { self.inner.device.create_shader_module_trusted(descriptor, checks) };
        lock(&self.inner.pipelines).modules.insert(want.source(), module.clone());
        module
    }

    fn create_pipeline(
        &self,
        want: &Wanted,
        module: &wgpu::ShaderModule,
        layouts: &[Option<&wgpu::BindGroupLayout>],
    ) -> wgpu::ComputePipeline {
        let device = &self.inner.device;
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(want.kernel.name),
            bind_group_layouts: layouts,
            immediate_size: 0,
        });
        let constants: Vec<(&str, f64)> = want.options.0.iter().map(|&(name, value)| (name, value as f64)).collect();
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(want.kernel.name),
            layout: Some(&layout),
            module,
            entry_point: Some(want.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Kernels write what they read of it; OpenGL compiles seconds at setting it to zero.
                zero_initialize_workgroup_memory: self.inner.checked,
            },
            cache: self.inner.driver_cache.as_ref().map(|kept| &kept.cache),
        })
    }

    fn keep_pipelines(&self) {
        // Vulkan's header alone holds nothing.
        const HEADER: usize = 32;
        if let Some(kept) = &self.inner.driver_cache
            && let Some(data) = kept.cache.get_data().filter(|data| data.len() > 2 * HEADER)
        {
            cache::write(&kept.path, &data);
        }
    }
}

/// What a driver keeps of compiled pipelines from run to run.
pub(super) struct DriverCache {
    cache: wgpu::PipelineCache,
    path: PathBuf,
}

impl DriverCache {
    /// What was kept in this folder for this device; an empty one where there was nothing, none where the device has no such thing.
    pub fn open(folder: Option<&Path>, info: &wgpu::AdapterInfo, device: &wgpu::Device) -> Option<DriverCache> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let path = folder?.join(cache::file_of(info, &wgpu::util::pipeline_cache_key(info)?));
        let data = std::fs::read(&path).ok();
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("pipelines"), data: data.as_deref(), fallback: true };
        // SAFETY: the data was got from such a cache: only this function's counterpart writes files of this name, in the user's
        // own folder. wgpu and the driver check its header, and begin an empty cache where it is another driver's.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(DriverCache { cache, path })
    }
}

fn layout_entry(binding: u32, ty: wgpu::BufferBindingType, has_dynamic_offset: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    }
}
