//! What separates the fields of a file.

use ::csv::{ByteRecord, ReaderBuilder, Terminator};

/// In the order in which they are preferred.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How much of a file is looked at.
pub(super) const BYTES: u64 = 1 << 16;
const RECORDS: usize = 100;

/// What the first line of a file, which begins so, says of the delimiter, as Excel writes it: `sep=;`; and the length of that line.
pub(super) fn said(start: &[u8]) -> Option<(u8, usize)> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let end = text.iter().position(|b| b"\r\n".contains(b))?;
    let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] = text[..end] else { return None };
    let breaks = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
    Some((delimiter, start.len() - text.len() + end + breaks))
}

/// The delimiter that divides the first rows of a file, which begins so, most, and all alike; a comma where none does.
pub(super) fn delimiter(mut start: Vec<u8>) -> u8 {
    if start.len() as u64 == BYTES {
        // The last line may have been cut.
        start.truncate(start.iter().rposition(|&b| b == b'\n').map_or(start.len(), |at| at + 1));
    }
    let fields = |&delimiter: &u8| fields(&start, delimiter).map(|fields| (fields, delimiter));
    let mut best: Option<(usize, u8)> = None;
    for found in DELIMITERS.iter().filter_map(fields) {
        if best.is_none_or(|(most, _)| found.0 > most) {
            best = Some(found);
        }
    }
    best.map_or_else(|| in_header(&start), |(_, delimiter)| delimiter)
}

/// How many fields every row has, if that is one number of 2 or more. Rows may have one more than the header, R's row names.
fn fields(start: &[u8], delimiter: u8) -> Option<usize> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(start);
    let (mut record, mut counts) = (ByteRecord::new(), Vec::new());
    while counts.len() < RECORDS && reader.read_byte_record(&mut record).ok()? {
        if record.len() > 1 || !record.get(0).unwrap_or_default().trim_ascii().is_empty() {
            counts.push(record.len());
        }
    }
    let (&header, rows) = counts.split_first()?;
    let first = *rows.first().unwrap_or(&header);
    let alike = rows.iter().all(|&count| count == first) && (first == header || first == header + 1);
    (header >= 2 && alike).then_some(header)
}

/// For rows that differ, which reading will name: what the first line has most of.
fn in_header(start: &[u8]) -> u8 {
    let line = start.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&b| b == delimiter).count();
    DELIMITERS.into_iter().rev().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_what_divides_all_rows_alike() {
        for (content, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n3,25;4\n", b';'),
            ("\u{feff}a;b\r\n1,5;2\r\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b|c\n1|2|x,y\n", b'|'),
            ("\"a;1\",b\n\"x;y\",2\n", b','),
            ("name;note\n1;\"a, b\nc, d\"\n2;\"e, f\"\n", b';'),
            ("\"a\";\"b\"\n\"1\";3;4\n\"2\";5;6\n", b';'),
            ("a,b;c\n1,2;3\n", b','),
            ("y\n1\n2\n", b','),
            ("", b','),
            ("a;b;c\n1;2\n1;2;3\n", b';'),
        ] {
            assert_eq!(delimiter(content.into()) as char, expected as char, "{content:?}");
        }
        let long = format!("a;b\n{}", "1,5;2,5\n".repeat(20_000));
        assert_eq!(delimiter(long.as_bytes()[..BYTES as usize].into()), b';');
    }
}
