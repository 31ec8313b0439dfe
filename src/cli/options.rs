//! Options that several commands share, and the ranges of numbers.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gatenorm::data::{Dataset, Labelled, SampleKind, SeriesOptions, TableOptions, TargetOf};
use gatenorm::exec::{Device, DeviceOptions};
use gatenorm::kernels::Precision;
use gatenorm::model::{ANY_LENGTH, Network};
use gatenorm::train::{DataSpec, Loss, Model};
use gatenorm::{Error, Result};

use super::memory;
use super::reading::ReadingFlags;
use super::report::talk;

/// Where to compute.
#[derive(Args)]
pub struct DeviceFlags {
    /// auto, cpu, gpu, or the name (or a part of it) or index of an adapter, as `gatenorm devices` lists them.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Keep wgpu's runtime checks in the kernels: slower, to look for faults.
    #[arg(long)]
    pub checked: bool,
    /// f16 rounds what matrix products before and after a recurrence multiply to half precision, sums in f32: for --cooperative-matrices,
    /// without which it is no faster.
    #[arg(long, value_name = "PRECISION", value_enum, default_value = "f32")]
    pub precision: PrecisionOf,
    /// Compute matrix products by the GPU's cooperative matrices (tensor cores): those of half precision with --precision f16. They are
    /// tried first, and used if they compute what they should.
    #[arg(long)]
    pub cooperative_matrices: bool,
}

/// In what precision matrix products take their operands.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PrecisionOf {
    F32,
    F16,
}

impl DeviceFlags {
    /// Opens the device; with a sentence that says why where `auto` took the CPU.
    pub fn open(&self) -> Result<(Device, Option<String>)> {
        Device::parse(&self.device, self.options())
    }

    /// The same where `auto` is the best adapter of any kind, software drivers included.
    pub fn open_gpu(&self) -> Result<Device> {
        match self.device.as_str() {
            "auto" => Device::any_gpu(self.options()),
            _ => Ok(self.open()?.0),
        }
    }

    /// Whether something is said of matrix products.
    pub fn is_of_products(&self) -> bool {
        self.precision != PrecisionOf::F32 || self.cooperative_matrices
    }

    fn options(&self) -> DeviceOptions {
        let precision = match self.precision {
            PrecisionOf::F32 => Precision::F32,
            PrecisionOf::F16 => Precision::F16,
        };
        let DeviceFlags { checked, cooperative_matrices, .. } = *self;
        DeviceOptions { checked, precision, cooperative_matrices, ..DeviceOptions::default() }
    }

    /// Opens the device and tells which it is.
    pub fn open_and_tell(&self) -> Result<Device> {
        let (device, why) = self.open()?;
        tell_device(&device, why.as_deref());
        Ok(device)
    }
}

/// The line that names the device, and one that says why it is the CPU.
pub fn tell_device(device: &Device, why: Option<&str>) {
    talk!("device   {device}");
    if let Some(why) = why {
        talk!("         {why}");
    }
}

