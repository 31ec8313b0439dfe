//! Which rows make which sample.

use std::ops::Range;

/// Windows of `length` rows, each starting `stride` rows after the one before. Both are at least 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    pub length: usize,
    pub stride: usize,
}

/// A sample's rows, and the first of them that no sample before it was to tell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cutting {
    pub rows: Range<usize>,
    pub new_from: usize,
}

impl From<Range<usize>> for Cutting {
    fn from(rows: Range<usize>) -> Self {
        Cutting { new_from: rows.start, rows }
    }
}

impl Windows {
    /// How many windows lie wholly within `rows` rows.
    pub fn count(self, rows: usize) -> usize {
        if rows < self.length { 0 } else { (rows - self.length) / self.stride + 1 }
    }

    /// The first row of every window, ascending. `rows` must fit u32.
    pub fn starts(self, rows: usize) -> Vec<u32> {
        (0..self.count(rows)).map(|i| (i * self.stride) as u32).collect()
    }

    /// The windows of these rows. With `to_end` all rows are in one, unless the stride passes over some: where rows are left behind the
    /// last window, one more ends where they do, whose first rows stand in the window before it too.
    pub fn of(self, rows: Range<usize>, to_end: bool) -> Vec<Cutting> {
        let starts = self.starts(rows.len()).into_iter().map(|start| rows.start + start as usize);
        let mut windows: Vec<Cutting> = starts.map(|start| (start..start + self.length).into()).collect();
        if let Some(last) = windows.last().map(|last| last.rows.end).filter(|&last| to_end && last < rows.end)
            && self.stride <= self.length
        {
            windows.push(Cutting { rows: rows.end - self.length..rows.end, new_from: last });
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_are_all_that_fit_and_none_crosses_the_end(rows in 0usize..300, length in 1usize..40, stride in 1usize..20) {
            let windows = Windows { length, stride };
            let starts = windows.starts(rows);
            let naive: Vec<u32> = (0..rows).step_by(stride).filter(|s| s + length <= rows).map(|s| s as u32).collect();
            prop_assert_eq!(&starts, &naive);
            prop_assert_eq!(starts.len(), windows.count(rows));
            if rows >= length {
                prop_assert_eq!(starts.len(), (rows - length) / stride + 1);
            }
        }

        #[test]
        fn windows_to_the_end_tell_each_row_and_side_by_side_they_tell_it_once(rows in 0usize..300, length in 1usize..40) {
            let told = |stride: usize| {
                let windows = Windows { length, stride }.of(7..7 + rows, true);
                assert!(windows.iter().all(|w| w.rows.len() == length && w.rows.start >= 7 && w.rows.end <= 7 + rows));
                windows.into_iter().flat_map(|w| w.new_from..w.rows.end).collect::<Vec<_>>()
            };
            let all: Vec<usize> = if rows < length { vec![] } else { (7..7 + rows).collect() };
            prop_assert_eq!(told(length), all.clone());
            let mut overlapping = told(1 + length / 3);
            overlapping.sort_unstable();
            overlapping.dedup();
            prop_assert_eq!(overlapping, all);
        }
    }
}
