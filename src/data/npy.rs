//! NumPy's arrays: `.npy`, and `.npz`, a zip file of them.

use super::{
    labels::{Labels, Place, Rule},
    npy_numbers::{Header, NumberFile, refused, unreadable},
    reading::Missing,
    records::open,
    rows::FileRows,
    sequences::{Parsed, SeriesOptions},
    spelling::{list, nearest, shown},
};
use crate::{Error, Result};
use half::f16;
use npyz::{NpyFile, Order, TypeChar};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use zip::ZipArchive;

/// An array in C order.
struct Array {
    shape: Vec<usize>,
    values: Values,
}

enum Values {
    Floats(Vec<f64>),
    Whole(Vec<i64>),
    Words(Vec<String>),
}

/// Names of series and their labels in `.npz` files, as they are usual.
const PAIRS: [[&str; 2]; 7] = [
    ["x", "y"],
    ["X", "y"],
    ["X", "Y"],
    ["x_train", "y_train"],
    ["X_train", "y_train"],
    ["data", "labels"],
    ["data", "target"],
];

/// Reads the series, and their labels where they are wanted.
pub(super) fn read(options: &SeriesOptions, npz: bool) -> Result<Parsed> {
    let path = options.path.as_path();
    let (series, labels) = if npz { from_zip(options)? } else { from_files(options)? };
    let shape = series.shape().to_vec();
    let (samples, steps, channels) = match shape[..] {
        [samples, steps, channels] => (samples, steps, channels),
        [samples, steps] => (samples, steps, 1),
        _ => {
            let message = format!(
                "the array of series has the shape {shape:?}. Save [samples, steps, features], or [samples, steps] of one feature"
            );
            return Err(Error::input(path, message));
        }
    };
    if samples == 0 || steps == 0 || channels == 0 || samples.saturating_mul(steps) > u32::MAX as usize {
        let message =
            format!("the array of series has the shape {shape:?}, which holds nothing or too much. Use another");
        return Err(Error::input(path, message));
    }
    let (rows, file) = match series {
        Series::Here(array) => (numbers(path, array.values)?, None),
        Series::InFile(file) if 4 * samples * steps * channels <= options.most_in_memory() => {
            (read_whole(path, &file, samples * steps * channels)?, None)
        }
        Series::InFile(file) => (Vec::new(), Some(FileRows::new(file, steps, channels))),
    };
    rows.chunks(steps * channels)
        .enumerate()
        .try_for_each(|(i, values)| check_finite(path, values, i, channels, options.missing))?;
    let mut parsed = Parsed {
        channels,
        rows,
        file,
        lengths: vec![steps as u32; samples],
        places: (0..samples as u32).collect(),
        labels: Labels::None,
        outputs: 1,
    };
    if let Some((path, labels)) = labels {
        read_labels(&path, labels, samples, options, &mut parsed)?;
    }
    Ok(parsed)
}

/// An array of series.
enum Series {
    Here(Array),
    /// Not read yet.
    InFile(NumberFile),
}

impl Series {
    fn shape(&self) -> &[usize] {
        match self {
            Series::Here(array) => &array.shape,
            Series::InFile(file) => &file.shape,
        }
    }
}

type SeriesAndLabels = (Series, Option<(PathBuf, Array)>);

fn from_files(options: &SeriesOptions) -> Result<SeriesAndLabels> {
    let series = match NumberFile::open(&options.path)? {
        Some(file) => Series::InFile(file),
        None => {
            check_size(options)?;
            Series::Here(array(&options.path, "", &bytes(&options.path)?)?)
        }
    };
    if !options.targets {
        return Ok((series, None));
    }
    let Some(path) = options.labels.clone().or_else(|| sibling(&options.path)) else {
        return Err(Error::input(
            &options.path,
            "an array of series needs its labels in another file. Name it with `--labels`, or save both in one .npz file",
        ));
    };
    let labels = array(&path, "", &bytes(&path)?)?;
    Ok((series, Some((path, labels))))
}

