//! Drawing as SVG.

use std::fmt::Write;

use super::canvas::{Anchor, Canvas, Ink, Place};

/// An SVG document in the making, on white.
pub(super) struct Svg(String);

impl Svg {
    pub fn new((width, height): (u32, u32)) -> Self {
        let mut svg = Svg(String::new());
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">"
        ));
        svg.put(format_args!("<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"));
        svg
    }

    pub fn finish(mut self) -> String {
        self.put(format_args!("</svg>"));
        self.0
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{element}");
    }
}

fn color(Ink { rgb: [r, g, b], .. }: Ink) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// ` name="alpha"`, unless it covers.
fn opacity(name: &str, ink: Ink) -> String {
    if ink.alpha < 1.0 { format!(" {name}=\"{}\"", ink.alpha) } else { String::new() }
}

/// Hundredths of a unit are seen by nobody.
fn points(places: &[Place]) -> String {
    places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Canvas for Svg {
    fn fill(&mut self, corners: &[Place], ink: Ink) {
        let (points, color, opacity) = (points(corners), color(ink), opacity("fill-opacity", ink));
        self.put(format_args!("<polygon points=\"{points}\" fill=\"{color}\"{opacity}/>"));
    }

    fn line(&mut self, through: &[Place], width: f64, ink: Ink) {
        let (points, color, opacity) = (points(through), color(ink), opacity("stroke-opacity", ink));
        self.put(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{opacity}/>"
        ));
    }

    fn dot(&mut self, (x, y): Place, radius: f64, ink: Ink) {
        let (color, opacity) = (color(ink), opacity("fill-opacity", ink));
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{color}\"{opacity}/>"));
    }

    fn text(&mut self, words: &str, (x, y): Place, size: f64, anchor: Anchor, ink: Ink) {
        let anchor = match anchor {
            Anchor::Left => "start",
            Anchor::Center => "middle",
            Anchor::Right => "end",
        };
        let (color, words) = (color(ink), escaped(words));
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" dy=\"0.35em\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{color}\">{words}</text>"
        ));
    }
}
