//! Tables in columns, Parquet and Arrow: which files they are. What reads them is behind the feature `arrow`.

use std::path::Path;

/// How their names end.
pub(super) const ENDINGS: [&str; 6] = ["parquet", "pq", "arrow", "feather", "ipc", "arrows"];

/// Whether a file is such a table, by the end of its name.
pub(super) fn is_columnar(path: &Path) -> bool {
    path.extension().is_some_and(|end| ENDINGS.iter().any(|ending| end.eq_ignore_ascii_case(ending)))
}
