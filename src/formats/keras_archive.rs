//! The `.keras` file: a zip of `config.json`, `metadata.json` and `model.weights.h5`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use serde_json::Value;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::array::Array;
use super::{atomic, weights_h5};
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const METADATA: &str = "metadata.json";
const WEIGHTS: &str = "model.weights.h5";
/// What Keras has no place for; Keras ignores members that it does not know.
const EXTRA: &str = "gatenorm.json";

/// The longest JSON text that is read: that of a model with a thousand layers takes about 1 MB.
const MAX_JSON: u64 = 16 << 20;
/// A weights member may always unpack to this size,
const MIN_WEIGHTS: u64 = 64 << 20;
/// and to more if it is no more than this many times the size of the file. Keras does not compress.
const MAX_EXPANSION: u64 = 100;

/// What a `.keras` file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct KerasArchive {
    /// `config.json`: the layers, their options, and how the model was compiled.
    pub config: Value,
    /// `metadata.json`: the Keras version and the date.
    pub metadata: Value,
    /// `model.weights.h5`: the arrays by their path in the file, such as `layers/lstm/cell/vars/0`.
    pub weights: BTreeMap<String, Array>,
    /// `gatenorm.json`, if there is one.
    pub extra: Option<Value>,
}

impl KerasArchive {
    /// Reads a file. It may come from anyone: whatever is in it, the result is an archive or an error that says what
    /// is wrong, where, and what to do; memory is only taken in proportion to the file's size.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, "read", e))?;
        let mut reader = Archive::open(path, file)?;
        let config = reader.json(CONFIG)?.ok_or_else(|| reader.missing(CONFIG))?;
        // Keras itself does without.
        let metadata = reader.json(METADATA)?.unwrap_or_else(|| Value::Object(Default::default()));
        let extra = reader.json(EXTRA)?;
        let weights = reader.weights()?;
        Ok(KerasArchive { config, metadata, weights, extra })
    }

    /// Writes a file that Keras loads, whole or not at all. The same content gives the same bytes.
    pub fn write(&self, path: &Path) -> Result<()> {
        let weights =
            weights_h5::write(&self.weights).map_err(|why| Error::input(path, format!("{WEIGHTS}: {why}")))?;
        atomic::write_file(path, |file| self.write_zip(file, &weights))
    }

    fn write_zip(&self, file: &mut File, weights: &[u8]) -> io::Result<()> {
        let mut zip = ZipWriter::new(file);
        let mut member = |name: &str, bytes: &[u8]| -> io::Result<()> {
            // Keras reads the weights in place, so they must not be compressed. From 4 GiB on, sizes need 64 bits.
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(bytes.len() as u64 >= u64::from(u32::MAX));
            zip.start_file(name, options)?;
            zip.write_all(bytes)
        };
        member(METADATA, &serde_json::to_vec(&self.metadata)?)?;
        member(CONFIG, &serde_json::to_vec(&self.config)?)?;
        member(WEIGHTS, weights)?;
        if let Some(extra) = &self.extra {
            member(EXTRA, &serde_json::to_vec(extra)?)?;
        }
        zip.finish()?;
        Ok(())
    }
}

/// A `.keras` file that is being read.
struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
    /// Of the file.
    bytes: u64,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path, mut file: File) -> Result<Self> {
        let io = |e| Error::io(path, "read", e);
        let mut start = Vec::new();
        Read::by_ref(&mut file).take(8).read_to_end(&mut start).map_err(io)?;
        not_an_archive(path, &start)?;
        let bytes = file.metadata().map_err(io)?.len();
        file.rewind().map_err(io)?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| {
            Error::input(
                path,
                format!("the zip archive is damaged or cut short ({e}); copy or download the file again"),
            )
        })?;
        Ok(Archive { path, zip, bytes })
    }

    fn missing(&self, member: &str) -> Error {
        let why = "save the model with `model.save(\"name.keras\")` in Keras 3, with no other arguments";
        Error::input(self.path, format!("the archive has no {member}; {why}"))
    }

    /// A JSON member, if there is one.
    fn json(&mut self, name: &str) -> Result<Option<Value>> {
        let Some(bytes) = self.member(name, MAX_JSON)? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes).map_err(|e| {
            Error::input(
                self.path,
                format!("{name} is not JSON ({e}); the file is damaged or was edited: save it again"),
            )
        })?;
        Ok(Some(value))
    }

    fn weights(&mut self) -> Result<BTreeMap<String, Array>> {
        let limit = self.bytes.saturating_mul(MAX_EXPANSION).max(MIN_WEIGHTS);
        let bytes = self.member(WEIGHTS, limit)?.ok_or_else(|| self.missing(WEIGHTS))?;
        weights_h5::read(bytes).map_err(|why| {
            let cure = "load the model in Keras 3 and save it again, or copy the file again if Keras cannot load it";
            Error::input(self.path, format!("{WEIGHTS}: {why}; {cure}"))
        })
    }

    /// The content of a member, if there is one. What the archive says about its size is not believed.
    fn member(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let damaged = |e: &dyn std::fmt::Display| {
            Error::input(self.path, format!("{name} cannot be unpacked ({e}); copy or download the file again"))
        };
        let Some(index) = self.zip.index_for_name(name) else { return Ok(None) };
        let member = self.zip.by_index(index).map_err(|e| match e {
            ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
                let cure = "zip the members again without compression or encryption, or save the model again in Keras";
                Error::input(self.path, format!("{name} cannot be unpacked ({e}); {cure}"))
            }
            _ => damaged(&e),
        })?;
        let mut bytes = Vec::with_capacity(member.size().min(self.bytes).min(limit) as usize);
        member.take(limit + 1).read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
        if bytes.len() as u64 > limit {
            let why = format!("{name} unpacks to more than {} MiB, which is absurd for this file", limit >> 20);
            return Err(Error::input(self.path, format!("{why}; do not trust it")));
        }
        Ok(Some(bytes))
    }
}

