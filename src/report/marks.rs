//! Two plots that are not of lines: a cloud of points, and bars.

use std::fmt::Write;

use super::page::escaped;
use crate::plot::Axis;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 320.0;
/// Room for numbers and names: left, top, right, bottom.
const MARGIN: [f64; 4] = [64.0, 28.0, 12.0, 44.0];
const BLUE: &str = "#0969da";

/// Two axes and what is drawn on them.
struct Axes {
    x: Axis,
    y: Axis,
    svg: String,
}

impl Axes {
    /// Axes that show these numbers.
    fn new(title: &str, [x_label, y_label]: [&str; 2], x: &[f64], y: &[f64]) -> Self {
        let [x, y] = [x, y].map(|shown| Axis::over(shown.iter().copied(), false, 5));
        let mut axes = Axes { x, y, svg: String::new() };
        axes.put(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#1b1f24\">"
        ));
        axes.put(format!("<text x=\"{}\" y=\"16\" font-size=\"13\">{}</text>", MARGIN[0], escaped(title)));
        axes.frame(x_label, y_label);
        axes
    }

    fn put(&mut self, element: String) {
        // Writing to a String does not fail.
        let _ = writeln!(self.svg, "{element}");
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (
            MARGIN[0] + self.x.share(x) * (WIDTH - MARGIN[0] - MARGIN[2]),
            HEIGHT - MARGIN[3] - self.y.share(y) * (HEIGHT - MARGIN[1] - MARGIN[3]),
        )
    }

    fn frame(&mut self, x_label: &str, y_label: &str) {
        let (left, bottom) = (MARGIN[0], HEIGHT - MARGIN[3]);
        let (right, top) = (WIDTH - MARGIN[2], MARGIN[1]);
        for tick in self.x.ticks.clone() {
            let ((x, _), text) = (self.place(tick, self.y.ends.0), self.x.label(tick));
            self.put(format!("<path d=\"M{x:.1} {bottom}V{top}\" stroke=\"#eaeef2\"/>"));
            self.put(format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", bottom + 14.0));
        }
        for tick in self.y.ticks.clone() {
            let ((_, y), text) = (self.place(self.x.ends.0, tick), self.y.label(tick));
            self.put(format!("<path d=\"M{left} {y:.1}H{right}\" stroke=\"#eaeef2\"/>"));
            self.put(format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", left - 5.0, y + 4.0));
        }
        self.put(format!("<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#57606a\"/>"));
        let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
        let [x_label, y_label] = [x_label, y_label].map(escaped);
        self.put(format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>", HEIGHT - 10.0));
        self.put(format!(
            "<text transform=\"translate(12 {y:.1}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>"
        ));
    }

    fn finish(mut self) -> String {
        self.put("</svg>".to_owned());
        self.svg
    }
}

/// What was predicted against what was true, on the same scale, with the line where both are equal.
pub(super) fn scatter(title: &str, truth: &[f64], predicted: &[f64]) -> String {
    let all = [truth, predicted].concat();
    let mut axes = Axes::new(title, ["true", "predicted"], &all, &all);
    let (least, most) = axes.x.ends;
    let ((x0, y0), (x1, y1)) = (axes.place(least, least), axes.place(most, most));
    axes.put(format!("<path d=\"M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}\" stroke=\"#57606a\" stroke-dasharray=\"4 3\"/>"));
    let dots: String = truth
        .iter()
        .zip(predicted)
        .filter(|(t, p)| t.is_finite() && p.is_finite())
        .map(|(&t, &p)| {
            let (x, y) = axes.place(t, p);
            // A round cap of a line without length is a dot, in fewer letters than a circle.
            format!("M{x:.1} {y:.1}h0")
        })
        .collect();
    axes.put(format!(
        "<path d=\"{dots}\" stroke=\"{BLUE}\" stroke-opacity=\"0.35\" stroke-width=\"4\" stroke-linecap=\"round\"/>"
    ));
    axes.finish()
}

/// How often values of which size occur.
pub(super) fn histogram(title: &str, x_label: &str, values: &[f64]) -> String {
    const BARS: usize = 40;
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (least, most) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let width = ((most - least) / BARS as f64).max(f64::MIN_POSITIVE);
    let mut counts = [0usize; BARS];
    finite().for_each(|value| counts[(((value - least) / width) as usize).min(BARS - 1)] += 1);
    let highest = counts.iter().max().copied().unwrap_or(1).max(1) as f64;
    let mut axes = Axes::new(title, [x_label, "samples"], values, &[0.0, highest]);
    for (i, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (x0, y0) = axes.place(least + i as f64 * width, 0.0);
        let (x1, y1) = axes.place(least + (i + 1) as f64 * width, count as f64);
        let (w, h) = ((x1 - x0).max(1.0), y0 - y1);
        axes.put(format!(
            "<rect x=\"{x0:.1}\" y=\"{y1:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"{BLUE}\" fill-opacity=\"0.7\"/>"
        ));
    }
    axes.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_hold_what_they_are_given_and_nothing_infinite() {
        let dots = scatter("a < b", &[1.0, 2.0, f64::NAN], &[1.5, f64::INFINITY, 3.0]);
        assert_eq!(dots.matches("h0").count(), 1, "only what is finite is shown");
        assert!(dots.contains("a &lt; b") && !dots.contains("NaN") && !dots.contains("inf"));
        let bars = histogram("errors", "error", &[0.0, 0.0, 1.0, f64::NAN]);
        assert_eq!(bars.matches("<rect").count(), 2);
        for values in [&[][..], &[3.0], &[f64::NAN]] {
            assert!(!histogram("", "", values).contains("NaN"), "{values:?}");
            assert!(!scatter("", values, values).contains("NaN"), "{values:?}");
        }
    }
}
