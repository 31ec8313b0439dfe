use super::super::figure::{Figure, Line, Panel, Point};

fn figure(values: &[f64]) -> Figure {
    let point = |(i, &y): (usize, &f64)| Point { x: (i + 1) as f64, y, band: (0.9 * y, 1.1 * y) };
    let line = Line { series: 1, points: values.iter().enumerate().map(point).collect() };
    let panel = Panel {
        title: "loss < 1 & more".into(),
        x_label: "epoch".into(),
        log: true,
        lines: vec![line],
        notes: vec![(0, "plain: 1 of 3 diverged".into())],
    };
    Figure {
        title: "Title".into(),
        note: "note".into(),
        series: vec!["plain".into(), "other".into()],
        rows: vec![vec![panel]],
    }
}

#[test]
fn an_svg_holds_lines_words_and_bands() {
    let svg = figure(&[0.5, 0.2, 0.1]).to_svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for part in ["loss &lt; 1 &amp; more", ">epoch<", ">other<", "plain: 1 of 3 diverged", ">0.2<", "fill-opacity"] {
        assert!(svg.contains(part), "`{part}` is missing from {svg}");
    }
    // Of three points the band goes there and back.
    let band = svg.lines().find(|line| line.starts_with("<polygon")).unwrap();
    assert_eq!(band.matches(',').count(), 6, "{band}");
}

#[test]
fn a_png_shows_the_colour_of_a_line_and_letters() {
    let png = figure(&[0.5, 0.2, 0.1]).to_png();
    assert_eq!(png[16..24], [338u32 * 2, 330 * 2].map(u32::to_be_bytes).concat(), "one panel and margins");
    let mut bitmap = super::super::bitmap::Bitmap::new(super::size(&figure(&[0.5])), 2);
    super::draw(&figure(&[0.5, 0.2, 0.1]), &mut bitmap);
    let count = |rgb: [u8; 3]| bitmap.pixels.chunks(3).filter(|pixel| **pixel == rgb).count();
    assert!(count(super::COLORS[1]) > 300, "the line and its stroke in the legend");
    assert!(count([40, 40, 40]) > 500, "axes and letters");
    assert!(count([255; 3]) > bitmap.pixels.len() / 6, "most is white");
}

#[test]
fn any_numbers_can_be_drawn() {
    let nothing = Figure { title: String::new(), note: String::new(), series: Vec::new(), rows: Vec::new() };
    assert!(!nothing.to_png().is_empty());
    for values in [vec![], vec![0.5], vec![f64::NAN, 1.0], vec![0.0, -1.0], vec![1e-300, 1e300, f64::INFINITY]] {
        let figure = figure(&values);
        assert!(!figure.to_svg().contains("NaN") && !figure.to_png().is_empty(), "{values:?}");
    }
}
