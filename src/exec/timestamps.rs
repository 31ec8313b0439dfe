//! When steps begin and end on a GPU: timestamp queries, a pass for each step.

use std::sync::mpsc::channel;

use super::gpu::GpuExecutor;
use crate::error::{Error, Result};

/// Steps of one query set: half of WebGPU's largest.
const STEPS: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

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

    fn time_some(&mut self, steps: std::ops::Range<usize>, at: usize) -> Result<Vec<u64>> {
        let inner = self.gpu.inner.clone();
        let Some(compiled) = self.compiled.back() else { return Ok(Vec::new()) };
        let count = 2 * steps.len() as u32;
        let bytes = 8 * count as u64;
        let (queries, [resolved, staging]) = inner.scoped("timestamps", || {
            let descriptor =
                wgpu::QuerySetDescriptor { label: Some("timestamps"), ty: wgpu::QueryType::Timestamp, count };
            let buffer = |usage| {
                let descriptor =
                    wgpu::BufferDescriptor { label: Some("timestamps"), size: bytes, usage, mapped_at_creation: false };
                inner.device.create_buffer(&descriptor)
            };
            let resolve = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            let read = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            (inner.device.create_query_set(&descriptor), [resolve, read].map(buffer))
        })?;
        let mut encoder = inner.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("timed") });
        for (query, step) in (0u32..).step_by(2).zip(steps.clone()) {
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(query),
                end_of_pass_write_index: Some(query + 1),
            };
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: Some(writes) };
            compiled.encode(&mut encoder.begin_compute_pass(&descriptor), step..step + 1, at);
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, Some(bytes));
        self.counters.submissions += 1;
        inner.queue.submit([encoder.finish()]);
        let (sender, receiver) = channel();
        staging.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            // The receiver is gone only if waiting has already failed.
            let _ = sender.send(result);
        });
        inner.wait(None)?;
        let failed = |e: String| Error::Device(format!("reading timestamps of `{}`: {e}", inner.info.name));
        receiver.try_recv().map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        let view = staging.get_mapped_range(0..bytes).map_err(|e| failed(e.to_string()))?;
        Ok(view.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default())).collect())
    }
}
