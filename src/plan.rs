//! A plan: buffers and steps as plain data, recorded once and run many times by either executor.
//!
//! A [`Slot`] is a range of a buffer. [`Plan::push`] checks each step: ranges in bounds and aligned, written ranges apart from
//! every other, no buffer read and written in one step (wgpu refuses that even for disjoint ranges), grid within the limits.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::kernels::{Access, BLOCK_ROWS, Element, KernelInfo, Options, Precision};
use crate::memory_plan::MemoryPlan;

/// Elements (of four bytes) that the start of a binding is a multiple of: WebGPU's 256 bytes.
pub const ALIGNMENT: usize = 64;

/// What a buffer is for; this decides how long it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trainable weights, the optimiser's moments, moving statistics, data sets, logs: kept as long as the executor.
    Persistent,
    /// Kept between those steps of one run that bind it; its memory serves other buffers at other steps, and other plans.
    Activation,
}

/// A buffer of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct BufferSpec {
    /// Unique in the plan; the key in the executor of what outlives it.
    pub name: String,
    /// Its shape in elements; its size is the product.
    pub shape: Vec<usize>,
    /// How long it lives.
    pub role: Role,
    /// What it holds.
    pub element: Element,
}

impl BufferSpec {
    /// A buffer of real numbers that outlives the plan.
    pub fn persistent(name: impl Into<String>, shape: &[usize]) -> Self {
        BufferSpec { name: name.into(), shape: shape.to_vec(), role: Role::Persistent, element: Element::Real }
    }

    /// The same holding unsigned integers.
    pub fn u32(self) -> Self {
        BufferSpec { element: Element::U32, ..self }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True for a buffer without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A range of elements of one of the plan's buffers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Index into [`Plan::buffers`].
    pub buffer: usize,
    /// First element.
    pub offset: usize,
    /// Elements.
    pub len: usize,
}

impl Slot {
    /// Elements `range` of this slot.
    pub fn range(&self, range: Range<usize>) -> Slot {
        Slot { buffer: self.buffer, offset: self.offset + range.start, len: range.len() }
    }

    /// Rows `rows` of this slot, seen as a matrix `width` wide.
    pub fn rows(&self, rows: Range<usize>, width: usize) -> Slot {
        self.range(rows.start * width..rows.end * width)
    }

    /// This slot grown downwards to where a binding may begin, and how far its first element lies behind that.
    pub fn aligned(&self) -> (Slot, u32) {
        let at = self.offset % ALIGNMENT;
        (Slot { buffer: self.buffer, offset: self.offset - at, len: self.len + at }, at as u32)
    }

    fn end(&self) -> usize {
        self.offset + self.len
    }

    pub(crate) fn overlaps(&self, other: &Slot) -> bool {
        self.buffer == other.buffer && self.offset < other.end() && other.offset < self.end()
    }
}

/// One run of a kernel.
#[derive(Clone, Debug)]
pub struct Step {
    /// The kernel.
    pub kernel: &'static KernelInfo,
    /// Where it comes from, as `lstm/step`: layer and kernel.
    pub label: String,
    /// The uniform block.
    pub params: Vec<u8>,
    /// Override constants.
    pub options: Options,
    /// One slot for each binding.
    pub slots: Vec<Slot>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
}

impl Step {
    /// Bytes that its slots show.
    pub fn bytes(&self) -> u64 {
        self.slots.iter().map(|slot| 4 * slot.len as u64).sum()
    }

    /// Multiplications and additions of its matrix products.
    pub fn flops(&self) -> f64 {
        (self.kernel.flops)(&self.params, &self.options)
    }
}

/// What plans for a device keep to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes that one binding may show.
    pub max_binding: usize,
    /// Most bytes of one buffer.
    pub max_buffer: usize,
    /// Most times that one thread may go through the loops of a kernel, all together.
    pub max_loops: usize,
    /// In what precision matrix products take their operands.
    pub precision: Precision,
}

impl Limits {
    /// No bound but the 32 bits of an index: the CPU's.
    pub const NONE: Limits = Limits {
        max_binding: u32::MAX as usize,
        max_buffer: usize::MAX,
        max_loops: u32::MAX as usize,
        precision: Precision::F32,
    };

    /// [`Limits::max_loops`] of software drivers: Mesa's leave a thread's loops after 65,535 rounds, without a word (22.3:
    /// `LP_MAX_TGSI_LOOP_ITERATIONS` in lp_bld_limits.h).
    pub const SOFTWARE_LOOPS: usize = 65_535;
}