fn read_whole(path: &Path, file: &NumberFile, count: usize) -> Result<Vec<f32>> {
    let mut rows = Vec::new();
    if rows.try_reserve_exact(count).is_err() {
        let message = format!(
            "its series take {} bytes, more than there is memory. Leave them in the file, with a smaller `--host-memory`",
            4 * count
        );
        return Err(Error::input(path, message));
    }
    rows.resize(count, 0.0);
    file.read(0, &mut rows)?;
    Ok(rows)
}

/// Whether an array of which no parts can be read is small enough.
fn check_size(options: &SeriesOptions) -> Result<()> {
    let (path, most) = (options.path.as_path(), options.most_in_memory());
    let bytes = path.metadata().map_err(|e| Error::io(path, "read", e))?.len();
    if bytes <= most as u64 {
        return Ok(());
    }
    let message = format!(
        "it takes {bytes} bytes, more than the {most} that may be in memory, and only arrays of numbers in C order can stay in their file. Save `numpy.ascontiguousarray(x)`, or allow more with `--host-memory`"
    );
    Err(Error::input(path, message))
}

/// `y_train.npy` beside `x_train.npy`, if it is there.
fn sibling(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let rest = name.strip_prefix(['x', 'X'])?;
    ["y", "Y"].iter().map(|first| path.with_file_name(format!("{first}{rest}"))).find(|path| path.is_file())
}

fn from_zip(options: &SeriesOptions) -> Result<SeriesAndLabels> {
    let path = options.path.as_path();
    let broken = |e: zip::result::ZipError| Error::input(path, format!("not a readable .npz file: {e}. Save it again"));
    let mut archive = ZipArchive::new(open(path)?).map_err(broken)?;
    let plain = |name: &str| name.strip_suffix(".npy").map(str::to_owned);
    let names: Vec<String> = archive.file_names().filter_map(|name| plain(&name.ok()?)).collect();
    let [series, labels] = match &options.arrays {
        Some(arrays) => arrays.clone(),
        None => {
            let here = |name: &str| names.iter().any(|other| other == name);
            let usual = PAIRS.iter().find(|[x, y]| here(x) && (here(y) || !options.targets));
            let Some(pair) = usual else {
                let message = format!(
                    "which arrays are the series and their labels? Name them with `--arrays SERIES,LABELS`; there are {}",
                    list(&names)
                );
                return Err(Error::input(path, message));
            };
            pair.map(str::to_owned)
        }
    };
    let mut read = |name: &str| -> Result<Array> {
        if !names.iter().any(|other| other == name) {
            let meant = nearest(name, &names).map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default();
            let message = format!("there is no array `{}`.{meant} There are {}", shown(name), list(&names));
            return Err(Error::input(path, message));
        }
        let mut content = Vec::new();
        let mut member = archive.by_name(&format!("{name}.npy")).map_err(broken)?;
        member.read_to_end(&mut content).map_err(|e| Error::io(path, "read", e))?;
        array(path, &format!("array `{}`: ", shown(name)), &content)
    };
    let of_series = read(&series)?;
    let of_labels = if options.targets { Some((path.to_owned(), read(&labels)?)) } else { None };
    Ok((Series::Here(of_series), of_labels))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content).map_err(|e| Error::io(path, "read", e))?;
    Ok(content)
}

