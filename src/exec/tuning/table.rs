//! What was measured on an adapter, in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::cache;
use super::Tuned;
use crate::error::{Error, Result};
use crate::kernels::{ALL, Blocks, KernelInfo};

/// Of the file's format; another is measured anew.
const FORMAT: u32 = 1;
const SUFFIX: &str = "tuning.json";

/// What was measured on an adapter with its driver.
pub(in super::super) struct Tuning {
    /// Where it is kept; nowhere with the cache off.
    path: Option<PathBuf>,
    rows: BTreeMap<String, Tuned>,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    kernel: String,
    /// Of the sources of all its variants: a kernel that has changed is measured anew.
    source: u64,
    key: String,
    /// Seconds of one run by each variant.
    seconds: BTreeMap<String, f64>,
    choice: String,
}

impl Tuning {
    /// What is kept of this adapter in a folder. A file that cannot be read, or is of another format, is as good as none.
    pub fn open(folder: Option<&Path>, info: &wgpu::AdapterInfo) -> Tuning {
        let path = folder.map(|folder| folder.join(cache::file_of(info, SUFFIX)));
        let text = path.as_ref().and_then(|path| std::fs::read(path).ok());
        let file = text.and_then(|text| serde_json::from_slice::<File>(&text).ok());
        let rows = file.filter(|file| file.format == FORMAT).map(|file| file.rows).unwrap_or_default();
        let rows = rows.into_iter().filter_map(Row::tuned).map(|row| (row.key.clone(), row)).collect();
        Tuning { path, rows }
    }

    /// Whether what is measured lasts.
    pub fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// The variant that was chosen for a key.
    pub fn choice(&self, key: &str) -> Option<String> {
        self.rows.get(key).map(|row| row.choice.clone())
    }

    /// What was measured for a key.
    pub fn row(&self, key: &str) -> Option<Tuned> {
        self.rows.get(key).cloned()
    }

    /// Adds what was measured, and writes all of it.
    pub fn keep(&mut self, row: Tuned) {
        self.rows.insert(row.key.clone(), row);
        let rows = self.rows.values().filter_map(Row::of).collect();
        if let (Some(path), Ok(text)) = (&self.path, serde_json::to_vec_pretty(&File { format: FORMAT, rows })) {
            cache::write(path, &text);
        }
    }
}

/// The kernel of a key.
fn kernel_of(key: &str) -> Option<&'static KernelInfo> {
    let name = key.split(' ').next()?;
    ALL.iter().copied().find(|kernel| kernel.name == name)
}

/// A number for all that a kernel's variants are made of.
fn source_of(kernel: &KernelInfo) -> u64 {
    let sources: String = kernel.variants.all.iter().map(|v| kernel.source(v, Blocks::Uniform) + v.name).collect();
    crate::model::hash(sources.bytes())
}

impl Row {
    fn of(row: &Tuned) -> Option<Row> {
        let kernel = kernel_of(&row.key)?;
        Some(Row {
            kernel: kernel.name.to_owned(),
            source: source_of(kernel),
            key: row.key.clone(),
            seconds: row.times.iter().map(|(name, time)| (name.clone(), time.as_secs_f64())).collect(),
            choice: row.choice.clone(),
        })
    }

    fn tuned(self) -> Option<Tuned> {
        let kernel = kernel_of(&self.key)?;
        let valid = |seconds: &f64| seconds.is_finite() && *seconds >= 0.0 && *seconds < 1e6;
        let sound = self.source == source_of(kernel)
            && kernel.variants.position(&self.choice).is_some()
            && self.seconds.values().all(valid);
        let times = self.seconds.into_iter().filter(|(_, s)| valid(s));
        let times = times.map(|(name, seconds)| (name, Duration::from_secs_f64(seconds))).collect();
        sound.then_some(Tuned { key: self.key, times, choice: self.choice })
    }
}

/// Deletes the files of all adapters.
pub(super) fn forget(folder: Option<&Path>) -> Result<usize> {
    let Some(entries) = folder.and_then(|folder| std::fs::read_dir(folder).ok()) else { return Ok(0) };
    let files = entries.filter_map(|entry| entry.ok()).map(|entry| entry.path());
    let mut count = 0;
    for path in files.filter(|path| path.to_string_lossy().ends_with(SUFFIX)) {
        std::fs::remove_file(&path).map_err(|e| Error::io(&path, "delete", e))?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(choice: &str) -> Tuned {
        let key = "matmul m=128 n=64".to_owned();
        let times = vec![("main".to_owned(), Duration::from_millis(3)), (choice.to_owned(), Duration::from_millis(1))];
        Tuned { key, times, choice: choice.to_owned() }
    }

    fn info() -> wgpu::AdapterInfo {
        wgpu::AdapterInfo::new(wgpu::DeviceType::Cpu, wgpu::Backend::Vulkan)
    }

    #[test]
    fn what_is_kept_is_found_again_until_it_is_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = || Tuning::open(Some(folder.path()), &info());
        open().keep(row("tiles64"));
        assert_eq!(open().choice("matmul m=128 n=64").as_deref(), Some("tiles64"));
        assert_eq!(open().choice("matmul m=256 n=64"), None);
        assert_eq!(forget(Some(folder.path())).expect("they can be deleted"), 1);
        assert_eq!(open().choice("matmul m=128 n=64"), None);
    }

    #[test]
    fn a_file_that_is_broken_or_of_other_kernels_counts_as_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut tuning = Tuning::open(Some(folder.path()), &info());
        tuning.keep(row("tiles64"));
        let path = tuning.path.clone().expect("a path");
        let good = std::fs::read_to_string(&path).expect("the file");
        let choice = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Tuning::open(Some(folder.path()), &info()).choice("matmul m=128 n=64")
        };
        assert_eq!(choice(&good).as_deref(), Some("tiles64"));
        let source = source_of(kernel_of("matmul").expect("the kernel"));
        for (from, to) in [
            ("\"format\": 1", "\"format\": 2".to_owned()),
            ("tiles64", "tiles63".to_owned()),
            (&source.to_string(), (source ^ 1).to_string()),
            ("{", String::new()),
            ("0.003", "1e300".to_owned()),
        ] {
            assert!(good.contains(from), "{from}");
            assert_eq!(choice(&good.replace(from, &to)), None, "{from}");
        }
    }

    #[test]
    fn nothing_is_kept_with_the_cache_off() {
        let mut tuning = Tuning::open(None, &info());
        tuning.keep(row("tiles64"));
        assert!(!tuning.is_kept() && tuning.row("matmul m=128 n=64").is_some());
    }
}
