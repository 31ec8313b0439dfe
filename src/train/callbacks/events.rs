//! TensorBoard's event files: TFRecord, of protocol buffers.
//!
//! A record is the length of its data (u64), the masked CRC-32C of these 8 bytes (u32), the data, and its masked CRC-32C, all little
//! endian. The data is an `Event` (tensorflow/core/util/event.proto), of which only what a scalar needs is written here.

use std::fs::{File, OpenOptions, create_dir_all, remove_file};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The names of event files begin so, which TensorBoard looks for; then come the seconds since 1970.
const BEFORE: &str = "events.out.tfevents.";
/// Where others name the machine.
const MAKER: &str = ".gatenorm.";

/// An event file under way.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    /// Bytes of it.
    written: u64,
}

/// How much of an event file was written at a moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    /// Its name in its folder.
    name: String,
    bytes: u64,
}

impl EventFile {
    /// Makes a new event file in a folder, and the folder.
    pub fn create(folder: &Path) -> Result<EventFile> {
        create_dir_all(folder).map_err(|e| Error::io(folder, "make the folder", e))?;
        let (now, process) = (since_1970(), std::process::id());
        // A file of its own even where several are begun in a second.
        let path = |i: u32| folder.join(format!("{BEFORE}{}{MAKER}{process}.{i}.v2", now.as_secs()));
        let path = (0..).map(path).find(|path| !path.exists()).unwrap_or_else(|| path(0));
        let file = File::create_new(&path).map_err(|e| Error::io(&path, "write", e))?;
        let mut events = EventFile { path, file, written: 0 };
        events.write(|event| event.bytes(3, b"brain.Event:2"))?;
        Ok(events)
    }

    /// Adds named scalars of one step.
    pub fn scalars<'a>(&mut self, step: u64, scalars: impl Iterator<Item = (&'a str, f64)>) -> Result<()> {
        let mut summary = Message::default();
        scalars.for_each(|(tag, value)| summary.bytes(1, &scalar(tag, value as f32).0));
        self.write(|event| {
            event.varint(2, step);
            event.bytes(5, &summary.0);
        })
    }

    fn write(&mut self, fill: impl FnOnce(&mut Message)) -> Result<()> {
        let mut event = Message::default();
        event.fixed64(1, since_1970().as_secs_f64().to_bits());
        fill(&mut event);
        let record = record(&event.0);
        self.written += record.len() as u64;
        self.file.write_all(&record).map_err(|e| Error::io(&self.path, "write", e))
    }

    /// What is written of it so far.
    pub fn part(&self) -> Part {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Part { name, bytes: self.written }
    }
}

/// Takes out of a folder what a training wrote behind these parts of its files: it goes on from there. Its own files are those of this library
/// that were made `since`, in seconds since 1970, or later.
///
/// The format's own way, a `SessionLog` that says START, makes TensorBoard forget everything of the folder from a step on, whatever its name; but
/// scores by epoch and by batch stand side by side and count steps of their own.
pub(super) fn cut_back(folder: &Path, parts: &[Part], since: u64) -> Result<()> {
    let Ok(files) = folder.read_dir() else { return Ok(()) };
    for path in files.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if made_at(&name).is_none_or(|made| made < since) {
            continue;
        }
        match parts.iter().find(|part| part.name == name) {
            Some(part) => shorten(&path, part.bytes).map_err(|e| Error::io(&path, "write", e))?,
            None => remove_file(&path).map_err(|e| Error::io(&path, "remove", e))?,
        }
    }
    Ok(())
}

/// When the first of these was made, in seconds since 1970.
pub(super) fn first_made(parts: &[Part]) -> Option<u64> {
    parts.iter().filter_map(|part| made_at(&part.name)).min()
}

/// When a file of this library was made; none for others.
fn made_at(name: &str) -> Option<u64> {
    let (seconds, rest) = name.strip_prefix(BEFORE)?.split_once('.')?;
    seconds.parse().ok().filter(|_| rest.starts_with(&MAKER[1..]))
}