/// Reads an array; `which` stands before messages.
fn array(path: &Path, which: &str, content: &[u8]) -> Result<Array> {
    let wrong = |message: String| Error::input(path, format!("{which}{message}"));
    let file = NpyFile::new(content).map_err(|e| unreadable(path, which, e))?;
    let held = content.len() - header_bytes(content);
    let Header { shape, plain, order } = Header::of(path, which, file.header(), held as u64)?;
    let (size, fortran) = (plain.num_bytes().unwrap_or(0), order == Order::Fortran);
    macro_rules! read {
        ($kind:ident, $type:ty, $to:expr) => {{
            let values = file.into_vec::<$type>().map_err(|e| wrong(format!("{e}. Save it again")))?;
            Values::$kind(in_c_order(values.into_iter().map($to).collect(), &shape, fortran))
        }};
    }
    let values = match (plain.type_char(), size) {
        (TypeChar::Float, 2) => read!(Floats, f16, f64::from),
        (TypeChar::Float, 4) => read!(Floats, f32, f64::from),
        (TypeChar::Float, 8) => read!(Floats, f64, |v| v),
        (TypeChar::Int, 1) => read!(Whole, i8, i64::from),
        (TypeChar::Int, 2) => read!(Whole, i16, i64::from),
        (TypeChar::Int, 4) => read!(Whole, i32, i64::from),
        (TypeChar::Int, 8) => read!(Whole, i64, |v| v),
        (TypeChar::Uint, 1) => read!(Whole, u8, i64::from),
        (TypeChar::Uint, 2) => read!(Whole, u16, i64::from),
        (TypeChar::Uint, 4) => read!(Whole, u32, i64::from),
        (TypeChar::Uint, 8) => read!(Whole, u64, |v| i64::try_from(v).unwrap_or(i64::MAX)),
        (TypeChar::Bool, _) => read!(Whole, bool, i64::from),
        (TypeChar::UnicodeStr, _) => read!(Words, String, |v: String| v),
        (TypeChar::Float, _) => return Err(refused(path, which, &format!("floats of {size} bytes"))),
        _ => return Err(refused(path, which, &format!("values of the type `{plain}`"))),
    };
    Ok(Array { shape, values })
}

/// How many bytes of a file come before its values.
fn header_bytes(content: &[u8]) -> usize {
    // 6 bytes of magic, 2 of version, then the header's length: 2 bytes in version 1, 4 from version 2 on (NEP 1).
    match content {
        [_, _, _, _, _, _, 1, _, low, high, ..] => 10 + usize::from(u16::from_le_bytes([*low, *high])),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => 12 + u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => content.len(),
    }
    .min(content.len())
}

