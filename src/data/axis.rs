//! When rows were: the order of days and months, gaps, and what of the calendar a model sees.

use super::{
    reading::{DateOrder, TimeFeature},
    time::Moment,
};
use jiff::{Timestamp, civil::DateTime, tz::Offset};
use std::{f64::consts::TAU, ops::Range};

/// Moments of which it is known what they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Axis {
    /// `[R]`: milliseconds since 1970, by UTC where rows say how far they are from it.
    pub instants: Vec<i64>,
    /// `[R]`: the same by the calendar in which they are written.
    pub calendar: Vec<i64>,
    /// What stands first in dates, where that mattered.
    pub order: Option<DateOrder>,
}

/// Why moments are not what they are, and at which of them that shows.
#[derive(Debug, PartialEq)]
pub(super) enum Doubt {
    /// Day and month could be either in all of them.
    Order(usize),
    /// One has no month first, another no day first.
    Mixed(usize, usize),
    /// It cannot be read in the order that was asked for.
    Impossible(usize, DateOrder),
    /// One says how far it is from UTC, another does not.
    Zone(usize, usize),
}

impl Axis {
    /// Decides what moments are, by the order that was asked for, or else by days beyond 12.
    pub fn of(moments: &[Moment], asked: Option<DateOrder>) -> Result<Axis, Doubt> {
        let only = |read: fn(&Moment) -> Option<i64>| moments.iter().position(|moment| read(moment).is_none());
        let (no_day_first, no_month_first) = (only(|m| m.day_first), only(|m| m.month_first));
        let order = match (asked, no_day_first, no_month_first) {
            (Some(DateOrder::DayFirst), Some(at), _) => return Err(Doubt::Impossible(at, DateOrder::DayFirst)),
            (Some(DateOrder::MonthFirst), _, Some(at)) => return Err(Doubt::Impossible(at, DateOrder::MonthFirst)),
            (Some(order), ..) => Some(order),
            (None, Some(month), Some(day)) => return Err(Doubt::Mixed(day, month)),
            (None, None, Some(_)) => Some(DateOrder::DayFirst),
            (None, Some(_), None) => Some(DateOrder::MonthFirst),
            (None, None, None) => match moments.iter().position(|m| m.day_first != m.month_first) {
                Some(at) => return Err(Doubt::Order(at)),
                None => None,
            },
        };
        if let Some(at) = moments.iter().position(|m| m.offset.is_some() != moments[0].offset.is_some()) {
            let (said, unsaid) = if moments[0].offset.is_some() { (0, at) } else { (at, 0) };
            return Err(Doubt::Zone(said, unsaid));
        }
        let read = |m: &Moment| if order == Some(DateOrder::MonthFirst) { m.month_first } else { m.day_first };
        let calendar: Vec<i64> = moments.iter().map(|m| read(m).unwrap_or_default()).collect();
        let offset = |m: &Moment| 1000 * i64::from(m.offset.unwrap_or(0));
        let instants = calendar.iter().zip(moments).map(|(at, m)| at - offset(m)).collect();
        Ok(Axis { instants, calendar, order })
    }

    /// The same in another order of rows.
    pub fn in_order(&self, order: &[u32]) -> Axis {
        let pick = |values: &[i64]| order.iter().map(|&row| values[row as usize]).collect();
        Axis { instants: pick(&self.instants), calendar: pick(&self.calendar), order: self.order }
    }

    /// The first row of these series that is not later than the one before it.
    pub fn out_of_order(&self, series: &[Range<usize>]) -> Option<usize> {
        let later = |&row: &usize| self.instants[row] <= self.instants[row - 1];
        series.iter().find_map(|rows| (rows.start + 1..rows.end).find(later))
    }

    /// The median step in milliseconds; none where no series has two rows.
    pub fn step(&self, series: &[Range<usize>]) -> Option<i64> {
        let mut steps = self.steps(series);
        let middle = steps.len() / 2;
        (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1)
    }

    /// Whether three of four steps are the median to a tenth.
    pub fn is_regular(&self, series: &[Range<usize>], step: i64) -> bool {
        let steps = self.steps(series);
        let near = steps.iter().filter(|&&of| 10 * (of - step).abs() <= step).count();
        4 * near >= 3 * steps.len()
    }

    fn steps(&self, series: &[Range<usize>]) -> Vec<i64> {
        let of = |rows: &Range<usize>| self.instants[rows.clone()].windows(2).map(|pair| pair[1] - pair[0]).collect();
        series.iter().flat_map::<Vec<i64>, _>(of).collect()
    }

    /// Cuts series where a step is longer than `longest` milliseconds.
    pub fn cut(&self, series: &[Range<usize>], longest: f64) -> Vec<Range<usize>> {
        let mut pieces = Vec::with_capacity(series.len());
        for rows in series {
            let mut begin = rows.start;
            for row in rows.start + 1..rows.end {
                if (self.instants[row] - self.instants[row - 1]) as f64 > longest {
                    pieces.push(begin..row);
                    begin = row;
                }
            }
            pieces.push(begin..rows.end);
        }
        pieces
    }

