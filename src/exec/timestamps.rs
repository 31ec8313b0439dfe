//! When steps begin and end on a GPU: timestamp queries, a pass for each step.

use std::ops::Range;

use super::gpu::{Compiled, GpuExecutor};
use super::reading::{ReadPart, Values};
use super::submissions::parts;
use crate::error::{Error, Result};
use crate::kernels::Element;

/// Steps of one query set: half of WebGPU's largest.
const STEPS: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl Compiled {
    /// Encodes those of these dispatches that are of `steps`. A long step's may be cut over several submissions: its first pass tells
    /// when it begins, its last when it ends.
    fn encode_timed(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        query_set: &wgpu::QuerySet,
        steps: &Range<usize>,
        dispatches: Range<usize>,
        at: usize,
    ) {
        for (query, step) in (0u32..).step_by(2).zip(steps.clone()) {
            let whole = self.of(step..step + 1);
            let here = whole.start.max(dispatches.start)..whole.end.min(dispatches.end);
            if here.is_empty() {
                continue;
            }
            let (begins, ends) = (here.start == whole.start, here.end == whole.end);
            let writes = wgpu::ComputePassTimestampWrites {
                query_set,
                beginning_of_pass_write_index: begins.then_some(query),
                end_of_pass_write_index: ends.then_some(query + 1),
            };
            let timestamp_writes = (begins || ends).then_some(writes);
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            self.encode(&mut encoder.begin_compute_pass(&descriptor), here, at);
        }
    }
}

impl GpuExecutor {
    /// Runs the steps of the last compiled plan with scalars `at`, and gives the beginning and the end of each in seconds.
    pub(super) fn time_steps(&mut self, steps: usize, at: usize) -> Result<Vec<(f64, f64)>> {
        let inner = self.gpu.inner.clone();
        if !inner.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(Error::Device(format!("`{}` has no timestamps to measure kernels with", inner.info.name)));
        }
        let mut ticks = Vec::with_capacity(2 * steps);
        for first in (0..steps).step_by(STEPS) {
            ticks.extend(self.time_some(first..steps.min(first + STEPS), at)?);
        }
        let seconds = |tick: u64| tick as f64 * inner.queue.get_timestamp_period() as f64 * 1e-9;
        Ok(ticks.chunks_exact(2).map(|pair| (seconds(pair[0]), seconds(pair[1]))).collect())
    }

    fn time_some(&mut self, steps: Range<usize>, at: usize) -> Result<Vec<u64>> {
        let inner = self.gpu.inner.clone();
        let Some(compiled) = self.compiled.back() else { return Ok(Vec::new()) };
        let count = 2 * steps.len() as u32;
        let (queries, resolved) = inner.scoped("timestamps", || {
            let label = Some("timestamps");
            let queries = wgpu::QuerySetDescriptor { label, ty: wgpu::QueryType::Timestamp, count };
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            let buffer = wgpu::BufferDescriptor { label, size: 8 * count as u64, usage, mapped_at_creation: false };
            (inner.device.create_query_set(&queries), inner.device.create_buffer(&buffer))
        })?;
        let encoder = || inner.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("timed") });
        let all = compiled.of(steps.clone());
        for part in parts(&compiled.shares[all.clone()]) {
            let part = all.start + part.start..all.start + part.end;
            let mut timed = encoder();
            compiled.encode_timed(&mut timed, &queries, &steps, part, at);
            self.counters.submissions += 1;
            inner.queue.submit([timed.finish()]);
        }
        let mut resolving = encoder();
        resolving.resolve_query_set(&queries, 0..count, &resolved, 0);
        self.counters.submissions += 1;
        inner.queue.submit([resolving.finish()]);
        let part = ReadPart { name: "timestamps", range: 0..2 * count as usize, element: Element::U32 };
        let copy = self.read_back.begin(&self.gpu, &[(&resolved, &part)], &mut self.counters)?;
        let words = self.read_back.end(&self.gpu, copy, &mut self.counters)?.into_iter().map(Values::u32);
        let words: Vec<u32> = words.collect::<Result<Vec<_>>>()?.concat();
        Ok(words.chunks_exact(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32).collect())
    }
}
