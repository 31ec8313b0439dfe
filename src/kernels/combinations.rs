//! Which combinations of a kernel's options are tried where there are too many to try all.

use std::collections::BTreeSet;

/// Options of more values than this are not paired with each other.
const FEW: usize = 4;

/// Rows of numbers below `counts`, one for each option, such that each value occurs and each two values of two options occur together
/// (all-pairs testing), unless both options have many values.
pub(super) fn pairs(counts: &[usize]) -> Vec<Vec<usize>> {
    let mut missing = all_pairs(counts);
    let mut used: Vec<Vec<usize>> = counts.iter().map(|&count| vec![0; count]).collect();
    let mut rows = Vec::new();
    while let Some(&(first, second)) = missing.first() {
        let mut row = vec![None; counts.len()];
        row[first.0] = Some(first.1);
        row[second.0] = Some(second.1);
        for option in 0..counts.len() {
            let new = |value: usize| {
                let chosen = row.iter().enumerate().filter_map(|(other, &chosen)| Some((other, chosen?)));
                chosen.filter(|&other| missing.contains(&ordered((option, value), other))).count()
            };
            let best = (0..counts[option]).max_by_key(|&v| (new(v), std::cmp::Reverse((used[option][v], v))));
            row[option] = row[option].or(best);
        }
        let row: Vec<usize> = row.into_iter().flatten().collect();
        for (i, &value) in row.iter().enumerate() {
            used[i][value] += 1;
            row[..i].iter().enumerate().for_each(|(j, &other)| {
                missing.remove(&((j, other), (i, value)));
            });
        }
        rows.push(row);
    }
    rows
}

/// The number of an option, and of its value.
type Chosen = (usize, usize);

fn ordered(a: Chosen, b: Chosen) -> (Chosen, Chosen) {
    if a < b { (a, b) } else { (b, a) }
}

fn all_pairs(counts: &[usize]) -> BTreeSet<(Chosen, Chosen)> {
    let mut all = BTreeSet::new();
    for (j, &of_j) in counts.iter().enumerate() {
        for (i, &of_i) in counts[..j].iter().enumerate() {
            if of_i.min(of_j) <= FEW {
                all.extend((0..of_i).flat_map(|a| (0..of_j).map(move |b| ((i, a), (j, b)))));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_two_values_occur_together_in_few_rows() {
        for counts in [&[19, 19, 2, 2, 2, 2][..], &[3, 2, 2, 4], &[2, 19], &[2; 10]] {
            let rows = pairs(counts);
            for ((i, a), (j, b)) in all_pairs(counts) {
                assert!(rows.iter().any(|row| row[i] == a && row[j] == b), "{counts:?}: {i} = {a} with {j} = {b}");
            }
            let largest = counts.iter().max().unwrap();
            assert!(rows.len() <= 3 * largest + 6, "{counts:?}: {} rows", rows.len());
            assert!(rows.iter().all(|row| row.len() == counts.len()));
        }
    }
}