    /// Sine and cosine of a cycle's share that has passed at a row.
    pub fn cycle(&self, feature: TimeFeature, row: usize) -> [f32; 2] {
        let angle = TAU * share(feature, self.calendar[row]);
        [angle.sin() as f32, angle.cos() as f32]
    }
}

/// The share of a cycle that has passed.
fn share(feature: TimeFeature, milliseconds: i64) -> f64 {
    const DAY: i64 = 86_400_000;
    let day = milliseconds.rem_euclid(DAY) as f64 / DAY as f64;
    match feature {
        TimeFeature::Hour => day,
        // 1 January 1970 was a Thursday.
        TimeFeature::Weekday => ((milliseconds.div_euclid(DAY) + 3).rem_euclid(7) as f64 + day) / 7.0,
        TimeFeature::Yearday => {
            let date = on_calendar(milliseconds);
            (f64::from(date.day_of_year() - 1) + day) / f64::from(date.days_in_year())
        }
    }
}

/// Date and time of milliseconds since 1970.
pub(super) fn on_calendar(milliseconds: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp::from_millisecond(milliseconds).unwrap_or_default())
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one series, from its first row to its last")]
mod tests {
    use super::{super::time::moment, *};

    fn moments(texts: &[&str]) -> Vec<Moment> {
        texts.iter().map(|text| moment(text).unwrap()).collect()
    }

    #[test]
    fn days_beyond_twelve_say_the_order_of_dates() {
        let order = |texts: &[&str], asked| Axis::of(&moments(texts), asked).map(|axis| axis.order);
        assert_eq!(order(&["4/2/2015", "13/2/2015"], None), Ok(Some(DateOrder::DayFirst)));
        assert_eq!(order(&["4/2/2015", "4/13/2015"], None), Ok(Some(DateOrder::MonthFirst)));
        assert_eq!(order(&["5/5/2015", "4/2/2015"], None), Err(Doubt::Order(1)));
        assert_eq!(order(&["13/2/2015", "4/13/2015"], None), Err(Doubt::Mixed(0, 1)));
        assert_eq!(order(&["5/5/2015"], None), Ok(None));
        assert_eq!(order(&["2015-02-04"], None), Ok(None));
        assert_eq!(order(&["4/2/2015"], Some(DateOrder::MonthFirst)), Ok(Some(DateOrder::MonthFirst)));
        let impossible = Doubt::Impossible(1, DateOrder::MonthFirst);
        assert_eq!(order(&["4/2/2015", "13/2/2015"], Some(DateOrder::MonthFirst)), Err(impossible));
        let april = Axis::of(&moments(&["4/2/2015"]), Some(DateOrder::MonthFirst)).unwrap();
        assert_eq!(april.instants, Axis::of(&moments(&["2015-04-02"]), None).unwrap().instants);
    }

    #[test]
    fn offsets_from_utc_shift_the_instant_and_not_the_calendar() {
        let axis = Axis::of(&moments(&["2015-02-04T01:00+02:00", "2015-02-04T00:00Z"]), None).unwrap();
        assert_eq!(axis.instants[1] - axis.instants[0], 3_600_000);
        assert_eq!(axis.calendar[0] - axis.calendar[1], 3_600_000);
        assert_eq!(Axis::of(&moments(&["2015-02-04", "2015-02-05T00:00Z"]), None), Err(Doubt::Zone(1, 0)));
    }

    #[test]
    fn long_steps_are_gaps_and_steps_back_are_found() {
        let at = |minutes: &[i64]| Axis { instants: minutes.iter().map(|m| 60_000 * m).collect(), ..Axis::default() };
        let axis = at(&[0, 1, 2, 7, 8, 9, 10]);
        assert_eq!(axis.step(&[0..7]), Some(60_000));
        assert!(axis.is_regular(&[0..7], 60_000));
        assert!(!at(&[0, 1, 2, 7, 20]).is_regular(&[0..5], 60_000));
        assert_eq!(axis.cut(&[0..7], 90_000.0), [0..3, 3..7]);
        assert_eq!((axis.out_of_order(&[0..7]), axis.step(&[0..1])), (None, None));
        let broken = at(&[5, 6, 0, 1, 1]);
        assert_eq!((broken.out_of_order(&[0..2, 2..5]), broken.out_of_order(&[0..5])), (Some(4), Some(2)));
    }

    #[test]
    fn cycles_begin_at_midnight_monday_and_new_year() {
        let share_at = |feature, text| share(feature, moment(text).unwrap().day_first.unwrap());
        assert_eq!(share_at(TimeFeature::Hour, "2015-02-04 18:00"), 0.75);
        assert_eq!(share_at(TimeFeature::Weekday, "2015-02-02"), 0.0);
        assert_eq!(share_at(TimeFeature::Weekday, "1969-12-31 12:00"), 2.5 / 7.0);
        assert_eq!(share_at(TimeFeature::Yearday, "2015-01-01"), 0.0);
        assert_eq!(share_at(TimeFeature::Yearday, "2016-12-31"), 365.0 / 366.0);
        let axis = Axis::of(&moments(&["2015-02-04 06:00"]), None).unwrap();
        let [sine, cosine] = axis.cycle(TimeFeature::Hour, 0);
        assert!((sine - 1.0).abs() < 1e-6 && cosine.abs() < 1e-6);
    }
}
