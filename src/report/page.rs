//! A page of HTML that needs nothing beside itself: no script, no font, no network.

use std::fmt::{Display, Write};

/// A page in the making.
pub(super) struct Page(String);

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid #d0d7de}\
p{margin:.4rem 0}p.note{color:#57606a}table{border-collapse:collapse;margin:.5rem 0}th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #eaeef2}\
th{color:#57606a;font-weight:600}td:first-child,th:first-child{text-align:left}\
pre{background:#f6f8fa;padding:.7rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}svg{max-width:100%;height:auto}.row{display:flex;flex-wrap:wrap;gap:1rem;margin:.5rem 0}\
table.facts td{text-align:left}\
.scroll{overflow-x:auto}table.matrix td{text-align:center;min-width:3.5rem}table.matrix td:first-child{text-align:right;font-weight:600}";

/// Text as HTML.
pub(super) fn escaped(text: impl Display) -> String {
    text.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Page {
    pub fn new(title: &str) -> Self {
        let title = escaped(title);
        Page(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        ))
    }

    /// Adds a piece of HTML.
    pub fn raw(&mut self, html: impl Display) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{html}");
    }

    pub fn heading(&mut self, text: &str) {
        self.raw(format_args!("<h2>{}</h2>", escaped(text)));
    }

    pub fn note(&mut self, text: impl Display) {
        self.raw(format_args!("<p class=\"note\">{}</p>", escaped(text)));
    }

    pub fn code(&mut self, text: impl Display) {
        self.raw(format_args!("<pre>{}</pre>", escaped(text)));
    }

    /// A table; its first column is of names.
    pub fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let cells = |tag: &str, row: &[String]| -> String {
            row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
        };
        let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        let body: String = rows.into_iter().map(|row| format!("<tr>{}</tr>\n", cells("td", &row))).collect();
        let head = format!("<tr>{}</tr>\n", cells("th", &header));
        self.raw(format_args!("<div class=\"scroll\"><table>\n{head}{body}</table></div>"));
    }

    /// Pictures beside each other, as far as there is room.
    pub fn pictures(&mut self, pictures: impl IntoIterator<Item = String>) {
        let all: String = pictures.into_iter().collect();
        self.raw(format_args!("<div class=\"row\">\n{all}</div>"));
    }

    /// Names and what they stand for.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        let row = |(name, value): &(&str, String)| {
            format!("<tr><td>{}</td><td>{}</td></tr>\n", escaped(name), escaped(value))
        };
        let rows: String = facts.iter().map(row).collect();
        self.raw(format_args!("<table class=\"facts\">\n{rows}</table>"));
    }

    /// Counts by row and column, the darker the more of its row they are.
    pub fn matrix(&mut self, corner: &str, names: &[String], counts: &[Vec<u64>]) {
        let mut html = format!("<div class=\"scroll\"><table class=\"matrix\"><tr><th>{}</th>", escaped(corner));
        names.iter().for_each(|name| html += &format!("<th>{}</th>", escaped(name)));
        html += "</tr>\n";
        for (name, row) in names.iter().zip(counts) {
            let all = row.iter().sum::<u64>().max(1) as f64;
            html += &format!("<tr><td>{}</td>", escaped(name));
            for count in row {
                let share = *count as f64 / all;
                let ink = if share > 0.6 { "#fff" } else { "#1b1f24" };
                let style = format!("background:rgba(9,105,218,{share:.3});color:{ink}");
                html += &format!("<td style=\"{style}\" title=\"{:.1} %\">{count}</td>", 100.0 * share);
            }
            html += "</tr>\n";
        }
        self.raw(html + "</table></div>");
    }

    pub fn finish(mut self) -> String {
        self.raw("</body>\n</html>");
        self.0
    }
}
