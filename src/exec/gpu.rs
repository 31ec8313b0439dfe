//! The GPU executor: pipelines, bind groups and uniform slots are built once per plan and encoded again for each run.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::cpu::{missing, refuse_growth};
use super::device::Gpu;
use super::pipelines::Wanted;
use super::read_back::ReadBack;
use super::reading::{Progress, ReadPart, Reading, Values};
use super::submissions::{share, submissions};
use super::tuning::{self, Choices};
use super::{Counters, Executor, check_content, check_part, check_scalars, check_step};
use crate::error::{Error, Result};
use crate::kernels::{Blocks, Element, StepScalars};
use crate::plan::{BufferSpec, Limits, Plan, Slot, Step};

/// Bytes from one uniform slot to the next: WebGPU's largest alignment of uniform offsets.
const UNIFORM_SLOT: u64 = 256;
/// Training steps whose scalars fit on the device at once.
pub const MAX_SCALARS: usize = 1024;
/// Submissions that may be under way.
const IN_FLIGHT: usize = 3;
/// Compiled plans that are kept.
const PLANS: usize = 16;

struct Encoded {
    pipeline: wgpu::ComputePipeline,
    group: usize,
    uniform: u32,
    grid: [u32; 3],
}

pub(super) struct Compiled {
    plan: u64,
    names: Vec<String>,
    uniforms: wgpu::BindGroup,
    groups: Vec<wgpu::BindGroup>,
    dispatches: Vec<Encoded>,
    /// Where each step's dispatches begin, and at last their number.
    firsts: Vec<usize>,
    /// What share of a submission each dispatch takes.
    pub(super) shares: Vec<f64>,
}

impl Compiled {
    /// The dispatches of some steps.
    pub(super) fn of(&self, steps: Range<usize>) -> Range<usize> {
        self.firsts[steps.start]..self.firsts[steps.end]
    }

    /// Encodes some dispatches with scalars `at`.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>, dispatches: Range<usize>, at: usize) {
        for d in &self.dispatches[dispatches] {
            pass.set_pipeline(&d.pipeline);
            pass.set_bind_group(0, &self.uniforms, &[d.uniform, at as u32 * UNIFORM_SLOT as u32]);
            pass.set_bind_group(1, &self.groups[d.group], &[]);
            pass.dispatch_workgroups(d.grid[0], d.grid[1], d.grid[2]);
        }
    }
}

struct Memory {
    buffer: wgpu::Buffer,
    len: usize,
}

/// Keeps buffers on a GPU and runs plans there.
pub struct GpuExecutor {
    pub(super) gpu: Gpu,
    memory: HashMap<String, Memory>,
    pub(super) compiled: VecDeque<Compiled>,
    scalars: wgpu::Buffer,
    /// How many scalars were set last.
    scalars_set: usize,
    pub(super) read_back: ReadBack,
    under_way: VecDeque<wgpu::SubmissionIndex>,
    /// The kernel that is to be computed by this variant.
    insisted: Option<(&'static str, usize)>,
    /// What computed the kernels of this run.
    choices: Choices,
    pub(super) counters: Counters,
}

impl GpuExecutor {
    /// An executor without buffers.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let scalars = gpu.inner.scoped("step scalars", || {
            gpu.inner.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("step_scalars"),
                size: UNIFORM_SLOT * MAX_SCALARS as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(GpuExecutor {
            gpu: gpu.clone(),
            memory: HashMap::new(),
            compiled: VecDeque::new(),
            scalars,
            // New buffers are zero, so there is one set: the default.
            scalars_set: 1,
            read_back: ReadBack::default(),
            under_way: VecDeque::new(),
            insisted: None,
            choices: Choices::new(gpu.info()),
            counters: Counters::default(),
        })
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Computes a kernel by this variant wherever that fits, from now on.
    pub fn insist(&mut self, kernel: &'static str, variant: usize) {
        self.insisted = Some((kernel, variant));
        self.compiled.clear();
    }

