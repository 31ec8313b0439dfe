//! A folder, or a `.zip`, of one table for each series: which files are series, and which holds their labels.

use super::{
    columnar,
    dataset::Dataset,
    files::{Archive, Files},
};
use crate::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What lies in a folder, or files that were named one by one.
pub(super) struct Folder {
    /// The series.
    pub files: Files,
    /// `[series]`: their names: the paths within the folder, with slashes, without the files' endings.
    pub names: Vec<String>,
    /// The file of labels that lies there.
    pub labels: Option<PathBuf>,
    /// All else that is a file.
    others: Vec<PathBuf>,
}

/// How names of tables end, with what is preferred first: the others lie there for people, such as a `readme.txt`.
const ENDINGS: [&str; 3] = ["csv", "tsv", "txt"];
/// Deeper folders are links in a circle.
const DEPTH: usize = 32;

/// Whether a path is that of a folder or an archive.
pub(super) fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"))
}

impl Folder {
    /// Looks into the folder or the archive, if there is just one path that is such; else the files are the series.
    pub fn of(paths: &[PathBuf]) -> Result<Folder> {
        let [path] = paths else { return Folder::of_files(paths) };
        if !is_folder(path) {
            return Folder::of_files(paths);
        }
        let (mut found, archive) = match path.is_dir() {
            true => (walk(path)?, None),
            false => {
                let archive = Archive::open(path)?;
                let member = |name: String| (name.clone(), path.join(name));
                (archive.names().into_iter().map(member).collect(), Some(archive))
            }
        };
        found.retain(|(name, _)| !name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX"));
        // An archive often holds the folder itself.
        if archive.is_some() {
            while let Some(top) = common_top(&found) {
                found.iter_mut().for_each(|(name, _)| *name = name[top.len()..].to_owned());
            }
        }
        found.sort();
        let labels = take_labels(&mut found);
        let Some(best) = found.iter().filter_map(|(name, _)| rank(name)).min() else {
            let named = found.iter().find(|(_, path)| archive.is_none() && Dataset::is_series(path));
            let cure = named.map_or("Put each series into a file of its own".to_owned(), |(_, path)| {
                format!("A file of many series is named itself, such as {}", path.display())
            });
            let message = format!("there is no series: no file whose name ends in .{}. {cure}", ENDINGS.join(", ."));
            return Err(Error::input(path, message));
        };
        let (series, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(name, _)| rank(name) == Some(best));
        let names = series.iter().map(|(name, _)| stem(name).to_owned()).collect();
        let files = Files { paths: series.into_iter().map(|(_, path)| path).collect(), archive };
        let others = others.into_iter().map(|(_, path)| path).collect();
        Ok(Folder { files, names, labels, others })
    }

    fn of_files(paths: &[PathBuf]) -> Result<Folder> {
        if let Some(folder) = paths.iter().find(|path| is_folder(path)) {
            return Err(Error::input(
                folder,
                "a folder or archive of series is a data set by itself. Name it alone, or put all series into one",
            ));
        }
        let name = |path: &PathBuf| (path.to_string_lossy().replace('\\', "/"), path.clone());
        let mut found: Vec<(String, PathBuf)> = paths.iter().map(name).collect();
        let labels = if found.len() > 1 { take_labels(&mut found) } else { None };
        let names = found.iter().map(|(name, _)| stem(name).to_owned()).collect();
        let files = Files { paths: found.into_iter().map(|(_, path)| path).collect(), archive: None };
        Ok(Folder { names, files, labels, others: Vec::new() })
    }

    /// The file of labels by the path that was given: of a file anywhere, or the name of one in the folder. It is no series then.
    pub fn take_labels(&mut self, given: &Path) -> PathBuf {
        let here = given.exists();
        let is = |path: &Path| if here { same(path, given) } else { path.file_name() == given.file_name() };
        match self.files.paths.iter().position(|path| is(path)) {
            Some(at) => {
                self.names.remove(at);
                self.files.paths.remove(at)
            }
            None => self.labels.iter().chain(&self.others).find(|path| is(path)).cloned().unwrap_or(given.to_owned()),
        }
    }

    /// `[series]`: the subfolder that each lies in; none unless each lies in one, and there are several.
    pub fn subfolders(&self) -> Option<Vec<&str>> {
        let of =
            |name: &str| name.split_once('/').filter(|(_, rest)| !rest.contains('/')).map(|(folder, _)| folder.len());
        let folders: Vec<&str> = self.names.iter().map(|name| Some(&name[..of(name)?])).collect::<Option<_>>()?;
        folders.iter().any(|folder| *folder != folders[0]).then_some(folders)
    }
}

/// Takes the file out that holds the labels, by its name.
fn take_labels(found: &mut Vec<(String, PathBuf)>) -> Option<PathBuf> {
    let is = |path: &Path| path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("labels"));
    // Of several that nearest to the top.
    let all = found.iter().enumerate().filter(|(_, (name, path))| is(path) && rank(name).is_some());
    let at = all.min_by_key(|(_, (name, _))| name.matches('/').count()).map(|(at, _)| at)?;
    Some(found.remove(at).1)
}

/// Every file below a folder, by its path within it.
fn walk(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), root.to_owned(), 0)];
    while let Some((prefix, folder, depth)) = folders.pop() {
        let io = |e| Error::io(&folder, "read", e);
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let (name, path) = (format!("{prefix}{}", entry.file_name().to_string_lossy()), entry.path());
            match path.is_dir() {
                true if depth == DEPTH => {
                    return Err(Error::input(
                        &path,
                        "this is a folder too deep within folders. Name one nearer to the series",
                    ));
                }
                true if entry.file_name().to_string_lossy().starts_with('.') => {}
                true => folders.push((name + "/", path, depth + 1)),
                false => found.push((name, path)),
            }
        }
    }
    Ok(found)
}

/// The folder, with its slash, that all files lie in.
fn common_top(found: &[(String, PathBuf)]) -> Option<String> {
    let top = found.first()?.0.split_inclusive('/').next().filter(|top| top.ends_with('/'))?;
    found.iter().all(|(name, _)| name.starts_with(top)).then(|| top.to_owned())
}

/// Where the ending of a name stands among those of tables.
fn rank(name: &str) -> Option<usize> {
    let (_, end) = name.rsplit_once('.')?;
    let all = ENDINGS.iter().chain(&columnar::ENDINGS);
    all.into_iter().position(|ending| ending.eq_ignore_ascii_case(end))
}

/// A name without the ending of a table.
pub(super) fn stem(name: &str) -> &str {
    match rank(name) {
        Some(_) => name.rsplit_once('.').map_or(name, |(stem, _)| stem),
        None => name,
    }
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
