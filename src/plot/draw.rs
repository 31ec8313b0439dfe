//! A figure as strokes on a canvas.

use super::canvas::{Anchor, Canvas, Ink};
use super::figure::{Figure, Line, Panel};
use super::ticks::Axis;

/// Colours that differ for every kind of sight (Okabe and Ito 2008).
const COLORS: [[u8; 3]; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233]];
const INK: Ink = Ink { rgb: [40, 40, 40], alpha: 1.0 };
const FAINT: Ink = Ink { rgb: [226, 226, 226], alpha: 1.0 };
/// Of the band around a line.
const BAND: f64 = 0.16;

// Sizes in units: of a panel, of what stands above all, around it, and around the axes of a panel.
const PANEL: (f64, f64) = (310.0, 236.0);
const HEADER: f64 = 80.0;
const MARGIN: f64 = 14.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 26.0;
const RIGHT: f64 = 12.0;
const BOTTOM: f64 = 42.0;
// Of letters.
const TITLE: f64 = 16.0;
const WORDS: f64 = 12.0;
const MARKS: f64 = 10.0;
/// As wide as a letter among words may be, in the font of whoever shows it.
const LETTER: f64 = 7.6;

fn columns(figure: &Figure) -> usize {
    figure.rows.iter().map(Vec::len).max().unwrap_or(0)
}

/// Width and height in units.
pub(super) fn size(figure: &Figure) -> (u32, u32) {
    let letters = |words: &str, size: f64| words.chars().count() as f64 * LETTER * size / WORDS;
    let header = letters(&figure.title, TITLE).max(letters(&figure.note, WORDS)).max(legend_width(figure));
    let width = header.max(columns(figure) as f64 * PANEL.0);
    let height = HEADER + figure.rows.len() as f64 * PANEL.1;
    ((width + 2.0 * MARGIN).ceil() as u32, (height + MARGIN).ceil() as u32)
}

/// Draws all of it.
pub(super) fn draw(figure: &Figure, canvas: &mut impl Canvas) {
    draw_header(figure, canvas);
    for (row, panels) in figure.rows.iter().enumerate() {
        let points = || panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let values = points().flat_map(|point| [point.y, point.band.0, point.band.1]);
        let y = Axis::over(values, panels.iter().any(|panel| panel.log), 5);
        let x = Axis::counting(points().map(|point| point.x as usize).max().unwrap_or(1), 5);
        for (column, panel) in panels.iter().enumerate() {
            let corner = (MARGIN + column as f64 * PANEL.0, HEADER + row as f64 * PANEL.1);
            let axes = Axes { x: &x, y: &y, left: corner.0 + LEFT, top: corner.1 + TOP };
            draw_panel(panel, &axes, canvas);
        }
    }
}

/// Of one name in the legend: its stroke, a gap, its letters, and a gap.
fn entry_width(name: &str) -> f64 {
    28.0 + LETTER * name.chars().count() as f64 + 20.0
}

fn legend_width(figure: &Figure) -> f64 {
    figure.series.iter().map(|name| entry_width(name)).sum()
}

fn color(series: usize) -> Ink {
    Ink { rgb: COLORS[series % COLORS.len()], alpha: 1.0 }
}

fn draw_header(figure: &Figure, canvas: &mut impl Canvas) {
    canvas.text(&figure.title, (MARGIN, 20.0), TITLE, Anchor::Left, INK);
    canvas.text(&figure.note, (MARGIN, 41.0), WORDS, Anchor::Left, INK);
    let (mut x, y) = (MARGIN, 64.0);
    for (series, name) in figure.series.iter().enumerate() {
        canvas.line(&[(x, y), (x + 22.0, y)], 3.0, color(series));
        canvas.text(name, (x + 28.0, y), WORDS, Anchor::Left, INK);
        x += entry_width(name);
    }
}

/// The axes of a panel, and where they lie.
struct Axes<'a> {
    x: &'a Axis,
    y: &'a Axis,
    left: f64,
    top: f64,
}

impl Axes<'_> {
    fn right(&self) -> f64 {
        self.left + PANEL.0 - LEFT - RIGHT
    }

    fn bottom(&self) -> f64 {
        self.top + PANEL.1 - TOP - BOTTOM
    }

    fn x(&self, place: f64) -> f64 {
        self.left + self.x.share(place) * (self.right() - self.left)
    }

    fn y(&self, place: f64) -> f64 {
        self.bottom() - self.y.share(place) * (self.bottom() - self.top)
    }
}

fn draw_panel(panel: &Panel, axes: &Axes<'_>, canvas: &mut impl Canvas) {
    let (left, right, top, bottom) = (axes.left, axes.right(), axes.top, axes.bottom());
    canvas.text(&panel.title, (left, top - 13.0), WORDS, Anchor::Left, INK);
    for &tick in &axes.y.ticks {
        canvas.line(&[(left, axes.y(tick)), (right, axes.y(tick))], 1.0, FAINT);
        canvas.text(&axes.y.label(tick), (left - 6.0, axes.y(tick)), MARKS, Anchor::Right, INK);
    }
    for &tick in &axes.x.ticks {
        canvas.line(&[(axes.x(tick), top), (axes.x(tick), bottom)], 1.0, FAINT);
        canvas.text(&axes.x.label(tick), (axes.x(tick), bottom + 11.0), MARKS, Anchor::Center, INK);
    }
    canvas.line(&[(left, top), (left, bottom), (right, bottom)], 1.0, INK);
    canvas.text(&panel.x_label, ((left + right) / 2.0, bottom + 26.0), WORDS, Anchor::Center, INK);
    panel.lines.iter().for_each(|line| draw_line(line, axes, canvas));
    for (row, (series, note)) in panel.notes.iter().enumerate() {
        canvas.text(note, (right - 4.0, top + 8.0 + 14.0 * row as f64), MARKS, Anchor::Right, color(*series));
    }
}

/// A band from the least to the most, and the mean on it; a single point is a dot.
fn draw_line(line: &Line, axes: &Axes<'_>, canvas: &mut impl Canvas) {
    let ink = color(line.series);
    let places = line.points.iter().filter_map(|point| {
        let at = |value| Some(axes.y(axes.y.place(value)?));
        Some((axes.x(axes.x.place(point.x)?), at(point.y)?, at(point.band.0)?, at(point.band.1)?))
    });
    let places: Vec<(f64, f64, f64, f64)> = places.collect();
    if let [(x, y, ..)] = places[..] {
        return canvas.dot((x, y), 3.0, ink);
    }
    let low = places.iter().map(|&(x, _, low, _)| (x, low));
    let high = places.iter().rev().map(|&(x, .., high)| (x, high));
    canvas.fill(&low.chain(high).collect::<Vec<_>>(), Ink { alpha: BAND, ..ink });
    canvas.line(&places.iter().map(|&(x, y, ..)| (x, y)).collect::<Vec<_>>(), 2.0, ink);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