    fn ensure(&mut self, spec: &BufferSpec, exact: bool) -> Result<()> {
        let fits = |have: usize| if exact { have == spec.len() } else { have >= spec.len() };
        match self.memory.get(&spec.name) {
            Some(memory) if fits(memory.len) => return Ok(()),
            Some(memory) if !exact => refuse_growth(spec, memory.len)?,
            _ => {}
        }
        let inner = &self.gpu.inner;
        if 4 * spec.len() as u64 > inner.limits.max_buffer_size {
            return Err(Error::Device(format!(
                "the buffer `{}` needs {} MiB; `{}` allows {} MiB",
                spec.name,
                spec.len() >> 18,
                inner.info.name,
                inner.limits.max_buffer_size >> 20
            )));
        }
        let buffer = inner.scoped(&format!("buffer `{}` of {} KiB", spec.name, spec.len() >> 8), || {
            inner.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(&spec.name),
                size: 4 * spec.len().max(4) as u64,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        self.counters.allocations += 1;
        self.memory.insert(spec.name.clone(), Memory { buffer, len: spec.len() });
        // Plans that were built on the old buffer must not run any more.
        self.compiled.retain(|c| !c.names.contains(&spec.name));
        Ok(())
    }

    /// Makes the compiled form of a plan the last in the queue.
    fn compile(&mut self, plan: &Plan) -> Result<()> {
        if let Some(found) = self.compiled.iter().position(|c| c.plan == plan.id()) {
            if found + 1 != self.compiled.len()
                && let Some(compiled) = self.compiled.remove(found)
            {
                self.compiled.push_back(compiled);
            }
            return Ok(());
        }
        for spec in &plan.memory().places {
            self.ensure(spec, false)?;
        }
        let gpu = self.gpu.clone();
        let compiled = gpu.inner.scoped("plan", || self.build(plan))?;
        self.compiled.push_back(compiled?);
        if self.compiled.len() > PLANS {
            self.compiled.pop_front();
        }
        Ok(())
    }

    fn build(&mut self, plan: &Plan) -> Result<Compiled> {
        self.counters.allocations += 1;
        let mut work = Vec::new();
        let mut firsts = vec![0];
        for step in plan.steps() {
            let number = self.choose(step);
            let (kernel, variant) = (step.kernel, &step.kernel.variants.all[number]);
            for dispatch in (kernel.variants.dispatches)(&step.params, &step.options, number) {
                work.push((Wanted { kernel, variant, entry: dispatch.entry, options: step.options.clone() }, dispatch));
            }
            firsts.push(work.len());
        }
        let wanted: Vec<Wanted> = work.iter().map(|(want, _)| want.clone()).collect();
        self.gpu.create_pipelines(&wanted, &mut self.counters)?;
        let (groups, of_step) = self.groups(plan);
        let (mut dispatches, mut params) = (Vec::new(), Vec::new());
        for (step, &group) in of_step.iter().enumerate() {
            for (want, dispatch) in &work[firsts[step]..firsts[step + 1]] {
                let (pipeline, uniform) = (self.gpu.pipeline(want)?, params.len() as u32 * UNIFORM_SLOT as u32);
                dispatches.push(Encoded { pipeline, group, uniform, grid: dispatch.grid });
                params.push(dispatch.params.clone());
            }
        }
        let names = plan.memory().places.iter().map(|place| place.name.clone()).collect();
        let uniforms = self.uniforms(&params);
        let of_step = |(step, ends): (&Step, &[usize])| {
            let dispatches = ends[1] - ends[0];
            std::iter::repeat_n(share(step.flops() / dispatches as f64), dispatches)
        };
        let shares = plan.steps().iter().zip(firsts.windows(2)).flat_map(of_step).collect();
        Ok(Compiled { plan: plan.id(), names, uniforms, groups, dispatches, firsts, shares })
    }

    /// The bind groups of a plan, and the number of each step's: steps of a kernel on the same slots share one.
    fn groups<'p>(&self, plan: &'p Plan) -> (Vec<wgpu::BindGroup>, Vec<usize>) {
        let mut groups = Vec::new();
        let mut known: HashMap<(&str, &[Slot]), usize> = HashMap::new();
        let mut of_step = |step: &'p Step| {
            *known.entry((step.kernel.name, &step.slots)).or_insert_with(|| {
                let layout = self.gpu.storage_layout(step.kernel);
                let entries: Vec<_> = (0u32..).zip(&step.slots).map(|(b, slot)| self.entry(plan, b, slot)).collect();
                groups.push(self.gpu.inner.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(&step.label),
                    layout: &layout,
                    entries: &entries,
                }));
                groups.len() - 1
            })
        };
        let of_steps = plan.steps().iter().map(&mut of_step).collect();
        (groups, of_steps)
    }

    /// The variant that computes a step: the one insisted on, else the one that this run used before, else what the tuning or the
    /// fixed table says.
    fn choose(&mut self, step: &Step) -> usize {
        if let Some(number) = self.gpu.demanded(step, self.insisted) {
            return number;
        }
        let all = step.kernel.variants.all;
        if all.len() == 1 {
            return 0;
        }
        let key = tuning::key(step);
        let before = self.choices.of(&key, step).filter(|&number| self.gpu.fits(step, number));
        let number = before.unwrap_or_else(|| self.gpu.tuned(step));
        self.choices.set(key, all[number].name);
        number
    }

    fn entry<'a>(&'a self, plan: &Plan, binding: u32, slot: &Slot) -> wgpu::BindGroupEntry<'a> {
        let memory = &self.memory[&plan.place(slot.buffer).name];
        wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &memory.buffer,
                offset: 4 * slot.offset as u64,
                size: std::num::NonZeroU64::new(4 * slot.len as u64),
            }),
        }
    }

    /// All parameter structs of a plan in one buffer, bound once with the scalars.
    fn uniforms(&self, params: &[Vec<u8>]) -> wgpu::BindGroup {
        let inner = &self.gpu.inner;
        let mut bytes = vec![0u8; params.len().max(1) * UNIFORM_SLOT as usize];
        for (slot, params) in bytes.chunks_mut(UNIFORM_SLOT as usize).zip(params) {
            slot[..params.len()].copy_from_slice(params);
        }
        let buffer = inner.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("step_params"),
            size: bytes.len() as u64,
            usage: match inner.blocks {
                Blocks::Uniform => wgpu::BufferUsages::UNIFORM,
                Blocks::Storage => wgpu::BufferUsages::STORAGE,
            } | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        inner.queue.write_buffer(&buffer, 0, &bytes);
        let bind = |binding, buffer| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: 0,
                size: std::num::NonZeroU64::new(UNIFORM_SLOT),
            }),
        };
        inner.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("params"),
            layout: &self.gpu.uniform_layout(),
            entries: &[bind(0, &buffer), bind(1, &self.scalars)],
        })
    }

    /// Runs some steps of the last compiled plan, once for each of the scalars.
    fn run_steps(&mut self, steps: Range<usize>, scalars: Range<usize>) -> Result<()> {
        let Some(compiled) = self.compiled.back() else { return Ok(()) };
        let all = compiled.of(steps);
        for (part, scalars) in submissions(&compiled.shares[all.clone()], scalars) {
            self.encode_and_submit(all.start + part.start..all.start + part.end, scalars)?;
        }
        Ok(())
    }

    /// Encodes these dispatches of the last compiled plan, once for each of the scalars.
    fn encode_and_submit(&mut self, dispatches: Range<usize>, scalars: Range<usize>) -> Result<()> {
        let inner = self.gpu.inner.clone();
        let Some(compiled) = self.compiled.back() else { return Ok(()) };
        let mut encoder = inner.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("steps") });
        for at in scalars.clone() {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            compiled.encode(&mut pass, dispatches.clone(), at);
        }
        self.counters.dispatches += (dispatches.len() * scalars.len()) as u64;
        self.counters.submissions += 1;
        self.under_way.push_back(inner.queue.submit([encoder.finish()]));
        while self.under_way.len() > IN_FLIGHT {
            inner.wait(self.under_way.pop_front())?;
        }
        inner.check()
    }

    fn read_one(&mut self, wanted: ReadPart<'_>) -> Result<Values> {
        if wanted.range.is_empty() {
            return Ok(if wanted.element == Element::Real {
                Values::Real(Vec::new())
            } else {
                Values::U32(Vec::new())
            });
        }
        let reading = self.begin_read(&[wanted])?;
        let mut values = self.end_read(reading)?;
        self.under_way.clear();
        values.pop().ok_or_else(|| Error::usage("nothing was to be read"))
    }

    fn upload(&mut self, spec: &BufferSpec, first: usize, bytes: &[u8]) -> Result<()> {
        self.ensure(spec, true)?;
        self.counters.bytes_in += bytes.len() as u64;
        if let Some(memory) = self.memory.get(&spec.name) {
            self.gpu.inner.queue.write_buffer(&memory.buffer, 4 * first as u64, bytes);
        }
        self.gpu.inner.check()
    }
}

