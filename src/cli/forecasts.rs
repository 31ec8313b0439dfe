//! A model's forecasts beside those that need no model.

use gatenorm::model::grouped;
use gatenorm::train::ForecastErrors;

/// A line for each way to forecast; of many horizons the first, the last and all together. None where there are no forecasts.
pub fn table(errors: &[ForecastErrors], windows: &str) -> Option<String> {
    let first = errors.first()?;
    let ahead: Vec<usize> =
        errors.iter().filter(|e| e.target == first.target && e.by == first.by).filter_map(|e| e.ahead).collect();
    let ends = [ahead.first().copied(), ahead.last().copied()];
    let shown = |e: &&ForecastErrors| ahead.len() <= 3 || e.ahead.is_none() || ends.contains(&e.ahead);
    let what = |e: &ForecastErrors| match e.ahead {
        Some(ahead) => format!("{}, {ahead} ahead", e.target),
        None => format!("{}, all horizons", e.target),
    };
    let lines: Vec<[String; 5]> = errors
        .iter()
        .filter(shown)
        .map(|e| [what(e), e.by.clone(), format!("{:.4}", e.rmse), format!("{:.4}", e.mae), grouped(e.forecasts)])
        .collect();
    let header =
        ["target".to_owned(), "forecast by".into(), "RMSE".into(), "MAE".into(), format!("of {windows} windows")];
    let width =
        |column: usize| lines.iter().chain([&header]).map(|line| line[column].chars().count()).max().unwrap_or(0);
    let [target, by, rmse, mae] = [width(0), width(1), width(2), width(3)];
    let line = |[a, b, c, d, e]: &[String; 5]| format!("{a:target$}  {b:by$}  {c:>rmse$}  {d:>mae$}  {e}");
    Some(std::iter::once(&header).chain(&lines).map(line).collect::<Vec<_>>().join("\n"))
}
