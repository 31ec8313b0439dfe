//! Names in messages: the nearest spelling, and lists that stay readable.

/// The candidate that is most like `name`, if one is like it at all.
pub(crate) fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let (distance, best) = candidates
        .iter()
        .map(|candidate| (edits(&wanted, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let length = wanted.chars().count();
    (distance <= (length / 3).max(1) && distance < length).then_some(best)
}

/// Names in backquotes, with commas between them; a long list is cut.
pub(super) fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut text = names.iter().take(MOST).map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}

/// Text from a file, fit for a message: short, and without line breaks or control characters.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut short: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// Levenshtein's distance: insertions, deletions and replacements that turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_slip_of_the_pen_finds_its_column() {
        let columns = names(&["Temperature", "Humidity", "HumidityRatio", "Occupancy", "CO2"]);
        assert_eq!(nearest("ocupancy", &columns), Some("Occupancy"));
        assert_eq!(nearest("co", &columns), Some("CO2"));
        assert_eq!(nearest("Humidty", &columns), Some("Humidity"));
        assert_eq!(nearest("pressure", &columns), None);
        assert_eq!(nearest("x", &names(&["y"])), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn edits_agree_with_known_distances() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("flaw", "lawn"), 2);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn messages_stay_short_and_on_one_line() {
        assert_eq!(shown("a\nb\u{7}"), "a\\nb\\u{7}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 41);
        assert!(list(&vec!["c".to_owned(); 25]).ends_with("`c` and 5 more"));
    }
}
