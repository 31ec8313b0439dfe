//! Pipelines and their layouts: created on first use, shared by all executors of a device.

use std::collections::HashMap;

use super::Counters;
use super::device::{Gpu, lock};
use crate::error::Result;
use crate::kernels::{Access, Binding, Blocks, KernelInfo, Options, Variant};

/// Kernel, variant, entry point, overrides.
type PipelineKey = (&'static str, &'static str, &'static str, Options);

/// Pipelines and layouts of a device, shared by all its executors.
#[derive(Default)]
pub(super) struct Pipelines {
    pub by_kernel: HashMap<PipelineKey, wgpu::ComputePipeline>,
    pub layouts: HashMap<&'static str, wgpu::BindGroupLayout>,
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

    /// The pipeline of a variant's entry point with these options, created on first use.
    pub(super) fn pipeline(
        &self,
        kernel: &'static KernelInfo,
        variant: &'static Variant,
        entry: &'static str,
        options: &Options,
        counters: &mut Counters,
    ) -> Result<wgpu::ComputePipeline> {
        let key = (kernel.name, variant.name, entry, options.clone());
        if let Some(pipeline) = lock(&self.inner.pipelines).by_kernel.get(&key) {
            return Ok(pipeline.clone());
        }
        let (uniform, storage) = (self.uniform_layout(), self.storage_layout(kernel));
        let pipeline = self.inner.scoped(&format!("kernel `{}`", kernel.name), || {
            self.create_pipeline(kernel, variant, entry, options, &[Some(&uniform), Some(&storage)])
        })?;
        counters.pipelines += 1;
        lock(&self.inner.pipelines).by_kernel.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn create_pipeline(
        &self,
        kernel: &KernelInfo,
        variant: &Variant,
        entry: &str,
        options: &Options,
        layouts: &[Option<&wgpu::BindGroupLayout>],
    ) -> wgpu::ComputePipeline {
        let device = &self.inner.device;
        let checks = match self.inner.checked {
            true => wgpu::ShaderRuntimeChecks::checked(),
            false => wgpu::ShaderRuntimeChecks::unchecked(),
        };
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(kernel.source(variant, self.inner.blocks).into()),
        };
        // SAFETY: these are our own kernels: every loop ends, and every index stays within the slots that `Plan::push`
        // checked; the whole test suite also runs with the checks on.
        let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: layouts,
            immediate_size: 0,
        });
        let constants: Vec<(&str, f64)> = options.0.iter().map(|&(name, value)| (name, value as f64)).collect();
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        })
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
