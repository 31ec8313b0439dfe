//! File names with fields that an epoch's figures fill, as in Python: `{epoch:02d}-{val_loss:.3f}.keras`.

use super::super::history::Scores;

/// What a name is made of.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Field { name: String, format: Format },
}

/// `[0][width][.precision][d, e or f]`, a part of Python's format specifications.
#[derive(Clone, Debug, Default, PartialEq)]
struct Format {
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

/// A parsed name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PathTemplate(Vec<Part>);

/// Of a file's name no number needs more.
const MOST_DIGITS: usize = 64;

impl PathTemplate {
    /// The parts of a name, or what is wrong with it.
    pub fn parse(text: &str) -> Result<PathTemplate, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => plain.extend(rest.next()),
                '}' => return Err("a `}` without `{`; for a brace in the name write it twice".to_owned()),
                '{' => {
                    let mut field = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(c) => field.push(c),
                            None => {
                                return Err(format!(
                                    "`{{{field}` without `}}`; for a brace in the name write it twice"
                                ));
                            }
                        }
                    }
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::field(&field)?);
                }
                c => plain.push(c),
            }
        }
        parts.push(Part::Text(plain));
        Ok(PathTemplate(parts))
    }

    /// Names of its fields.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Field { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The name for an epoch, counted from 1, or the field that its scores lack.
    pub fn fill(&self, epoch: usize, logs: &Scores) -> Result<String, String> {
        let value = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Field { name, format } if name == "epoch" => Ok(format.whole(epoch)),
            Part::Field { name, format } => logs.get(name).map(|v| format.real(v)).ok_or_else(|| name.clone()),
        };
        self.0.iter().map(value).collect()
    }
}

impl Part {
    /// `name` or `name:format`.
    fn field(text: &str) -> Result<Part, String> {
        let (name, format) = text.split_once(':').unwrap_or((text, ""));
        let wrong = || {
            format!(
                "the field `{{{text}}}`: after the colon there may be a width and a precision, as `{{epoch:02d}}` or `{{val_loss:.3f}}`"
            )
        };
        let format = Format::parse(format).ok_or_else(wrong)?;
        let fits = if name == "epoch" {
            format.precision.is_none() && !matches!(format.kind, Some('e' | 'f'))
        } else {
            format.kind != Some('d') && (format.precision.is_none() || format.kind.is_some())
        };
        if fits { Ok(Part::Field { name: name.to_owned(), format }) } else { Err(wrong()) }
    }
}

impl Format {
    fn parse(text: &str) -> Option<Format> {
        let number = |digits: &str| digits.parse().ok().filter(|&number: &usize| number <= MOST_DIGITS);
        let (digits, kind) = match text.strip_suffix(['d', 'e', 'f']) {
            Some(digits) => (digits, text.chars().next_back()),
            None => (text, None),
        };
        let (width, precision) = match digits.split_once('.') {
            Some((width, precision)) => (width, Some(number(precision)?)),
            None => (digits, None),
        };
        let (zeros, width) = (width.starts_with('0'), if width.is_empty() { 0 } else { number(width)? });
        Some(Format { zeros, width, precision, kind })
    }

    fn whole(&self, number: usize) -> String {
        self.padded(number.to_string())
    }

    fn real(&self, number: f64) -> String {
        // Python's `f` and `e` have six digits where none are asked for.
        let digits = self.precision.unwrap_or(6);
        self.padded(match self.kind {
            _ if number.is_nan() => "nan".to_owned(),
            Some('f') => format!("{number:.digits$}"),
            Some('e') => exponential(number, digits),
            _ => format!("{number:?}"),
        })
    }

    fn padded(&self, text: String) -> String {
        let missing = self.width.saturating_sub(text.len());
        match (self.zeros, text.strip_prefix('-')) {
            (true, Some(digits)) => format!("-{}{digits}", "0".repeat(missing)),
            (true, None) => format!("{}{text}", "0".repeat(missing)),
            (false, _) => format!("{}{text}", " ".repeat(missing)),
        }
    }
}

/// `1.50e-03`, with at least two digits in the exponent as Python has them.
fn exponential(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, size) = exponent.strip_prefix('-').map_or(('+', exponent), |size| ('-', size));
            format!("{mantissa}e{sign}{size:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::scores;
    use super::*;

    #[test]
    fn names_are_filled_as_python_fills_them() {
        let logs = scores(&[("loss", 0.04567), ("val_loss", -1.5), ("huge", 1.25e10), ("none", f64::NAN)]);
        for (text, name) in [
            ("best.keras", "best.keras"),
            ("{epoch}.keras", "7.keras"),
            ("m/{epoch:03d}-{loss:.2f}.keras", "m/007-0.05.keras"),
            ("{epoch:2}_{loss}", " 7_0.04567"),
            ("{val_loss:08.3f}|{val_loss:8.3f}|{val_loss:f}", "-001.500|  -1.500|-1.500000"),
            ("{loss:.1e} {huge:.2e} {huge:e}", "4.6e-02 1.25e+10 1.250000e+10"),
            ("{{{epoch}}} {none:.2f}", "{7} nan"),
        ] {
            assert_eq!(PathTemplate::parse(text).unwrap().fill(7, &logs).unwrap(), name, "{text}");
        }
        let template = PathTemplate::parse("{epoch}-{val_mae:.3f}").unwrap();
        assert_eq!(template.fields().collect::<Vec<_>>(), ["epoch", "val_mae"]);
        assert_eq!(template.fill(1, &logs).unwrap_err(), "val_mae");
    }

    #[test]
    fn wrong_fields_are_named() {
        for (text, part) in [
            ("a{epoch", "`{epoch` without `}`"),
            ("{epoch}{", "`{` without `}`"),
            ("a}b", "a `}` without `{`"),
            ("{epoch:.2f}", "`{epoch:.2f}`"),
            ("{loss:d}", "`{loss:d}`"),
            ("{loss:.3}", "`{loss:.3}`"),
            ("{loss:x}", "`{loss:x}`"),
            ("{loss:.999f}", "`{loss:.999f}`"),
        ] {
            let error = PathTemplate::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
