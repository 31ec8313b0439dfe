//! Where the files of a data set lie: each by its own path, or all in one archive.

use super::records::open;
use crate::{Error, Result};
use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use zip::ZipArchive;

/// Files to read, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// Of a member of an archive: the archive's path and, as if it were a folder, the member's name.
    pub paths: Vec<PathBuf>,
    pub archive: Option<Archive>,
}

impl Files {
    /// A file that is opened by its path.
    pub fn one(path: &Path) -> Files {
        Files { paths: vec![path.to_owned()], archive: None }
    }

    /// Another file beside these.
    pub fn only(&self, path: &Path) -> Files {
        Files { paths: vec![path.to_owned()], archive: self.archive.clone() }
    }

    /// What a file holds. Says in words what stands there if it is no file.
    pub fn open(&self, path: &Path) -> Result<Content> {
        match self.archive.as_ref().and_then(|archive| archive.member(path)) {
            Some(content) => Ok(Content::Bytes(Cursor::new(content?))),
            None => Ok(Content::File(open(path)?)),
        }
    }
}

/// What a file holds.
pub(super) enum Content {
    File(File),
    Bytes(Cursor<Vec<u8>>),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Content::File(file) => file.read(buffer),
            Content::Bytes(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Content::File(file) => file.seek(position),
            Content::Bytes(bytes) => bytes.seek(position),
        }
    }
}

/// A `.zip` file, whose members are unpacked one at a time.
#[derive(Clone)]
pub(super) struct Archive {
    path: PathBuf,
    /// The names of its files, and where each stands.
    members: Arc<HashMap<String, usize>>,
    zip: Arc<Mutex<ZipArchive<File>>>,
}

impl Archive {
    /// Opens an archive.
    pub fn open(path: &Path) -> Result<Archive> {
        let zip = ZipArchive::new(open(path)?).map_err(|e| broken(path, e))?;
        let mut members = HashMap::with_capacity(zip.len());
        for index in 0..zip.len() {
            let Some(name) = zip.name_for_index(index) else { continue };
            // Windows's own archives were written with backslashes once.
            let name = name.map_err(|e| broken(path, e))?.replace('\\', "/");
            if !name.ends_with('/') {
                members.insert(name, index);
            }
        }
        Ok(Archive { path: path.to_owned(), members: Arc::new(members), zip: Arc::new(Mutex::new(zip)) })
    }

    /// The names of its files, with slashes.
    pub fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// What a member holds; none where the path leads to none.
    fn member(&self, path: &Path) -> Option<Result<Vec<u8>>> {
        let inside = path.strip_prefix(&self.path).ok()?;
        let name = inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        let &index = self.members.get(&name)?;
        let mut zip = self.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let mut content = Vec::new();
        let read = zip.by_index(index).map_err(|e| broken(path, e)).and_then(|mut member| {
            member.read_to_end(&mut content).map_err(|e| broken(path, e))?;
            Ok(())
        });
        Some(read.map(|()| content))
    }
}

fn broken(path: &Path, error: impl fmt::Display) -> Error {
    Error::input(
        path,
        format!("the archive cannot be read: {error}. Pack or copy it again, or unpack it into a folder"),
    )
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("path", &self.path).finish_non_exhaustive()
    }
}