fn shorten(path: &Path, bytes: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    // What a crash of the system took is not made up for.
    file.set_len(file.metadata()?.len().min(bytes))
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A `Summary.Value` as TensorFlow 2 writes scalars: a tensor of no dimensions, for the plugin `scalars`.
fn scalar(tag: &str, value: f32) -> Message {
    const DT_FLOAT: u64 = 1;
    const DATA_CLASS_SCALAR: u64 = 1;
    let mut tensor = Message::default();
    tensor.varint(1, DT_FLOAT);
    tensor.bytes(2, &[]);
    tensor.bytes(5, &value.to_le_bytes());
    let mut plugin = Message::default();
    plugin.bytes(1, b"scalars");
    let mut metadata = Message::default();
    metadata.bytes(1, &plugin.0);
    metadata.varint(4, DATA_CLASS_SCALAR);
    let mut out = Message::default();
    out.bytes(1, tag.as_bytes());
    out.bytes(8, &tensor.0);
    out.bytes(9, &metadata.0);
    out
}

/// A protocol buffer under way: each field is its number and wire type, then its value.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u64, value: u64) {
        self.number(field << 3);
        self.number(value);
    }

    fn fixed64(&mut self, field: u64, bits: u64) {
        self.number(field << 3 | 1);
        self.0.extend(bits.to_le_bytes());
    }

    /// Strings, messages and packed numbers.
    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.number(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked_crc(&length).to_le_bytes()[..], data, &masked_crc(data).to_le_bytes()].concat()
}

/// A CRC of data that holds CRCs would be weak, so TFRecord turns and shifts it.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: event files are small.
fn crc32c(data: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| bit(crc)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_rfc_3720() {
        let ascending: Vec<u8> = (0..32).collect();
        for (data, crc) in [
            (&[0u8; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(crc32c(data), crc);
        }
    }

    /// A field of a protocol buffer: its number, and its value or its bytes.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Field {
        Number(u64, u64),
        Bytes(u64, Vec<u8>),
    }

    /// The fields of a protocol buffer.
    pub fn fields(mut data: &[u8]) -> Vec<Field> {
        fn number(data: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = data[0];
                *data = &data[1..];
                value |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        }
        let mut found = Vec::new();
        while !data.is_empty() {
            let tag = number(&mut data);
            found.push(match tag & 7 {
                0 => Field::Number(tag >> 3, number(&mut data)),
                1 => {
                    let (bits, rest) = data.split_at(8);
                    data = rest;
                    Field::Number(tag >> 3, u64::from_le_bytes(bits.try_into().unwrap()))
                }
                2 => {
                    let len = number(&mut data) as usize;
                    let (bytes, rest) = data.split_at(len);
                    data = rest;
                    Field::Bytes(tag >> 3, bytes.to_vec())
                }
                other => panic!("wire type {other}"),
            });
        }
        found
    }

    /// The data of each record; its CRCs must be right, by a computation of another kind.
    pub fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        // Polynomial division of the reversed bits, instead of a register that shifts.
        let crc = |data: &[u8]| {
            let mut bits: Vec<bool> = data.iter().flat_map(|b| (0..8).map(move |i| b >> i & 1 == 1)).collect();
            let message = bits.len();
            bits.extend([false; 32]);
            bits[..32].iter_mut().for_each(|bit| *bit = !*bit);
            for at in 0..message {
                if bits[at] {
                    let divisor = 0x1_1edc_6f41u64;
                    (0..33).for_each(|i| bits[at + i] ^= divisor >> (32 - i) & 1 == 1);
                }
            }
            let remainder = bits[message..].iter().enumerate().fold(0u32, |r, (i, &bit)| r | u32::from(bit) << i);
            let crc = !remainder;
            crc.rotate_right(15).wrapping_add(0xa282ead8)
        };
        let mut found = Vec::new();
        while !file.is_empty() {
            let len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            assert_eq!(u32::from_le_bytes(file[8..12].try_into().unwrap()), crc(&file[..8]), "of the length");
            let data = &file[12..12 + len];
            assert_eq!(u32::from_le_bytes(file[12 + len..16 + len].try_into().unwrap()), crc(data), "of the data");
            found.push(data.to_vec());
            file = &file[16 + len..];
        }
        found
    }

    #[test]
    fn a_record_that_is_spoilt_is_noticed() {
        let mut spoilt = record(b"some data");
        assert_eq!(records(&spoilt), [b"some data"]);
        spoilt[14] ^= 1;
        assert!(std::panic::catch_unwind(|| records(&spoilt)).is_err());
    }
}
