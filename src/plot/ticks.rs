//! Where axes have their marks.

/// A linear or logarithmic axis over the values that it has to show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub log: bool,
    /// Its ends, as logarithms of base 10 where it is logarithmic.
    pub ends: (f64, f64),
    /// Its marks, likewise.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// Holds all finite values (of a logarithmic axis all positive ones) with about so many marks.
    pub fn over(values: impl Iterator<Item = f64>, log: bool, marks: usize) -> Axis {
        let values = values.filter(|value| value.is_finite() && (!log || *value > 0.0));
        let values = values.map(|value| if log { value.log10() } else { value });
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let least = if log { 0.2 } else { (1e-6 * high.abs()).max(1e-9) };
        let room = 0.04 * (high - low).max(least);
        let (low, high) = if high - low < least { (low - least / 2.0, high + least / 2.0) } else { (low, high) };
        let ends = (low - room, high + room);
        Axis { log, ends, ticks: if log { log_ticks(ends, marks) } else { linear_ticks(ends, marks) } }
    }

    /// Whole numbers from 1 on, as epochs.
    pub fn counting(most: usize, marks: usize) -> Axis {
        let step = nice(most as f64 / marks.max(1) as f64).max(1.0);
        let all = (0..).map(|i| (i as f64 * step).max(1.0)).take_while(|&tick| tick <= most as f64);
        let mut ticks: Vec<f64> = all.collect();
        ticks.dedup();
        if step > 1.0 && ticks.get(1).is_some_and(|&second| second - 1.0 < 0.75 * step) {
            // A mark at 1 would stand too near to the next.
            ticks.remove(0);
        }
        Axis { log: false, ends: (1.0, most.max(2) as f64), ticks }
    }

    /// Where a value lies, if it can be shown.
    pub fn place(&self, value: f64) -> Option<f64> {
        let place = if self.log { value.log10() } else { value };
        place.is_finite().then(|| place.clamp(self.ends.0, self.ends.1))
    }

    /// How far along the axis a place lies, from 0 to 1.
    pub fn share(&self, place: f64) -> f64 {
        (place - self.ends.0) / (self.ends.1 - self.ends.0)
    }

    /// The words at a mark.
    pub fn label(&self, place: f64) -> String {
        let value = if self.log { 10f64.powf(place) } else { place };
        let value = if value.abs() < 1e-12 { 0.0 } else { value };
        // Powers and steps come with errors of rounding, that must not be read.
        let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
        match rounded.abs() {
            v if v != 0.0 && !(1e-3..1e6).contains(&v) => format!("{rounded:e}"),
            _ => rounded.to_string(),
        }
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `step`.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= step * (1.0 - 1e-9));
    times.unwrap_or(10.0) * power
}

fn linear_ticks((low, high): (f64, f64), marks: usize) -> Vec<f64> {
    let step = nice((high - low) / marks.max(1) as f64);
    let first = (low / step).ceil();
    (0..).map(|i| (first + i as f64) * step).take_while(|&tick| tick <= high).collect()
}

/// Of 1, 2, 5 in each power of ten the most that are not too many; over less than that, even steps.
fn log_ticks((low, high): (f64, f64), marks: usize) -> Vec<f64> {
    let decades = low.floor() as i32..=high.ceil() as i32;
    let of = |times: &[f64]| -> Vec<f64> {
        let all = decades.clone().flat_map(|decade| times.iter().map(move |t| t.log10() + f64::from(decade)));
        all.filter(|tick| (low..=high).contains(tick)).collect()
    };
    let all = [of(&[1.0, 2.0, 5.0]), of(&[1.0, 3.0]), of(&[1.0])];
    match all.iter().find(|ticks| ticks.len() <= 2 * marks) {
        Some(ticks) if ticks.len() >= 2 => ticks.clone(),
        Some(_) => {
            let ends = (10f64.powf(low), 10f64.powf(high));
            linear_ticks(ends, marks).into_iter().map(f64::log10).collect()
        }
        None => {
            let every = (high - low) / marks.max(1) as f64;
            linear_ticks((low, high), marks).into_iter().filter(|tick| every < 1.0 || tick.fract() == 0.0).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| axis.label(tick)).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(labels(&Axis::over([0.031, 0.71].into_iter(), true, 4)), ["0.05", "0.1", "0.2", "0.5"]);
        assert_eq!(labels(&Axis::over([0.5, 0.61].into_iter(), true, 4)), ["0.4", "0.5", "0.6", "0.7"]);
        assert_eq!(labels(&Axis::over([1e-4, 1e9].into_iter(), true, 4)), ["1", "100000"]);
        assert_eq!(labels(&Axis::over([0.9, 0.977].into_iter(), false, 4)), ["0.9", "0.95"]);
        assert_eq!(labels(&Axis::counting(8, 4)), ["2", "4", "6", "8"]);
        assert_eq!(labels(&Axis::counting(3, 4)), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::counting(100, 5)), ["1", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn any_values_make_an_axis() {
        for values in [vec![], vec![0.5], vec![f64::NAN, f64::INFINITY], vec![-1.0, 0.0], vec![1e300, 1e-300]] {
            for log in [false, true] {
                let axis = Axis::over(values.iter().copied(), log, 4);
                assert!(axis.ends.0 < axis.ends.1 && axis.ticks.len() < 20, "{values:?} {axis:?}");
            }
        }
        assert_eq!(Axis::over([1.0].into_iter(), true, 4).place(0.0), None, "a logarithm of 0 has no place");
    }
}
