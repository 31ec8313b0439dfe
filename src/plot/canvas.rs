//! What figures are drawn on.

use super::bitmap::Bitmap;
use super::draw::{draw, size};
use super::figure::Figure;
use super::png;
use super::svg::Svg;

/// A colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    pub rgb: [u8; 3],
    /// From 0, which is not seen, to 1, which covers.
    pub alpha: f64,
}

/// Which point of a text stands at its place; its height is centred there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Center,
    Right,
}

/// In units, from the left and from the top.
pub(super) type Place = (f64, f64);

/// Takes the strokes of a drawing; later ones cover earlier ones.
pub(super) trait Canvas {
    /// Fills a closed shape.
    fn fill(&mut self, corners: &[Place], ink: Ink);
    /// A line through these places.
    fn line(&mut self, through: &[Place], width: f64, ink: Ink);
    /// A filled circle.
    fn dot(&mut self, at: Place, radius: f64, ink: Ink);
    /// A line of words with letters of a size.
    fn text(&mut self, words: &str, at: Place, size: f64, anchor: Anchor, ink: Ink);
}

/// Pixels of a PNG to a unit, for sharp screens.
const PIXELS: u32 = 2;

impl Figure {
    /// The figure as an SVG document.
    pub fn to_svg(&self) -> String {
        let mut svg = Svg::new(size(self));
        draw(self, &mut svg);
        svg.finish()
    }

    /// The figure as a PNG file, two pixels to a unit of [`Figure::to_svg`].
    pub fn to_png(&self) -> Vec<u8> {
        let mut bitmap = Bitmap::new(size(self), PIXELS);
        draw(self, &mut bitmap);
        png::encode(&bitmap.pixels, bitmap.size)
    }
}
