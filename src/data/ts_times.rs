//! Steps of `.ts` files with time stamps: `(time,value)`.

use super::{moment, spelling::shown};

/// The values of each channel in the order of time, which must be the same in all of them.
pub(super) fn values<'t>(channels: &[&'t str]) -> Result<Vec<Vec<&'t str>>, String> {
    let mut first: Vec<f64> = Vec::new();
    let mut values = Vec::with_capacity(channels.len());
    for (channel, text) in channels.iter().enumerate() {
        let wrong = |message: String| format!("channel {}: {message}", channel + 1);
        let mut steps = steps(text).map_err(wrong)?;
        steps.sort_by(|a, b| a.at.total_cmp(&b.at));
        if let Some(twice) = steps.windows(2).find(|pair| pair[0].at == pair[1].at) {
            let message = format!("the time `{}` comes twice. Leave one value for each time", shown(twice[1].time));
            return Err(wrong(message));
        }
        if channel == 0 {
            first = steps.iter().map(|step| step.at).collect();
        }
        let other = steps.iter().find(|step| first.binary_search_by(|at| at.total_cmp(&step.at)).is_err());
        if other.is_some() || steps.len() != first.len() {
            let which = match other {
                Some(step) => format!("the time `{}` is not one of channel 1", shown(step.time)),
                None => format!("it has {} times, but channel 1 has {}", steps.len(), first.len()),
            };
            return Err(wrong(format!(
                "{which}. A step holds a value of each channel: resample the channels to the same times, or write `?` where a value is missing"
            )));
        }
        values.push(steps.into_iter().map(|step| step.value).collect());
    }
    Ok(values)
}

struct Step<'t> {
    at: f64,
    time: &'t str,
    value: &'t str,
}

/// The steps of a channel, as they are written.
fn steps(text: &str) -> Result<Vec<Step<'_>>, String> {
    let mut steps = Vec::new();
    let mut rest = text.trim();
    loop {
        let inside = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let Some(((time, value), behind)) = inside.and_then(|(step, behind)| Some((step.rsplit_once(',')?, behind)))
        else {
            return Err(format!("`{}` is no `(time,value)`, as `@timeStamps true` says. Correct it", shown(rest)));
        };
        let time = time.trim().trim_matches(['"', '\'']);
        let number = || time.parse::<f64>().ok().filter(|number| number.is_finite());
        let Some(at) = number().or_else(|| moment(time).map(|at| at as f64)) else {
            return Err(format!("`{}` is no time. Write a number, or a date as 2015-02-04 17:51:00", shown(time)));
        };
        steps.push(Step { at, time, value: value.trim() });
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if rest.is_empty() => return Ok(steps),
            None => return Err(format!("`{}` stands behind a step. Put commas between steps", shown(rest))),
        }
    }
}
