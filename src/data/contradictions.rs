//! What is asked of tables that contradicts itself, as can be seen before reading.

use super::{
    cells::Unknown,
    options::{Meaning, TableOptions, Target},
    reading::{Encoding, Missing, Reading, TargetOf, TimeAxis},
};
use crate::{Error, Result};

impl TableOptions {
    /// What can be seen to be wrong before reading.
    pub(super) fn check(&self) -> Result<()> {
        let usage = |text: &str| Err(Error::usage(text));
        if self.window == 0 {
            return usage("a window of 0 rows holds nothing. Use `--window 1` or more");
        }
        if self.stride == Some(0) {
            return usage("a stride of 0 rows never moves on. Use `--stride 1` or more");
        }
        if self.columns.as_ref().is_some_and(Vec::is_empty) {
            return usage(
                "the list of columns to use is empty. Name one at least, or leave `--columns` out to use all",
            );
        }
        if self.row_steps == Some(0) {
            return usage("a row of 0 steps holds nothing. Use `--row-steps 1` or more");
        }
        if self.row_steps.is_some() && (self.window > 1 || self.stride.is_some_and(|stride| stride > 1)) {
            return usage(
                "a sample is either a row or a window of rows. Leave out `--row-steps`, or `--window` and `--stride`",
            );
        }
        if self.meaning == Meaning::Numbers && self.label_classes.is_some() {
            return usage(
                "a target that is a number has no classes. Give class names or ask for a numeric target, not both",
            );
        }
        if self.host_memory.is_some() && (self.series.is_some() || self.row_steps.is_some()) {
            return usage(
                "`--host-memory` is for windows over tables that are one series each, and for series in a .npy file. Leave it out for folders of series and for rows that are whole samples",
            );
        }
        self.check_targets()?;
        if self.unknown == Unknown::None && self.reading.encoding == Encoding::Integer {
            return usage(
                "`--new-categories none` needs one-hot categories: of integers, none is free for what is not known",
            );
        }
        self.reading.check()?;
        self.check_time()?;
        self.check_rows()?;
        self.check_targets_of_rows()?;
        self.check_reconstruction()?;
        self.check_whole()
    }

    /// What targets of every row cannot be.
    fn check_targets_of_rows(&self) -> Result<()> {
        let cannot = [
            ("--horizon", "a target ahead of each window", !self.reading.horizon.is_empty()),
            ("--row-steps", "rows that are whole samples", self.row_steps.is_some()),
            (
                "--labels",
                "a target of each series as a whole",
                self.series.as_ref().is_some_and(|of| of.labels.is_some() || of.column.is_some()),
            ),
        ];
        match cannot.iter().find(|(.., is)| *is && self.has_targets_of_rows()) {
            Some((flag, what, _)) => Err(Error::usage(format!(
                "`--return-sequences` learns a target of every row, and `{flag}` is for {what}. Leave one of them out"
            ))),
            None => Ok(()),
        }
    }

    /// What samples that are to be given back cannot be.
    fn check_reconstruction(&self) -> Result<()> {
        let cannot = [
            ("--target", "gives back all columns", self.target != Target::None),
            ("--horizon", "looks at no later rows", !self.reading.horizon.is_empty()),
            ("--row-steps", "takes windows of rows", self.row_steps.is_some()),
            ("--missing mask", "needs all values", self.reading.missing == Missing::Mask),
        ];
        if self.reading.target_of != TargetOf::Input {
            return Ok(());
        }
        if self.whole {
            return Err(Error::usage(
                "`--reconstruct` takes windows of rows, not whole series. Say with `--window` how many rows make a sample",
            ));
        }
        match cannot.iter().find(|(.., is)| *is) {
            Some((flag, why, _)) => Err(Error::usage(format!(
                "`--reconstruct` {why}, so it does not go with `{flag}`. Leave one of them out"
            ))),
            None => Ok(()),
        }
    }

    /// What whole series cannot have.
    fn check_whole(&self) -> Result<()> {
        let Reading { time, group, horizon, .. } = &self.reading;
        let gap = time.as_ref().is_some_and(|time| time.gap.is_some()) && !self.known;
        let cannot = [
            ("--stride", self.stride.is_some_and(|stride| stride > 1)),
            ("--gap", gap),
            ("--group", !group.is_empty()),
            ("--horizon", !horizon.is_empty()),
        ];
        match cannot.iter().find(|(_, is)| *is && self.whole) {
            Some((flag, _)) => Err(Error::usage(format!(
                "`{flag}` is for windows of rows, but each series is a sample as a whole. Add `--window`, or leave `{flag}` out"
            ))),
            None => Ok(()),
        }
    }

    fn check_targets(&self) -> Result<()> {
        let Target::Columns(names) = &self.target else { return Ok(()) };
        if let Some(twice) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(Error::usage(format!("`{}` is named twice in `--target`. Name it once", names[twice])));
        }
        if names.is_empty() {
            return Err(Error::usage("the list of targets is empty. Name one with `--target`"));
        }
        let several = names.len() > 1 || self.reading.horizon.len() > 1;
        if several && (self.meaning == Meaning::Classes || self.label_classes.is_some()) {
            return Err(Error::usage(
                "several targets or horizons must be numbers, not classes. Name one, or leave the loss for classes out; for several targets of two classes each, `--loss binary_crossentropy`",
            ));
        }
        match &self.multi_label_classes {
            Some(labels) if labels.len() != names.len() => Err(Error::usage(format!(
                "classes of {} labels are given for {} targets. Give two for each target",
                labels.len(),
                names.len()
            ))),
            _ => Ok(()),
        }
    }

    fn check_time(&self) -> Result<()> {
        match &self.reading.time {
            Some(time) if time.columns.is_empty() => Err(Error::usage(
                "order of dates, gaps and features of the calendar need a time axis. Name its column with `--time`",
            )),
            Some(TimeAxis { columns, .. }) if columns.len() > 6 => Err(Error::usage(format!(
                "a time axis of {} columns is more than year, month, day, hour, minute and second",
                columns.len()
            ))),
            _ => Ok(()),
        }
    }

    /// What rows that are whole samples cannot have.
    fn check_rows(&self) -> Result<()> {
        if self.row_steps.is_none() {
            return Ok(());
        }
        if self.series.is_some() {
            return Err(Error::usage(
                "a folder holds series, whose rows are no whole samples. Leave `--row-steps` out",
            ));
        }
        let Reading { categorical, missing, time, group, horizon, .. } = &self.reading;
        let cannot = [
            ("--categorical", !categorical.is_empty()),
            ("--missing ffill", *missing == Missing::Ffill),
            ("--missing interpolate", *missing == Missing::Interpolate),
            ("--time", time.is_some()),
            ("--group", !group.is_empty()),
            ("--horizon", !horizon.is_empty()),
        ];
        match cannot.iter().find(|(_, is)| *is) {
            Some((flag, _)) => Err(Error::usage(format!(
                "`{flag}` is for rows that are moments of a series, not whole samples. Leave it or `--row-steps` out"
            ))),
            None => Ok(()),
        }
    }
}