/// Recognises, by a file's first bytes, what is often mistaken for a `.keras` file.
fn not_an_archive(path: &Path, start: &[u8]) -> Result<()> {
    let message = match start {
        [] => "the file is empty: a copy, download or save was cut short; get it again",
        b"\x89HDF\r\n\x1a\n" => {
            "this is an HDF5 file, as older Keras versions and `save_weights` write; open it in Keras 3 and save it as \
             .keras: `keras.models.load_model(\"old.h5\").save(\"new.keras\")`"
        }
        [b'P', b'K', ..] => return Ok(()),
        _ => "this is not a .keras file (no zip archive); save the model with `model.save(\"name.keras\")` in Keras 3",
    };
    Err(Error::input(path, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras_lesson.keras");
    const VALUES: &str = include_str!("../../tests/fixtures/keras_lesson.json");

    /// What reading a file with this content gives.
    fn read(content: &[u8]) -> Result<KerasArchive> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        KerasArchive::read(file.path())
    }

    fn refused(content: &[u8], words: &[&str]) {
        let error = read(content).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }

    fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn reads_what_keras_saved() {
        let archive = KerasArchive::read(Path::new(FIXTURE)).unwrap();
        let expected: Value = serde_json::from_str(VALUES).unwrap();
        let expected = expected["weights"].as_object().unwrap();
        assert!(archive.weights.keys().eq(expected.keys()));
        for (path, array) in &archive.weights {
            let shape: Vec<usize> = serde_json::from_value(expected[path]["shape"].clone()).unwrap();
            let values = expected[path]["values"].clone();
            let data = match expected[path]["dtype"].as_str().unwrap() {
                "int32" => super::super::ArrayData::I64(serde_json::from_value(values).unwrap()),
                _ => super::super::ArrayData::F32(serde_json::from_value(values).unwrap()),
            };
            assert_eq!(*array, Array { shape, data }, "{path}");
        }
        assert_eq!(archive.config["class_name"], "Sequential");
        assert!(archive.metadata["keras_version"].as_str().unwrap().starts_with("3."));
        assert_eq!(archive.extra, None);
    }

    #[test]
    fn comes_back_as_written_and_the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.keras"), folder.path().join("b.keras"));
        let mut archive = KerasArchive::read(Path::new(FIXTURE)).unwrap();
        archive.extra = Some(json!({"columns": ["x", "y"], "mean": [0.1, 1e-7]}));
        archive.write(&a).unwrap();
        assert_eq!(KerasArchive::read(&a).unwrap(), archive);
        archive.write(&b).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = KerasArchive::read(Path::new(FIXTURE)).unwrap();
        let error = archive.write(&folder.path().join("missing/a.keras")).unwrap_err().to_string();
        assert!(error.contains("does not exist; create it"), "{error}");
        archive.weights.insert("layers".to_owned(), Array::f32(&[], vec![0.0]));
        let error = archive.write(&folder.path().join("a.keras")).unwrap_err().to_string();
        assert!(error.contains("a.keras: model.weights.h5: `layers"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_an_archive_is_named() {
        refused(b"", &["is empty"]);
        refused(b"hello", &["not a .keras file", "model.save"]);
        refused(b"PK\x03\x04 and then nothing", &["damaged or cut short"]);
        refused(b"\x89HDF\r\n\x1a\n and more", &["HDF5 file", "save it as .keras"]);
        let error = KerasArchive::read(Path::new("no/such.keras")).unwrap_err().to_string();
        assert!(error.starts_with("no/such.keras: cannot read"), "{error}");
    }

    #[test]
    fn bad_members_are_named() {
        let json: &[u8] = b"{}";
        refused(&zipped(&[]), &["no config.json", "model.save"]);
        refused(&zipped(&[(CONFIG, b"{\"a\": NaN}")]), &["config.json is not JSON"]);
        refused(&zipped(&[(CONFIG, &[b'['; 100_000])]), &["config.json is not JSON", "recursion"]);
        refused(&zipped(&[(CONFIG, json), (METADATA, b"")]), &["metadata.json is not JSON"]);
        refused(&zipped(&[(CONFIG, json)]), &["no model.weights.h5"]);
        refused(&zipped(&[(CONFIG, json), (WEIGHTS, b"text")]), &["model.weights.h5: ", "signature", "save it again"]);
    }

    #[test]
    fn zip_bombs_are_not_unpacked() {
        refused(&zipped(&[(CONFIG, &vec![b' '; 17 << 20])]), &["config.json unpacks to more than 16 MiB"]);
        let weights = vec![0; 65 << 20];
        refused(&zipped(&[(CONFIG, b"{}"), (WEIGHTS, &weights)]), &["model.weights.h5 unpacks to more than 64 MiB"]);
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let whole = std::fs::read(FIXTURE).unwrap();
        for length in (0..whole.len()).step_by(499) {
            assert!(matches!(read(&whole[..length]), Err(Error::Input { .. })), "{length} bytes");
        }
    }

    #[test]
    fn altered_weights_are_read_or_refused() {
        let archive = KerasArchive::read(Path::new(FIXTURE)).unwrap();
        let good = weights_h5::write(&archive.weights).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            // Where the byte is part of a value, this is no error.
            let _ = weights_h5::read(bad);
            if at % 16 == 0 {
                let _ = weights_h5::read(good[..at].to_vec());
            }
        }
    }
}