/// Buffers and steps, in the order in which they run.
#[derive(Clone, Debug)]
pub struct Plan {
    id: u64,
    limits: Limits,
    scope: String,
    buffers: Vec<BufferSpec>,
    steps: Vec<Step>,
    memory: MemoryPlan,
    fault: Option<String>,
}

impl Plan {
    /// An empty plan for a device with these limits.
    pub fn new(limits: Limits) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (buffers, steps, memory) = (Vec::new(), Vec::new(), MemoryPlan::default());
        Plan { id, limits, scope: String::new(), buffers, steps, memory, fault: None }
    }

    /// A number that no other plan of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The buffers; a slot's `buffer` is an index into them.
    pub fn buffers(&self) -> &[BufferSpec] {
        &self.buffers
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where the buffers lie, once the plan is finished.
    pub fn memory(&self) -> &MemoryPlan {
        &self.memory
    }

    /// What a buffer lies in, at its beginning: what executors know by name.
    pub fn place(&self, buffer: usize) -> &BufferSpec {
        &self.memory.places[self.memory.place_of[buffer]]
    }

    /// Bytes that the plan takes on a device.
    pub fn bytes(&self) -> usize {
        self.memory.kept + self.memory.shared
    }

    /// Most bytes that one binding may show.
    pub fn max_binding(&self) -> usize {
        self.limits.max_binding
    }

    /// Elements that one binding may show.
    pub fn binding_elements(&self) -> usize {
        self.limits.max_binding / 4
    }

    /// Names what is recorded from here on, usually a layer.
    pub fn set_scope(&mut self, scope: &str) {
        self.scope = scope.to_owned();
    }

    /// The slot of a whole buffer that outlives the plan, declared on first use.
    pub fn persistent(&mut self, spec: &BufferSpec) -> Slot {
        let Some(buffer) = self.buffers.iter().position(|b| b.name == spec.name) else {
            return self.add(spec.clone());
        };
        let known = &self.buffers[buffer];
        let len = known.len();
        if len != spec.len() || known.element != spec.element {
            let (a, b) = ((&known.shape, known.element), (&spec.shape, spec.element));
            self.fail(format!(
                "the buffer `{}` is declared twice: {:?} {:?} and {:?} {:?}",
                spec.name, a.0, a.1, b.0, b.1
            ));
        }
        Slot { buffer, offset: 0, len }
    }

    /// A new buffer that lives for one run, named after the scope.
    pub fn scratch(&mut self, name: &str, shape: &[usize]) -> Slot {
        self.activation(name, shape, Element::Real)
    }

    /// So many of them, alike: in one buffer where one binding can show them all, each where a binding may begin.
    pub fn scratch_each(&mut self, name: &str, shape: &[usize], count: usize) -> Vec<Slot> {
        let len: usize = shape.iter().product();
        let room = len.next_multiple_of(ALIGNMENT);
        if count < 2 || 4 * count * room > self.limits.max_binding {
            return (0..count).map(|_| self.scratch(name, shape)).collect();
        }
        let whole = match room == len {
            true => self.scratch(name, &[&[count], shape].concat()),
            false => self.scratch(name, &[count, room]),
        };
        (0..count).map(|i| whole.range(i * room..i * room + len)).collect()
    }

    /// The same holding unsigned integers.
    pub fn scratch_u32(&mut self, name: &str, shape: &[usize]) -> Slot {
        self.activation(name, shape, Element::U32)
    }

    fn activation(&mut self, name: &str, shape: &[usize], element: Element) -> Slot {
        let base = if self.scope.is_empty() { name.to_owned() } else { format!("{}/{name}", self.scope) };
        let taken = |name: &str| self.buffers.iter().any(|b| b.name == name);
        let name = (0..)
            .map(|i| if i == 0 { base.clone() } else { format!("{base}_{i}") })
            .find(|name| !taken(name))
            .unwrap_or(base.clone());
        self.add(BufferSpec { name, shape: shape.to_vec(), role: Role::Activation, element })
    }

    /// Something to bind where a kernel's input is switched off by its options.
    pub fn nothing(&mut self) -> Slot {
        self.persistent(&Self::shared("nothing"))
    }

    /// The same for an input of integers.
    pub fn nothing_u32(&mut self) -> Slot {
        let spec = Self::shared("no_integers").u32();
        self.persistent(&spec)
    }

    /// Something to bind where a kernel's output is switched off by its options.
    pub fn unused(&mut self) -> Slot {
        self.persistent(&Self::shared("unused"))
    }

    /// The same for a second output of one kernel: what is written may be bound only once.
    pub fn unused_too(&mut self) -> Slot {
        self.persistent(&Self::shared("unused_too"))
    }

    /// Whether a name is that of an output that is switched off.
    pub(crate) fn is_unused(name: &str) -> bool {
        name == "unused" || name == "unused_too"
    }

    fn shared(name: &str) -> BufferSpec {
        BufferSpec::persistent(name, &[ALIGNMENT])
    }

    fn add(&mut self, spec: BufferSpec) -> Slot {
        let len = spec.len();
        if len.saturating_mul(4) > self.limits.max_buffer {
            self.fail(format!(
                "the buffer `{}` {:?} needs {} MiB, but this device allows {} MiB in one buffer: use a smaller batch, fewer units or a shorter window",
                spec.name,
                spec.shape,
                len.saturating_mul(4) >> 20,
                self.limits.max_buffer >> 20
            ));
        }
        self.buffers.push(spec);
        Slot { buffer: self.buffers.len() - 1, offset: 0, len }
    }

    /// What to bind so that `range` of a slot is seen, and where the range begins in it: the whole slot where one binding may
    /// show it (so that many steps share one bind group), else the least that covers the range.
    pub fn window(&self, slot: &Slot, range: Range<usize>) -> (Slot, u32) {
        let (whole, at) = slot.aligned();
        if whole.len * 4 <= self.limits.max_binding {
            (whole, at + range.start as u32)
        } else {
            slot.range(range).aligned()
        }
    }

    /// What to bind so that both of two slots of one buffer are seen, and where each begins in it; nothing where the second does not lie
    /// behind the first, or where no binding can show both.
    pub fn window_of_both(&self, first: &Slot, second: &Slot) -> Option<(Slot, [u32; 2])> {
        if first.buffer != second.buffer || second.offset < first.end() {
            return None;
        }
        let (whole, at) = Slot { len: second.end() - first.offset, ..first.clone() }.aligned();
        let fits = whole.len * 4 <= self.limits.max_binding;
        fits.then(|| (whole, [at, at + (second.offset - first.offset) as u32]))
    }

    /// In what precision matrix products take their operands.
    pub fn precision(&self) -> Precision {
        self.limits.precision
    }

    /// Most times that one thread may go through a kernel's loops.
    pub fn max_loops(&self) -> usize {
        self.limits.max_loops
    }

    /// Most rows that one thread may go through, three times over and in runs.
    fn most_rows(&self) -> usize {
        // 2^20 rows a run keep a kernel with 32 rows a workgroup within a grid's 65,535.
        (self.limits.max_loops / 4).min(1 << 20)
    }

    /// Whether a kernel can go through so many rows of a slot in one run.
    pub fn holds_rows(&self, rows: usize, slot: &Slot) -> bool {
        rows <= self.most_rows() && 4 * slot.aligned().0.len <= self.limits.max_binding
    }

    /// Cuts `rows` so that each part of every matrix of these widths fits one binding, and a thread can go through its rows. Parts
    /// begin at multiples of [`BLOCK_ROWS`], so at offsets that a binding may have.
    pub fn row_chunks(&self, rows: usize, widths: &[usize]) -> Vec<Range<usize>> {
        let widest = widths.iter().copied().max().unwrap_or(1);
        self.blocks_of_rows(rows, widest, self.most_rows())
    }

    /// The same where no thread goes through rows.
    pub fn bindable_rows(&self, rows: usize, width: usize) -> Vec<Range<usize>> {
        self.blocks_of_rows(rows, width, usize::MAX)
    }

    fn blocks_of_rows(&self, rows: usize, width: usize, most: usize) -> Vec<Range<usize>> {
        let block = BLOCK_ROWS as usize;
        let fitting = (self.limits.max_binding / 4).saturating_sub(ALIGNMENT) / width.max(1);
        let chunk = (fitting.min(most) / block).max(1) * block;
        (0..rows).step_by(chunk).map(|first| first..rows.min(first + chunk)).collect()
    }

    /// Cuts `steps` of a tensor that has `len` elements each so that each part fits one binding, wherever it begins, and `beside`
    /// steps more with it.
    pub fn step_chunks(&self, steps: usize, len: usize, beside: usize) -> Vec<Range<usize>> {
        let fitting = (self.limits.max_binding / 4).saturating_sub(ALIGNMENT) / len.max(1);
        let chunk = fitting.saturating_sub(beside).max(1);
        (0..steps).step_by(chunk).map(|first| first..steps.min(first + chunk)).collect()
    }

    /// Appends a step. A step that breaks a rule makes [`Plan::finish`] fail.
    pub fn push(
        &mut self,
        kernel: &'static KernelInfo,
        params: &[u8],
        options: Options,
        slots: &[&Slot],
        grid: [u32; 3],
    ) {
        let label = if self.scope.is_empty() { kernel.name.into() } else { format!("{}/{}", self.scope, kernel.name) };
        let slots: Vec<Slot> = slots.iter().map(|&s| s.clone()).collect();
        if let Err(message) = self.check(kernel, params, &slots, grid) {
            self.fail(format!("step {} `{label}`: {message}", self.steps.len()));
        }
        self.steps.push(Step { kernel, label, params: params.to_vec(), options, slots, grid });
    }

    fn check(&self, kernel: &KernelInfo, params: &[u8], slots: &[Slot], grid: [u32; 3]) -> Result<(), String> {
        if params.len() != kernel.size || slots.len() != kernel.bindings.len() {
            return Err("parameters or slots do not match the kernel's".into());
        }
        if grid.iter().any(|&g| g == 0 || g > 65_535) {
            return Err(format!(
                "a grid of {grid:?} workgroups; each must be between 1 and 65,535: use a smaller batch or fewer units"
            ));
        }
        for (i, (slot, binding)) in slots.iter().zip(kernel.bindings).enumerate() {
            let buffer = self.buffers.get(slot.buffer).ok_or("unknown buffer")?;
            if slot.end() > buffer.len()
                || slot.len == 0
                || slot.offset % ALIGNMENT != 0
                || buffer.element != binding.element
            {
                return Err(format!("`{}` bound to {slot:?} of `{}` {:?}", binding.name, buffer.name, buffer.shape));
            }
            if slot.len * 4 > self.limits.max_binding {
                return Err(format!(
                    "`{}` needs {} MiB of `{}`, but this device shows a kernel at most {} MiB: use a smaller batch or fewer units",
                    binding.name,
                    slot.len >> 18,
                    buffer.name,
                    self.limits.max_binding >> 20
                ));
            }
            for (other, other_binding) in slots.iter().zip(kernel.bindings).take(i) {
                let one_writes = binding.access != Access::Read || other_binding.access != Access::Read;
                let one_reads = binding.access == Access::Read || other_binding.access == Access::Read;
                let mixed = slot.buffer == other.buffer && one_writes && one_reads;
                if mixed || (one_writes && slot.overlaps(other)) {
                    return Err(format!("`{}` and `{}` share `{}`", binding.name, other_binding.name, buffer.name));
                }
            }
        }
        Ok(())
    }

    /// Remembers the first thing that is wrong.
    pub fn fail(&mut self, message: String) {
        self.fault.get_or_insert(message);
    }

    /// The plan, or the first thing that went wrong while recording it.
    pub fn finish(self) -> Result<Plan> {
        self.finish_keeping(&[])
    }

    /// The same where these scratch buffers are read when the plan has run.
    pub fn finish_keeping(mut self, read_later: &[usize]) -> Result<Plan> {
        if let Some(message) = self.fault {
            return Err(Error::Usage(message));
        }
        self.memory = MemoryPlan::new(&self.buffers, &self.steps, read_later);
        Ok(self)
    }

    /// A slot in words: buffer and range.
    pub fn describe(&self, slot: &Slot) -> String {
        let buffer = &self.buffers[slot.buffer];
        let whole = slot.offset == 0 && slot.len == buffer.len();
        if whole { buffer.name.clone() } else { format!("{}[{}..{}]", buffer.name, slot.offset, slot.end()) }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<40} {:<20} {:>12}  lies in", "buffer", "shape", "bytes")?;
        for (number, b) in self.buffers.iter().enumerate() {
            let place = if b.role == Role::Persistent { "memory of its own" } else { &self.place(number).name };
            writeln!(f, "{:<40} {:<20} {:>12}  {place}", b.name, format!("{:?}", b.shape), 4 * b.len())?;
        }
        let MemoryPlan { kept, shared, unshared, least, fullest, .. } = self.memory;
        writeln!(
            f,
            "{} buffers, {} bytes: {kept} outlive the plan, {shared} are shared",
            self.buffers.len(),
            self.bytes()
        )?;
        writeln!(
            f,
            "shared memory: {least} bytes are needed at once in step {fullest}, {unshared} would be without sharing\n"
        )?;
        for (i, step) in self.steps.iter().enumerate() {
            let bound = |written: bool| {
                let named = step.slots.iter().zip(step.kernel.bindings);
                let chosen = named.filter(|(_, b)| (b.access != Access::Read) == written);
                chosen.map(|(s, b)| format!("{}={}", b.name, self.describe(s))).collect::<Vec<_>>().join(", ")
            };
            let options: String = step.options.0.iter().map(|(n, v)| format!(" {n}={v}")).collect();
            writeln!(f, "{i:>5} {:<40} {:?}{options}  {} -> {}", step.label, step.grid, bound(false), bound(true))?;
        }
        Ok(())
    }
}