/// Values of Fortran order, whose first index moves fastest, in C order, whose last does.
fn in_c_order<V: Clone>(values: Vec<V>, shape: &[usize], fortran: bool) -> Vec<V> {
    if !fortran || shape.len() < 2 {
        return values;
    }
    let mut index = vec![0; shape.len()];
    let mut sorted = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let at = index.iter().zip(shape).rev().fold(0, |at, (&i, &size)| at * size + i);
        sorted.push(values[at].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    sorted
}

/// Values of series as f32.
fn numbers(path: &Path, values: Values) -> Result<Vec<f32>> {
    match values {
        Values::Floats(values) => Ok(values.into_iter().map(|value| value as f32).collect()),
        Values::Whole(values) => Ok(values.into_iter().map(|value| value as f32).collect()),
        Values::Words(_) => Err(Error::input(path, "the array of series holds words. Save it as numbers")),
    }
}

/// Whether the values of a series, given by its number, are numbers; NaN is one where values may be missing.
pub(super) fn check_finite(
    path: &Path,
    values: &[f32],
    series: usize,
    channels: usize,
    missing: Missing,
) -> Result<()> {
    let wrong = |value: &f32| value.is_infinite() || (value.is_nan() && missing == Missing::Error);
    let Some(at) = values.iter().position(wrong) else { return Ok(()) };
    let (step, feature) = (at / channels, at % channels);
    let what = if values[at].is_nan() {
        "NaN, a missing value. Fill it in, or say what becomes of missing values with `--missing`"
    } else {
        "infinite or beyond the largest number of 32 bits, 3.4e38. Correct it or scale the feature down"
    };
    let message = format!("sample {series}, step {step}, feature {feature} (each counted from 0) is {what}");
    Err(Error::input(path, message))
}

fn read_labels(path: &Path, array: Array, samples: usize, options: &SeriesOptions, parsed: &mut Parsed) -> Result<()> {
    let Array { shape, values } = array;
    let outputs = match shape[..] {
        [s] if s == samples => 1,
        [s, outputs] if s == samples && outputs > 0 => outputs,
        _ => {
            let message = format!(
                "the array of labels has the shape {shape:?}, but there are {samples} series. Save [{samples}], or [{samples}, outputs]"
            );
            return Err(Error::input(path, message));
        }
    };
    let texts: Vec<String> = match (&values, outputs) {
        (Values::Words(words), 1) => words.clone(),
        (Values::Words(_), _) => {
            return Err(Error::input(path, format!("labels in words must be [{samples}], not {shape:?}")));
        }
        (Values::Whole(whole), 1) if options.numbers != Some(true) => whole.iter().map(ToString::to_string).collect(),
        (Values::Floats(floats), 1) if options.numbers == Some(false) || options.label_classes.is_some() => {
            floats.iter().map(|v| if v.is_nan() { String::new() } else { v.to_string() }).collect()
        }
        (Values::Whole(_) | Values::Floats(_), _) => {
            let numbers: Vec<f64> = match values {
                Values::Floats(floats) => floats,
                Values::Whole(whole) => whole.into_iter().map(|v| v as f64).collect(),
                Values::Words(_) => Vec::new(),
            };
            match one_hot(&numbers, outputs).filter(|_| options.numbers != Some(true)) {
                Some(classes) => classes,
                None => return read_numbers(path, &numbers, outputs, options, parsed),
            }
        }
    };
    let mut labels = match &options.label_classes {
        Some(names) => Labels::given(names, "Correct the label, or train a model on data with this class")?,
        None => Labels::classes(Rule::Any),
    };
    for (i, text) in texts.iter().enumerate() {
        let place = Place { path, unit: "sample", line: i as u64, column: None };
        match text.is_empty() {
            false => labels.push(text.trim(), place)?,
            true if options.missing == Missing::Error => return Err(place.error("the label is missing".into())),
            true => labels.push_missing(),
        }
    }
    parsed.labels = labels;
    Ok(())
}

/// The class of each row that is 1 in one place and 0 elsewhere; none where a row is not so.
fn one_hot(values: &[f64], outputs: usize) -> Option<Vec<String>> {
    let class = |row: &[f64]| {
        let plain = row.iter().all(|&v| v == 0.0 || v == 1.0) && row.iter().sum::<f64>() == 1.0;
        row.iter().position(|&v| v == 1.0).filter(|_| plain).map(|class| class.to_string())
    };
    (outputs > 1).then(|| values.chunks(outputs).map(class).collect()).flatten()
}

fn read_numbers(
    path: &Path,
    values: &[f64],
    outputs: usize,
    options: &SeriesOptions,
    parsed: &mut Parsed,
) -> Result<()> {
    if options.label_classes.is_some() {
        return Err(Error::input(path, "the labels are numbers, but the model knows classes. Use labels of these"));
    }
    let numbers: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    let wrong = |value: &f32| value.is_infinite() || (value.is_nan() && options.missing == Missing::Error);
    if let Some(at) = numbers.iter().position(wrong) {
        let message = format!("sample {}: the label is {}. Correct it or remove the sample", at / outputs, numbers[at]);
        return Err(Error::input(path, message));
    }
    (parsed.labels, parsed.outputs) = (Labels::Numbers(numbers), outputs);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fortran_order_is_undone(shape in prop::collection::vec(1usize..5, 1..4)) {
            let count = shape.iter().product::<usize>();
            // Value = index in C order; stored where Fortran's order puts it.
            let mut stored = vec![0; count];
            for c in 0..count {
                let (mut rest, mut index) = (c, vec![0; shape.len()]);
                for axis in (0..shape.len()).rev() {
                    index[axis] = rest % shape[axis];
                    rest /= shape[axis];
                }
                let (mut at, mut stride) = (0, 1);
                for axis in 0..shape.len() {
                    at += index[axis] * stride;
                    stride *= shape[axis];
                }
                stored[at] = c;
            }
            prop_assert_eq!(in_c_order(stored, &shape, true), (0..count).collect::<Vec<_>>());
        }
    }
}
