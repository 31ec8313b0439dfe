//! What a GPU's buffers hold, copied in the order of the queue into memory that the host can see.

use std::ops::Range;
use std::sync::mpsc::{Receiver, channel};

use super::Counters;
use super::device::Gpu;
use super::reading::{ReadPart, Values};
use crate::error::{Error, Result};
use crate::kernels::Element;

/// The least bytes of memory that the host can see: what training reads fits.
const LEAST: u64 = 1 << 16;
/// Such memories that are kept.
const MOST: usize = 4;

/// A copy that the device has been told to make.
#[derive(Debug)]
pub(super) struct OnDevice {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    mapped: Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
    /// What lies where in it, in bytes.
    parts: Vec<(Element, Range<u64>)>,
    /// The name of what was read first.
    name: String,
}

/// Memory that the host can see, for reading again and again.
#[derive(Default)]
pub(super) struct ReadBack {
    free: Vec<wgpu::Buffer>,
}

impl ReadBack {
    /// Tells the device to copy parts of buffers, after all that it was told before.
    pub fn begin(
        &mut self,
        gpu: &Gpu,
        wanted: &[(&wgpu::Buffer, &ReadPart<'_>)],
        counters: &mut Counters,
    ) -> Result<OnDevice> {
        let bytes = wanted.iter().map(|(_, wanted)| 4 * wanted.range.len() as u64).sum();
        let staging = self.staging(gpu, bytes, counters)?;
        let (device, queue) = (&gpu.inner.device, &gpu.inner.queue);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("read_back") });
        let (mut at, mut parts) = (0, Vec::with_capacity(wanted.len()));
        for (source, ReadPart { range, element, .. }) in wanted {
            let bytes = 4 * range.len() as u64;
            if bytes > 0 {
                encoder.copy_buffer_to_buffer(source, 4 * range.start as u64, &staging, at, Some(bytes));
            }
            parts.push((*element, at..at + bytes));
            at += bytes;
        }
        let submission = queue.submit([encoder.finish()]);
        let (sender, mapped) = channel();
        staging.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            // The receiver is gone only if the read was given up.
            let _ = sender.send(result);
        });
        let name = wanted.first().map_or(String::new(), |(_, wanted)| wanted.name.to_owned());
        Ok(OnDevice { staging, submission, mapped, parts, name })
    }

    /// Waits for such a copy, but for nothing that the device was told later.
    pub fn end(&mut self, gpu: &Gpu, copy: OnDevice, counters: &mut Counters) -> Result<Vec<Values>> {
        let OnDevice { staging, submission, mapped, parts, name } = copy;
        gpu.inner.wait(Some(submission))?;
        let failed = |e: String| Error::Device(format!("reading `{name}` back from `{}`: {e}", gpu.inner.info.name));
        mapped.try_recv().map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        let all = 0..parts.last().map_or(0, |(_, range)| range.end);
        let view = staging.get_mapped_range(all.clone()).map_err(|e| failed(e.to_string()))?;
        let values = parts.into_iter().map(|(element, range)| {
            let words = view[range.start as usize..range.end as usize].chunks_exact(4);
            let words = words.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            match element {
                Element::Real => Values::Real(words.map(|bits| f32::from_bits(bits).into()).collect()),
                Element::U32 => Values::U32(words.collect()),
            }
        });
        let values = values.collect();
        drop(view);
        staging.unmap();
        counters.bytes_out += all.end;
        self.free.push(staging);
        if self.free.len() > MOST {
            self.free.remove(0);
        }
        Ok(values)
    }

    fn staging(&mut self, gpu: &Gpu, bytes: u64, counters: &mut Counters) -> Result<wgpu::Buffer> {
        if let Some(found) = self.free.iter().position(|staging| staging.size() >= bytes) {
            return Ok(self.free.swap_remove(found));
        }
        let size = bytes.next_power_of_two().max(LEAST).min(gpu.inner.limits.max_buffer_size);
        let mut create = || {
            counters.allocations += 1;
            gpu.inner.scoped("read-back buffer", || {
                gpu.inner.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("read_back"),
                    size,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            })
        };
        if size == LEAST {
            // One to copy into while another is read.
            let another = create()?;
            self.free.push(another);
        }
        create()
    }
}
