//! Files to data sets.
