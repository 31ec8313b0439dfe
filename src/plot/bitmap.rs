//! Drawing on pixels; the letters are those of Noto Sans Mono, kept as bitmaps in the program.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};
use zeno::{Command, Fill, Join, Mask, PathBuilder, Stroke, Style};

use super::canvas::{Anchor, Canvas, Ink, Place};

/// Pixels, at first white.
pub(super) struct Bitmap {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Red, green and blue, row by row.
    pub pixels: Vec<u8>,
    /// Pixels to a unit.
    scale: f64,
}

impl Bitmap {
    /// Of a size in units, at so many pixels to one.
    pub fn new((width, height): (u32, u32), scale: u32) -> Self {
        let size = (scale * width, scale * height);
        Bitmap { size, pixels: vec![255; 3 * size.0 as usize * size.1 as usize], scale: f64::from(scale) }
    }

    /// Covers a pixel by a share of its area; none outside.
    fn cover(&mut self, (x, y): (i32, i32), share: f64, ink: Ink) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if x >= self.size.0 || y >= self.size.1 {
            return;
        }
        let first = 3 * (y as usize * self.size.0 as usize + x as usize);
        let alpha = ink.alpha * share;
        for (pixel, new) in self.pixels[first..first + 3].iter_mut().zip(ink.rgb) {
            *pixel = (f64::from(*pixel) * (1.0 - alpha) + f64::from(new) * alpha).round() as u8;
        }
    }

    fn draw(&mut self, path: &[Command], style: impl Into<Style<'static>>, ink: Ink) {
        let (mask, placed) = Mask::new(path).style(style).render();
        let width = placed.width.max(1) as usize;
        for (y, row) in (placed.top..).zip(mask.chunks(width)) {
            for (x, &covered) in (placed.left..).zip(row).filter(|(_, covered)| **covered > 0) {
                self.cover((x, y), f64::from(covered) / 255.0, ink);
            }
        }
    }

    fn path(&self, places: &[Place]) -> Vec<Command> {
        let at = |(x, y): Place| [(self.scale * x) as f32, (self.scale * y) as f32];
        let mut path = Vec::with_capacity(places.len() + 1);
        for (i, &place) in places.iter().enumerate() {
            if i == 0 {
                path.move_to(at(place))
            } else {
                path.line_to(at(place))
            };
        }
        path
    }
}

impl Canvas for Bitmap {
    fn fill(&mut self, corners: &[Place], ink: Ink) {
        let mut path = self.path(corners);
        path.close();
        self.draw(&path, Fill::NonZero, ink);
    }

    fn line(&mut self, through: &[Place], width: f64, ink: Ink) {
        let mut stroke = Stroke::new((self.scale * width) as f32);
        stroke.join(Join::Round);
        self.draw(&self.path(through), stroke, ink);
    }

    fn dot(&mut self, (x, y): Place, radius: f64, ink: Ink) {
        let mut path = Vec::new();
        let [x, y, radius] = [x, y, radius].map(|value| (self.scale * value) as f32);
        path.add_circle([x, y], radius);
        self.draw(&path, Fill::NonZero, ink);
    }

    fn text(&mut self, words: &str, (x, y): Place, size: f64, anchor: Anchor, ink: Ink) {
        let height = height(self.scale * size);
        let advance = get_raster_width(FontWeight::Regular, height) as i32;
        let width = words.chars().count() as i32 * advance;
        let left = (self.scale * x).round() as i32
            - match anchor {
                Anchor::Left => 0,
                Anchor::Center => width / 2,
                Anchor::Right => width,
            };
        let top = (self.scale * y).round() as i32 - height.val() as i32 / 2;
        for (left, character) in (left..).step_by(advance as usize).zip(words.chars()) {
            let Some(letter) = letter(character, height) else { continue };
            for (y, row) in (top..).zip(letter.rows()) {
                (left..).zip(row).for_each(|(x, &covered)| self.cover((x, y), f64::from(covered) / 255.0, ink));
            }
        }
    }
}

/// The bitmaps whose letters are nearest to a size in pixels; theirs is about three quarters of a bitmap's height.
fn height(size: f64) -> RasterHeight {
    match size {
        s if s < 17.0 => RasterHeight::Size20,
        s if s < 21.0 => RasterHeight::Size24,
        _ => RasterHeight::Size32,
    }
}

fn letter(character: char, height: RasterHeight) -> Option<RasterizedChar> {
    get_raster(character, FontWeight::Regular, height).or_else(|| get_raster('?', FontWeight::Regular, height))
}
