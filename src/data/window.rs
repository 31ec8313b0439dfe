//! Which rows make which sample.

/// Windows of `length` rows, each starting `stride` rows after the one before. Both are at least 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    pub length: usize,
    pub stride: usize,
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
    }
}
