//! What a figure shows.

/// Panels in rows and columns, one legend for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The line above it.
    pub title: String,
    /// A second, smaller line.
    pub note: String,
    /// Names of what the lines stand for, in the order of their colours.
    pub series: Vec<String>,
    /// Rows of panels; the panels of a row share their y axis.
    pub rows: Vec<Vec<Panel>>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it shows, with units where there are any.
    pub title: String,
    /// What the x axis counts.
    pub x_label: String,
    /// Whether the y axis is logarithmic; values that are not positive are left out.
    pub log: bool,
    /// The lines.
    pub lines: Vec<Line>,
    /// Words on a series, written into the panel.
    pub notes: Vec<(usize, String)>,
}

/// A line with a band around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which of the figure's series it is.
    pub series: usize,
    /// From left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its place on the x axis.
    pub x: f64,
    /// Its value.
    pub y: f64,
    /// Where the band around it begins and ends.
    pub band: (f64, f64),
}