/// How samples are made from a file. A model that was trained here knows this itself, and a .ts file too.
#[derive(Args)]
pub struct TableFlags {
    /// The column to predict; several columns of numbers make as many outputs, several of two words each (or of two
    /// numbers, with --loss binary_crossentropy) as many labels.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub target: Option<Vec<String>>,
    /// Rows in a sample.
    #[arg(long, value_name = "ROWS", value_parser = at_least_one, allow_negative_numbers = true)]
    pub window: Option<usize>,
    /// Rows from one sample to the next [default: 1; with --return-sequences those of a window].
    #[arg(long, value_name = "ROWS", value_parser = at_least_one, allow_negative_numbers = true)]
    pub stride: Option<usize>,
    /// Learn the target of every row of a window or series, not of its last alone: all LSTMs return sequences, as in Keras. Windows stand
    /// side by side unless --stride says else, so that each row is told once; a last one that ends with the data shares rows with the
    /// one before, which count once. Rows without a target count for nothing, if --missing allows them.
    #[arg(long, conflicts_with_all = ["row_steps", "labels", "series_column"])]
    pub return_sequences: bool,
    /// Take every row as a whole sample of so many steps: its first columns are step 0, the next step 1, and so on.
    #[arg(long, value_name = "STEPS", value_parser = at_least_one, allow_negative_numbers = true, conflicts_with_all = ["window", "stride"])]
    pub row_steps: Option<usize>,
    /// The columns to learn from, separated by commas [default: all but dates, --time, --group and, unless with --horizon, the
    /// target].
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// The labels of series: of a folder or .zip of them a table with a line each [default: labels.csv in it]; of those in a .npy
    /// file a .npy file [default: y_train.npy for x_train.npy].
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// The column of --labels that names the series' files, with or without the ending [default: the one that does].
    #[arg(long, value_name = "COLUMN")]
    pub series_column: Option<String>,
    /// The names of series and labels in a .npz file [default: x,y, or x_train,y_train, and the like].
    #[arg(long, value_name = "SERIES,LABELS", value_delimiter = ',')]
    pub arrays: Option<Vec<String>>,
    /// The most memory that the series of a .npy file take, such as 4GiB, or the columns of a table of numbers without missing values.
    /// Where they take more they stay in the file, those of a table in a temporary one, and are read while they are trained on
    /// [default: 1GiB for .npy, what it needs for a table].
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    pub host_memory: Option<usize>,
    #[command(flatten)]
    pub reading: ReadingFlags,
}

impl TableFlags {
    /// Reads the data of a new model; the loss, where it was named, says what the target is.
    pub fn load(&self, paths: &[PathBuf], loss: Option<Loss>) -> Result<Dataset> {
        self.load_windows(paths, loss, self.window)
    }

    /// The same with another number of rows in a sample.
    pub fn load_windows(&self, paths: &[PathBuf], loss: Option<Loss>, window: Option<usize>) -> Result<Dataset> {
        let path = first(paths)?;
        if Dataset::is_series(path) {
            self.refuse_for_series()?;
            let mut options = self.add_arrays(self.reading.add_missing(series(paths)?))?;
            if is_array(path) {
                options = match loss {
                    Some(loss) if loss.judges_classes() => options.categorical_target(),
                    Some(_) => options.numeric_target(),
                    None => options,
                };
            }
            return options.load();
        }
        self.refuse_arrays()?;
        if window.or(self.row_steps).is_none() && !self.is_folder(paths) {
            return Err(Error::usage(
                "how many rows make a sample? Say it with --window, such as --window 10; or with --row-steps, if every row is a whole sample",
            ));
        }
        self.read(paths, loss, window, Learned::Target)
    }

    /// Reads the data of a new model that gives them back.
    pub fn load_to_reconstruct(&self, paths: &[PathBuf]) -> Result<Dataset> {
        let why = "--reconstruct learns no target, but the rows themselves";
        self.refuse(why, &["--target", "--row-steps", "--series-column", "--return-sequences"])?;
        let path = first(paths)?;
        if self.labels.is_some() {
            return Err(Error::usage(format!("--labels does not fit here: {why}. Leave --labels out")));
        }
        if Dataset::is_series(path) {
            return Err(Error::usage(format!(
                "--reconstruct takes windows of the rows of tables, and {} is a file of series. Name a CSV file, or a folder of them",
                path.display()
            )));
        }
        self.refuse_arrays()?;
        if self.window.is_none() {
            return Err(Error::usage(
                "how many rows are to be given back at once? Say it with --window, such as --window 30",
            ));
        }
        self.read(paths, None, self.window, Learned::Input)
    }

