//! Figures of curves: plain data, and, with the feature `plots`, their drawing as SVG and PNG.
//!
//! No font of the system is used: the letters of a PNG are bitmaps in the program, those of an SVG are text for whoever shows it.

mod figure;

#[cfg(feature = "plots")]
mod bitmap;
#[cfg(feature = "plots")]
mod canvas;
#[cfg(feature = "plots")]
mod draw;
#[cfg(feature = "plots")]
mod png;
#[cfg(feature = "plots")]
mod svg;
#[cfg(feature = "plots")]
mod ticks;

pub use figure::{Figure, Line, Panel, Point};
#[cfg(feature = "plots")]
pub(crate) use ticks::Axis;
