//! Where what is learnt of an adapter is kept from run to run: a folder of the user's, or none.

use std::path::{Path, PathBuf};

/// The folder for files of this crate, unless `GATENORM_CACHE` names another or says `off`.
pub(super) fn folder(asked: Option<String>) -> Option<PathBuf> {
    match asked.or_else(|| std::env::var("GATENORM_CACHE").ok()) {
        Some(off) if off == "off" => None,
        Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
        _ => dirs::cache_dir().map(|caches| caches.join("gatenorm")),
    }
}

/// A file's name for an adapter and its driver: one that is updated is another.
pub(super) fn file_of(info: &wgpu::AdapterInfo, what: &str) -> String {
    let words = [info.name.as_str(), &info.driver, &info.driver_info, &info.backend.to_string()].join(" ");
    let id = format!("{words} {:04x} {:04x}", info.vendor, info.device);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let short: String = info.name.chars().take(32).map(plain).collect();
    format!("{short}-{:016x}.{what}", crate::model::hash(id.bytes()))
}

/// Replaces a file whole. A cache that cannot be written is only lost time, so nothing is said of it.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    let Some(folder) = path.parent() else { return };
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.persist(path).map_err(|e| e.error)
    });
    drop(written);
}