    /// Reads data for a model from a file: as that model says, or, where it does not say, as the flags do.
    pub fn load_for(&self, paths: &[PathBuf], model: &Model, model_file: &Path, read: Read) -> Result<Dataset> {
        let path = first(paths)?;
        let Read { targets, new_categories } = read;
        let Some(spec) = model.data_spec() else {
            one_input_and_output(model.network(), model_file)?;
            return self.load_unsaid(paths, model, model_file, targets);
        };
        if spec.targets.len() < 2 {
            one_input_and_output(model.network(), model_file)?;
        }
        let spec = DataSpec { new_categories, ..self.agreed(spec, path, model_file)? };
        if !spec.is_table() {
            return self.add_arrays(spec.series(paths, targets)?)?.load();
        }
        if targets { spec.load_all(paths) } else { spec.load_all_inputs(paths) }
    }

    /// For a model that does not say how its input is made.
    fn load_unsaid(&self, paths: &[PathBuf], model: &Model, file: &Path, targets: bool) -> Result<Dataset> {
        let path = first(paths)?;
        if Dataset::is_series(path) {
            self.refuse_for_series()?;
            let options = self.add_arrays(self.reading.add_missing(series(paths)?))?;
            return if targets { options.load() } else { options.no_target().load() };
        }
        self.refuse_arrays()?;
        let steps = match *model.network().input_shape() {
            [steps, _] => Some(steps).filter(|&steps| steps != ANY_LENGTH),
            _ => None,
        };
        differs("--row-steps", self.row_steps, steps, file)?;
        if self.row_steps.is_none() {
            differs("--window", self.window, steps, file)?;
        }
        let learned = if targets { Learned::Target } else { Learned::Nothing };
        self.read(paths, Some(model.loss()), steps.or(self.window), learned)
    }

    fn read(&self, paths: &[PathBuf], loss: Option<Loss>, window: Option<usize>, learned: Learned) -> Result<Dataset> {
        let targets = learned == Learned::Target;
        let path = first(paths)?;
        let options = if self.is_folder(paths) { Dataset::folder(path) } else { Dataset::csv(path) };
        let mut options = paths[1..].iter().fold(options, |options, path| options.and(path));
        options = match (self.row_steps, window) {
            (Some(steps), _) => options.row_steps(steps),
            (None, Some(window)) => options.window(window),
            (None, None) => options,
        };
        if let Some(stride) = self.stride {
            options = options.stride(stride);
        }
        if self.return_sequences {
            options = options.return_sequences();
        }
        if let Some(labels) = &self.labels {
            options = options.labels(labels);
        }
        if let Some(column) = &self.series_column {
            options = options.series_column(column);
        }
        if let Some(columns) = &self.columns {
            options = options.columns(columns);
        }
        options = match &self.target {
            _ if !targets => options.no_target(),
            Some(targets) => options.targets(targets),
            None => options,
        };
        if let Some(bytes) = self.host_memory {
            options = options.host_memory(bytes);
        }
        options = self.reading.add(options);
        if learned == Learned::Input {
            options = options.reconstruct();
        }
        let several = self.target.as_ref().is_some_and(|names| names.len() > 1);
        if targets { target_of(options, loss, several) } else { options }.load()
    }

