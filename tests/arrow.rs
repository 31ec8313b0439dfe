//! Parquet and Arrow tables are read as the same table in CSV.

use std::{fs, fs::File, path::PathBuf, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, ListArray, NullArray, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray,
    types::{Int8Type, Int32Type},
};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use gatenorm::data::{Dataset, Missing, TableOptions, TimeFeature};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn csv(&self, content: &str) -> PathBuf {
        fs::write(self.path("a.csv"), content).unwrap();
        self.path("a.csv")
    }

    fn parquet(&self, name: &str, batch: &RecordBatch, compression: Compression) -> PathBuf {
        let properties = WriterProperties::builder().set_compression(compression).build();
        let file = File::create(self.path(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        self.path(name)
    }

    /// The batch in every way that it can be written.
    fn all(&self, batch: &RecordBatch) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for (i, compression) in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
            Compression::LZ4_RAW,
            Compression::BROTLI(Default::default()),
        ]
        .into_iter()
        .enumerate()
        {
            paths.push(self.parquet(&format!("{i}.parquet"), batch, compression));
        }
        for (i, compression) in
            [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)].into_iter().enumerate()
        {
            let options = || IpcWriteOptions::default().try_with_compression(compression).unwrap();
            let path = self.path(&format!("{i}.feather"));
            let mut writer =
                FileWriter::try_new_with_options(File::create(&path).unwrap(), &batch.schema(), options()).unwrap();
            // Several batches, and one without a row.
            for part in [batch.slice(0, 1), batch.slice(1, 0), batch.slice(1, batch.num_rows() - 1)] {
                writer.write(&part).unwrap();
            }
            writer.finish().unwrap();
            paths.push(path);
            let path = self.path(&format!("{i}.ARROW"));
            let mut writer =
                StreamWriter::try_new_with_options(File::create(&path).unwrap(), &batch.schema(), options()).unwrap();
            writer.write(batch).unwrap();
            writer.finish().unwrap();
            paths.push(path);
        }
        paths
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Both tables give the same data set.
fn assert_same(paths: &[PathBuf], csv: PathBuf, change: impl Fn(TableOptions) -> TableOptions) {
    let expected = change(Dataset::csv(csv)).load().unwrap();
    for path in paths {
        let data = change(Dataset::csv(path)).load().unwrap();
        // As bits, for NaN.
        let bits = |data: &Dataset| data.rows().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&data), bits(&expected), "{}", path.display());
        assert_eq!((data.targets(), data.starts()), (expected.targets(), expected.starts()));
        assert_eq!((data.columns(), data.classes()), (expected.columns(), expected.classes()));
        assert_eq!((data.reading(), data.row_counts()), (expected.reading(), expected.row_counts()));
        assert_eq!(data.times(), expected.times());
        assert!(data.last_rows().eq(expected.last_rows()), "{}", path.display());
    }
}

const CSV: &str = "\
when,x,n,half,kind,code,open,price,none,y
2015-02-04 17:51:00,1.5,3,0.1,warm,7,True,1.50,,up
2015-02-04 17:52:00,,-4,1e-07,cold,,False,-0.25,,down
2015-02-04 17:53:00.5,16777217,5,3.4e38,warm,9,,10.00,,up
2015-02-04 17:54:00,-2e-3,6,-0.5,,7,True,0.00,,up
2015-02-04 18:54:00,0.1,2147483647,0.3,cold,7,True,2.00,,down
";

/// The table of [`CSV`].
fn table() -> RecordBatch {
    let minute = |minutes: i64| 1_423_072_260_000 + 60_000 * minutes;
    let times = vec![minute(0), minute(1), minute(2) + 500, minute(3), minute(63)];
    let kinds: DictionaryArray<Int32Type> =
        [Some("warm"), Some("cold"), Some("warm"), None, Some("cold")].into_iter().collect();
    let codes: DictionaryArray<Int8Type> = DictionaryArray::new(
        Int8Array::from(vec![Some(0), None, Some(1), Some(0), Some(0)]),
        Arc::new(Int64Array::from(vec![7, 9])),
    );
    let price = Decimal128Array::from(vec![150, -25, 1000, 0, 200]).with_precision_and_scale(9, 2).unwrap();
    batch(vec![
        ("when", Arc::new(TimestampMillisecondArray::from(times))),
        ("x", Arc::new(Float64Array::from(vec![Some(1.5), None, Some(16_777_217.0), Some(-2e-3), Some(0.1)]))),
        ("n", Arc::new(Int32Array::from(vec![3, -4, 5, 6, i32::MAX]))),
        ("half", Arc::new(Float32Array::from(vec![0.1, 1e-7, 3.4e38, -0.5, 0.3]))),
        ("kind", Arc::new(kinds)),
        ("code", Arc::new(codes)),
        ("open", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true), Some(true)]))),
        ("price", Arc::new(price)),
        ("none", Arc::new(NullArray::new(5))),
        ("y", Arc::new(StringArray::from(vec!["up", "down", "up", "up", "down"]))),
    ])
}

#[test]
fn a_table_is_read_as_the_same_in_csv() {
    let folder = Folder::new();
    let (paths, csv) = (folder.all(&table()), folder.csv(CSV));
    assert_eq!(paths.len(), 12);
    let columns = ["x", "n", "half", "kind", "code", "open", "price"];
    for missing in [Missing::Drop, Missing::Ffill, Missing::Interpolate, Missing::Mask] {
        assert_same(&paths, csv.clone(), |options| options.target("y").columns(columns).missing(missing));
    }
    let timed = |options: TableOptions| {
        let options = options.target("y").columns(["n", "half", "price"]).time(["when"]).window(2);
        options.time_features(TimeFeature::ALL)
    };
    assert_same(&paths, csv.clone(), timed);
    let known = Dataset::csv(&csv).target("y").columns(columns).missing(Missing::Ffill).load().unwrap();
    let again = |options: TableOptions| options.no_target().columns(columns).reading(known.reading().clone());
    assert_same(&paths, csv.clone(), again);
    // The control: another value, another data set.
    let other = Dataset::csv(folder.csv(&CSV.replace("-0.25", "-0.26"))).target("y").columns(columns);
    let same = Dataset::csv(&paths[0]).target("y").columns(columns).missing(Missing::Drop).load().unwrap();
    assert_ne!(other.missing(Missing::Ffill).load().unwrap().rows(), same.rows());
}

