//! Writing a file whole or not at all.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes a file so that whoever looks sees the old content or the new one, never a part of it.
///
/// `write` fills a temporary file in the same folder, which is flushed to the disk and then renamed to `path`. If
/// anything fails, the temporary file is gone, a file that was at `path` is as it was, and the error names the cure.
pub fn write_file(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<()> {
    let target = Target::of(path)?;
    let cannot = |source| Error::io(path, "write", with_cure(source, &target.folder));
    let mut temporary = new_temporary(&target.folder).map_err(cannot)?;
    if let Some(permissions) = target.permissions {
        temporary.as_file().set_permissions(permissions).map_err(cannot)?;
    }
    write(temporary.as_file_mut()).map_err(cannot)?;
    temporary.as_file().sync_all().map_err(cannot)?;
    temporary.persist(&target.file).map_err(|e| cannot(e.error))?;
    sync_folder(&target.folder);
    Ok(())
}

/// Finds out before a long run whether [`write_file`] could write here, and leaves everything as it was.
pub fn check(path: &Path) -> Result<()> {
    let target = Target::of(path)?;
    let cannot = |source| Error::io(path, "write", with_cure(source, &target.folder));
    new_temporary(&target.folder).and_then(|file| file.close()).map_err(cannot)
}

/// Where the new content goes.
struct Target {
    file: PathBuf,
    folder: PathBuf,
    /// Those of the file that is replaced.
    permissions: Option<fs::Permissions>,
}

impl Target {
    fn of(path: &Path) -> Result<Self> {
        // Through a link, so that the link stays and the file behind it is replaced.
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let permissions = match fs::metadata(&file) {
            Ok(there) => Some(Self::check(path, &there)?),
            Err(_) => None,
        };
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Target { file, folder, permissions })
    }

    /// A rename would replace a device or a file marked read-only without asking.
    fn check(path: &Path, there: &fs::Metadata) -> Result<fs::Permissions> {
        let refuse = |kind, words: &str| Err(Error::io(path, "write", io::Error::new(kind, words)));
        if there.is_dir() {
            return refuse(ErrorKind::IsADirectory, "it is a folder; give the name of a file in it");
        }
        if !there.is_file() {
            return refuse(ErrorKind::InvalidInput, "it is not a regular file; give another name");
        }
        if there.permissions().readonly() {
            return refuse(
                ErrorKind::PermissionDenied,
                "the file is marked read-only; give another name or make it writable",
            );
        }
        Ok(there.permissions())
    }
}

/// Removes what writes into a folder left behind when their program was killed. Nobody else may be writing there.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

const PREFIX: &str = ".gatenorm-";
const SUFFIX: &str = ".tmp";

fn new_temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // A temporary file is private by default; this one becomes an ordinary file, under the user's umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// The rename itself is only durable once the folder is on the disk. Not every file system can do this, and the file
/// is complete either way, so a failure is no reason to report the write as failed.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// The same error, saying also what to do about it.
fn with_cure(source: io::Error, folder: &Path) -> io::Error {
    let kind = source.kind();
    let folder = folder.display();
    let cure = match kind {
        ErrorKind::NotFound => format!("the folder `{folder}` does not exist; create it first"),
        ErrorKind::NotADirectory => format!("`{folder}` is not a folder; give another path"),
        ErrorKind::PermissionDenied => {
            format!("no permission to create a file in `{folder}`; choose another folder or change its permissions")
        }
        ErrorKind::ReadOnlyFilesystem => format!("`{folder}` is on a read-only disk; choose another folder"),
        ErrorKind::StorageFull => format!("the disk of `{folder}` is full; free some space or choose another folder"),
        ErrorKind::QuotaExceeded => format!("the disk quota of `{folder}` is used up; free some space"),
        ErrorKind::FileTooLarge => format!("the file is too large for the disk of `{folder}`; choose another folder"),
        _ => return source,
    };
    io::Error::new(kind, format!("{cure} ({source})"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn replaces_the_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.keras");
        for content in ["one", "two"] {
            write_file(&path, |f| f.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["a.keras"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.keras");
        fs::write(&path, "old").unwrap();
        let error = write_file(&path, |f| {
            f.write_all(b"half")?;
            Err(io::Error::from(ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("is full; free some space"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a.keras"]);
    }

    #[test]
    fn a_check_changes_nothing_and_fails_as_the_write_would() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.keras");
        check(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        fs::write(&path, "old").unwrap();
        check(&path).unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), names(folder.path())),
            ("old", vec!["a.keras".into()])
        );
        for wrong in [folder.path().to_owned(), folder.path().join("no/a.keras"), path.join("a.keras")] {
            let expected = write_file(&wrong, |_| Ok(())).unwrap_err().to_string();
            let text = check(&wrong).unwrap_err().to_string();
            assert_eq!(text.split(" (").next(), expected.split(" (").next());
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such/a.keras");
        let error = write_file(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("a.keras") && error.contains("no/such` does not exist; create it"), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_and_a_read_only_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_file(folder.path(), |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("is a folder"), "{error}");

        let path = folder.path().join("kept.keras");
        fs::write(&path, "kept").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let error = write_file(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("marked read-only"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_readable_by_others_and_a_link_stays() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link, plain) = (folder.path().join("a"), folder.path().join("link"), folder.path().join("plain"));
        fs::write(&plain, "").unwrap();
        write_file(&path, |f| f.write_all(b"one")).unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));

        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_file(&link, |f| f.write_all(b"two")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }
}