    /// The model's spec, once no flag contradicts it.
    fn agreed(&self, spec: &DataSpec, path: &Path, file: &Path) -> Result<DataSpec> {
        if Dataset::is_series(path) == spec.is_table() {
            let (data, file) = (path.display(), file.display());
            return Err(Error::usage(match spec.is_table() {
                false => format!("{file} takes the series of .ts, .arff, .npy and .npz files, which {data} is not"),
                true => {
                    format!("{file} takes CSV files with the columns {}, which {data} is not", spec.columns.join(", "))
                }
            }));
        }
        match spec.samples {
            SampleKind::Window => {
                self.refuse("the model takes windows of rows", &["--row-steps"])?;
                differs("--window", self.window, Some(spec.window), file)?;
                differs("--stride", self.stride, Some(spec.stride), file)?;
            }
            SampleKind::Row => {
                self.refuse("the model takes rows that are whole samples", &["--window", "--stride"])?;
                differs("--row-steps", self.row_steps, Some(spec.window), file)?;
            }
            SampleKind::Series if spec.is_table() => {
                self.refuse("the model takes whole series", &["--window", "--stride", "--row-steps"])?;
            }
            SampleKind::Series => self.refuse_for_series()?,
        }
        if spec.is_table() {
            self.refuse_arrays()?;
        }
        let of_rows = spec.reading.target_of == TargetOf::EveryRow;
        if self.return_sequences && !of_rows {
            let why = format!("{} learned one target for each sample", file.display());
            return self.refuse(&why, &["--return-sequences"]).map(|()| spec.clone());
        }
        let targets = (!spec.targets.is_empty()).then(|| spec.targets.join(","));
        let asked = self.target.as_ref().map(|targets| targets.join(","));
        differs("--target", asked.filter(|_| targets.is_some()), targets, file)?;
        self.reading.refuse(&format!("{} says itself how its data are read", file.display()))?;
        let columns = spec.columns.join(",");
        differs("--columns", self.columns.as_ref().map(|c| c.join(",")), Some(columns), file)?;
        let targets =
            if spec.targets.is_empty() { self.target.clone().unwrap_or_default() } else { spec.targets.clone() };
        let host_memory = self.host_memory;
        let mut spec = DataSpec { targets, labels: self.labels.clone(), host_memory, ..spec.clone() };
        if let Some(column) = &self.series_column {
            spec.reading.series = Some(Labelled::File(column.clone()));
        }
        Ok(spec)
    }

    /// Refuses these flags, or all.
    fn refuse(&self, why: &str, flags: &[&str]) -> Result<()> {
        let given = [
            ("--window", self.window.is_some()),
            ("--stride", self.stride.is_some()),
            ("--row-steps", self.row_steps.is_some()),
            ("--target", self.target.is_some()),
            ("--columns", self.columns.is_some()),
            ("--series-column", self.series_column.is_some()),
            ("--return-sequences", self.return_sequences),
        ];
        let refused = |(flag, given): &&(&str, bool)| *given && (flags == ["all"] || flags.contains(flag));
        match given.iter().find(refused) {
            Some((flag, _)) => Err(Error::usage(format!("{flag} does not fit here: {why}. Leave {flag} out"))),
            None => Ok(()),
        }
    }

    /// Refuses what files of series say themselves.
    fn refuse_for_series(&self) -> Result<()> {
        let why = "a file of series says itself what they are";
        self.refuse(why, &["all"])?;
        self.reading.refuse_for_series(why)
    }

    /// Whether the files are series each: in a folder, or with labels of their own.
    fn is_folder(&self, paths: &[PathBuf]) -> bool {
        self.labels.is_some() || paths.iter().any(Dataset::is_folder)
    }

    /// Refuses what is for arrays alone.
    fn refuse_arrays(&self) -> Result<()> {
        let given = [("--labels", self.labels.as_deref().is_some_and(is_array)), ("--arrays", self.arrays.is_some())];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(Error::usage(format!("{flag} of arrays is for .npy and .npz files. Leave {flag} out for a table")))
            }
            None => Ok(()),
        }
    }

    /// Reads another file for the same purpose, as `spec` says.
    pub fn load_like(&self, spec: &DataSpec, path: &Path) -> Result<Dataset> {
        DataSpec { host_memory: self.host_memory, ..spec.clone() }.load(path)
    }

    fn add_arrays(&self, mut options: SeriesOptions) -> Result<SeriesOptions> {
        if let Some(bytes) = self.host_memory {
            options = options.host_memory(bytes);
        }
        if let Some(labels) = &self.labels {
            options = options.labels(labels);
        }
        match self.arrays.as_deref() {
            None => Ok(options),
            Some([series, labels]) => Ok(options.arrays(series, labels)),
            Some(_) => Err(Error::usage("--arrays names two arrays: the series and the labels, such as --arrays x,y")),
        }
    }
}

/// The first of the files, which are all of series or all tables.
pub fn first(paths: &[PathBuf]) -> Result<&Path> {
    let [first, more @ ..] = paths else { return Err(Error::usage("there is no file to read")) };
    match more.iter().find(|path| Dataset::is_series(path) != Dataset::is_series(first)) {
        Some(other) => Err(Error::usage(format!(
            "of {} and {} one is a table and one a file of series, which are no data set together. Name files that are alike",
            first.display(),
            other.display()
        ))),
        None => Ok(first),
    }
}