impl Executor for GpuExecutor {
    fn limits(&self) -> Limits {
        self.gpu.limits()
    }

    fn prepare(&mut self, plan: &Arc<Plan>) -> Result<()> {
        self.compile(plan)
    }

    fn set_scalars(&mut self, scalars: &[StepScalars]) -> Result<()> {
        if scalars.len() > MAX_SCALARS {
            return Err(Error::usage(format!("at most {MAX_SCALARS} training steps' scalars at once")));
        }
        let mut bytes = vec![0u8; scalars.len() * UNIFORM_SLOT as usize];
        for (slot, scalars) in bytes.chunks_mut(UNIFORM_SLOT as usize).zip(scalars) {
            let block = crate::kernels::ScalarBlock::from(scalars);
            slot[..size_of_val(&block)].copy_from_slice(bytemuck::bytes_of(&block));
        }
        self.counters.bytes_in += bytes.len() as u64;
        self.scalars_set = scalars.len();
        self.gpu.inner.queue.write_buffer(&self.scalars, 0, &bytes);
        self.gpu.inner.check()
    }

    fn run(&mut self, plan: &Arc<Plan>, range: Range<usize>) -> Result<()> {
        check_scalars(&range, self.scalars_set)?;
        self.compile(plan)?;
        self.run_steps(0..plan.steps().len(), range)
    }