#[test]
fn windows_over_a_table_that_stays_in_a_file_are_those_of_one_in_memory() {
    let folder = Folder::new();
    let columns = ["n", "half", "price"];
    let numbers = || {
        let all = table();
        batch(
            columns
                .iter()
                .chain(&["when", "y"])
                .map(|&name| (name, all.column_by_name(name).unwrap().clone()))
                .collect(),
        )
    };
    for path in folder.all(&numbers()) {
        let table = || Dataset::csv(&path).target("y").window(2);
        let (memory, file) = (table().load().unwrap(), table().host_memory(24).load().unwrap());
        assert!(file.is_in_file() && !memory.is_in_file(), "{}", path.display());
        assert_eq!((file.columns(), file.len()), (memory.columns(), memory.len()));
        assert!((0..memory.len()).all(|i| file.sample(i) == memory.sample(i)), "{}", path.display());
    }
}

#[test]
fn moments_are_read_with_their_zones_and_dates_without() {
    let folder = Folder::new();
    let hours = vec![1_427_583_600_000_000, 1_427_587_200_000_000, 1_427_590_800_000_000];
    let zoned = TimestampMicrosecondArray::from(hours).with_timezone("Europe/Berlin");
    let table = batch(vec![("when", Arc::new(zoned)), ("x", Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0])))]);
    let csv = "when,x\n2015-03-29 00:00:00+01:00,1\n2015-03-29 01:00:00+01:00,2\n2015-03-29 03:00:00+02:00,3\n";
    let features = |options: TableOptions| options.no_target().time(["when"]).time_features(TimeFeature::ALL);
    assert_same(&folder.all(&table), folder.csv(csv), features);
    let days = batch(vec![
        ("x", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("day", Arc::new(Date32Array::from(vec![16_470, 16_471, 16_472]))),
    ]);
    let csv = "x,day\n1,2015-02-04\n2,2015-02-05\n3,2015-02-06\n";
    assert_same(&folder.all(&days), folder.csv(csv), |options| options.no_target().window(2));
}

#[test]
fn numbers_of_rows_that_pandas_keeps_are_no_column() {
    let folder = Folder::new();
    let table = batch(vec![
        ("x", Arc::new(Float32Array::from(vec![1.0, 2.0]))),
        ("__index_level_0__", Arc::new(Int64Array::from(vec![0, 1]))),
    ]);
    assert_same(&folder.all(&table), folder.csv("x\n1\n2\n"), TableOptions::no_target);
}

#[test]
fn columns_of_neither_numbers_nor_words_are_refused_by_name_where_they_are_used() {
    let folder = Folder::new();
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
    let table = batch(vec![
        ("x", Arc::new(Float32Array::from(vec![1.0, 2.0]))),
        ("parts", Arc::new(lists)),
        ("took", Arc::new(DurationSecondArray::from(vec![1, 2]))),
    ]);
    let path = folder.parquet("a.parquet", &table, Compression::SNAPPY);
    let says = |options: TableOptions, parts: &[&str]| {
        let text = options.load().unwrap_err().to_string();
        parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing from: {text}"));
    };
    let options = || Dataset::csv(&path).no_target();
    says(options(), &["a.parquet", "column `parts` holds lists", "`--columns`"]);
    says(options().columns(["x", "took"]), &["column `took` holds stretches of time"]);
    assert_eq!(options().columns(["x"]).load().unwrap().rows(), [1.0, 2.0]);
    says(Dataset::csv(&path).target("parts").columns(["x"]), &["column `parts` holds lists"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    for path in folder.all(&table()) {
        let bytes = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for part in [&bytes[..bytes.len() / 2], &bytes[..12], b"", b"x,y\n1,2\n"] {
            fs::write(&path, part).unwrap();
            let error = Dataset::csv(&path).no_target().load().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
    let path = folder.path("old.feather");
    fs::write(&path, b"FEA1...FEA1").unwrap();
    assert!(Dataset::csv(&path).no_target().load().unwrap_err().to_string().contains("first version of Feather"));
    let empty = folder.parquet("empty.parquet", &table().slice(0, 0), Compression::SNAPPY);
    assert!(Dataset::csv(&empty).no_target().load().unwrap_err().to_string().contains("no rows"));
}

#[test]
fn folders_may_hold_them_too() {
    let folder = Folder::new();
    for (name, values) in [("a.parquet", vec![1.0, 2.0]), ("b.parquet", vec![3.0])] {
        let column: ArrayRef = Arc::new(Float32Array::from(values));
        folder.parquet(name, &batch(vec![("x", column)]), Compression::SNAPPY);
    }
    let labels = batch(vec![
        ("file", Arc::new(StringArray::from(vec!["b", "a"]))),
        ("y", Arc::new(StringArray::from(vec!["up", "down"]))),
    ]);
    folder.parquet("labels.parquet", &labels, Compression::SNAPPY);
    let data = Dataset::folder(folder.0.path()).load().unwrap();
    assert_eq!((data.targets(), data.lengths()), (&[0.0, 1.0][..], Some(&[2, 1][..])));
}
