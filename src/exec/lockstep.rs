//! GPU against CPU, kernel by kernel.