    fn run_step(&mut self, plan: &Arc<Plan>, step: usize, at: usize) -> Result<()> {
        check_scalars(&(at..at + 1), self.scalars_set)?;
        check_step(plan, step)?;
        self.compile(plan)?;
        self.run_steps(step..step + 1, at..at + 1)
    }

    fn run_timed(&mut self, plan: &Arc<Plan>, at: usize) -> Result<Vec<(f64, f64)>> {
        check_scalars(&(at..at + 1), self.scalars_set)?;
        self.compile(plan)?;
        self.time_steps(plan.steps().len(), at)
    }

    fn write_part(&mut self, spec: &BufferSpec, first: usize, values: &[f32]) -> Result<()> {
        check_part(spec, first, values.len())?;
        self.upload(spec, first, bytemuck::cast_slice(values))
    }

    fn write_u32(&mut self, spec: &BufferSpec, values: &[u32]) -> Result<()> {
        check_content(spec, Element::U32, values.len())?;
        self.upload(spec, 0, bytemuck::cast_slice(values))
    }

    fn release(&mut self, name: &str) {
        if self.memory.remove(name).is_some() {
            self.compiled.retain(|compiled| !compiled.names.iter().any(|of_plan| of_plan == name));
        }
    }

    fn sizes(&self) -> Vec<(&str, usize)> {
        self.memory.iter().map(|(name, memory)| (name.as_str(), memory.buffer.size() as usize)).collect()
    }

    fn read(&mut self, name: &str, range: Range<usize>) -> Result<Vec<f64>> {
        self.read_one(ReadPart { name, range, element: Element::Real })?.real()
    }

    fn read_u32(&mut self, name: &str, range: Range<usize>) -> Result<Vec<u32>> {
        self.read_one(ReadPart { name, range, element: Element::U32 })?.u32()
    }

    fn begin_read(&mut self, wanted: &[ReadPart<'_>]) -> Result<Reading> {
        let source = |wanted: &ReadPart<'_>| match self.memory.get(wanted.name) {
            Some(memory) if wanted.range.end <= memory.len => Ok(memory.buffer.clone()),
            _ => Err(missing(wanted.name, wanted.range.clone())),
        };
        let sources: Vec<wgpu::Buffer> = wanted.iter().map(source).collect::<Result<_>>()?;
        let wanted: Vec<(&wgpu::Buffer, &ReadPart<'_>)> = sources.iter().zip(wanted).collect();
        let copy = self.read_back.begin(&self.gpu, &wanted, &mut self.counters)?;
        Ok(Reading(Progress::OnDevice(copy)))
    }

    fn end_read(&mut self, reading: Reading) -> Result<Vec<Values>> {
        match reading.0 {
            Progress::Done(values) => Ok(values),
            Progress::OnDevice(copy) => self.read_back.end(&self.gpu, copy, &mut self.counters),
        }
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn choices(&self) -> Option<Choices> {
        Some(self.choices.clone())
    }

    fn set_choices(&mut self, choices: Choices) {
        if choices.same_adapter(&self.choices) {
            self.choices = choices;
            self.compiled.clear();
        }
    }
}