/// Files of series as one data set.
pub fn series(paths: &[PathBuf]) -> Result<SeriesOptions> {
    Ok(paths[1..].iter().fold(Dataset::series(first(paths)?)?, |options, path| options.and(path)))
}

/// What samples are read for.
#[derive(Clone, Copy, PartialEq)]
enum Learned {
    Target,
    /// The samples themselves.
    Input,
    Nothing,
}

/// What is read for a model.
#[derive(Clone, Copy)]
pub struct Read {
    /// Whether its targets are there to be read.
    pub targets: bool,
    /// Whether categories that it does not know are none of those that it knows, instead of an error.
    pub new_categories: bool,
}

/// Refuses a model of several inputs or outputs: a file gives one of each.
pub fn one_input_and_output(network: &Network, file: &Path) -> Result<()> {
    let inputs: Vec<&str> = network.inputs.iter().filter_map(|input| input.name.as_deref()).collect();
    let several = match (network.inputs.len(), network.outputs.len()) {
        (0 | 1, 0 | 1) => return Ok(()),
        (0 | 1, _) => format!("gives several outputs ({})", network.output_names().join(", ")),
        _ => format!("takes several inputs ({})", inputs.join(", ")),
    };
    Err(Error::usage(format!(
        "{} {several}, but a data file makes one input and one target. Use it from the library (Dataset::with_input, with_target, Model::predict_all), or in Keras",
        file.display()
    )))
}

/// Whether a file holds arrays, by the end of its name.
fn is_array(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("npy") || end.eq_ignore_ascii_case("npz"))
}

/// What the loss says of the target; without one the values tell.
fn target_of(options: TableOptions, loss: Option<Loss>, several: bool) -> TableOptions {
    match loss {
        Some(loss) if loss == Loss::SparseCategoricalCrossentropy => options.categorical_target(),
        Some(loss) if !loss.judges_classes() => options.numeric_target(),
        Some(loss) if loss == Loss::BinaryCrossentropy && several => options.multi_label(),
        _ => options,
    }
}

/// Refuses a flag that says something else than the model.
fn differs<V: PartialEq + std::fmt::Display>(
    flag: &str,
    given: Option<V>,
    model: Option<V>,
    file: &Path,
) -> Result<()> {
    match (given, model) {
        (Some(given), Some(model)) if given != model => Err(Error::usage(format!(
            "`{flag} {given}` contradicts {}, which was made with `{flag} {model}`. Leave {flag} out, or train a new model without --model",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses to write a result over a file that is read.
pub fn keep_apart(flag: &str, out: &Path, inputs: &[Option<&PathBuf>]) -> Result<()> {
    let real = |path: &Path| path.canonicalize().ok();
    let same = |input: &&&PathBuf| real(out).is_some() && real(out) == real(input);
    match inputs.iter().flatten().find(same) {
        Some(input) => Err(Error::usage(format!(
            "{flag} {} would overwrite {}, which is read here. Give another name",
            out.display(),
            input.display()
        ))),
        None => Ok(()),
    }
}

/// A whole number of 1 or more.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err("give a whole number of at least 1".into()),
    }
}

/// The size of a layer.
pub fn units(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number @ 1..=16_384) => Ok(number),
        _ => Err("give whole numbers from 1 to 16384, separated by commas".into()),
    }
}

/// A whole number of 2 or more.
pub fn at_least_two(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number >= 2 => Ok(number),
        _ => Err("give a whole number of at least 2".into()),
    }
}

/// A size, a limit or a rate.
pub fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("give a number above 0, such as 0.001 or 1e-3".into()),
    }
}

/// A share of the whole.
pub fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("give a number between 0 and 1, such as 0.2".into()),
    }
}

/// How much of a velocity stays.
pub fn momentum(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("give a number of at least 0 and less than 1, such as 0.9".into()),
    }
}
