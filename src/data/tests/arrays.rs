//! NumPy's files.

use super::*;
use crate::data::{Missing, SeriesOptions};
use std::io::{Cursor, Write};

/// An array as NumPy 1.x writes it.
fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
}

fn floats(shape: &str, values: &[f32]) -> Vec<u8> {
    npy("'<f4'", false, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

fn whole(shape: &str, values: &[i64]) -> Vec<u8> {
    npy("'<i8'", false, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

struct Folder(TempDir);

impl Folder {
    fn of(files: &[(&str, Vec<u8>)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, content)| fs::write(folder.path(name), content).unwrap());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self, name: &str) -> SeriesOptions {
        Dataset::series(self.path(name)).unwrap()
    }
}

/// The series of a single file without labels.
fn series(content: Vec<u8>) -> Dataset {
    Folder::of(&[("a.npy", content)]).options("a.npy").no_target().load().unwrap()
}

fn message(content: Vec<u8>, change: impl FnOnce(SeriesOptions) -> SeriesOptions) -> String {
    let folder = Folder::of(&[("a.npy", content)]);
    change(folder.options("a.npy").no_target()).load().unwrap_err().to_string()
}

#[test]
fn arrays_are_read_however_numpy_writes_them() {
    let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let plain = series(floats("(2, 3, 2)", &values));
    assert_eq!((plain.len(), plain.input_shape(), plain.has_targets()), (2, &[3, 2][..], false));
    assert_eq!((plain.rows(), plain.columns()), (&values[..], &["channel 1".into(), "channel 2".into()][..]));
    assert_eq!(plain.last_rows().collect::<Vec<_>>(), [0, 1]);
    fn bytes<const N: usize>(of: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
        (0..12).flat_map(|i| of(i as f32)).collect()
    }
    // Stored with the sample's index moving fastest: [s, t, f] at s + 2 t + 6 f.
    let fortran: Vec<u8> =
        (0..12).flat_map(|at| ((at % 2 * 6 + at / 2 % 3 * 2 + at / 6) as f32).to_le_bytes()).collect();
    for (what, content) in [
        ("big-endian", npy("'>f4'", false, "(2, 3, 2)", &bytes(|v| v.to_be_bytes()))),
        ("f16", npy("'<f2'", false, "(2, 3, 2)", &bytes(|v| half::f16::from_f32(v).to_le_bytes()))),
        ("f64", npy("'<f8'", false, "(2, 3, 2)", &bytes(|v| f64::from(v).to_le_bytes()))),
        ("i2, big-endian", npy("'>i2'", false, "(2, 3, 2)", &bytes(|v| (v as i16).to_be_bytes()))),
        ("u1", npy("'|u1'", false, "(2, 3, 2)", &bytes(|v| [v as u8]))),
        ("u4", npy("'<u4'", false, "(2, 3, 2)", &bytes(|v| (v as u32).to_le_bytes()))),
        ("Fortran", npy("'<f4'", true, "(2, 3, 2)", &fortran)),
    ] {
        assert_eq!(series(content).rows(), &values[..], "{what}");
    }
    let flat = series(floats("(2, 6)", &values));
    assert_eq!((flat.input_shape(), flat.sample(1).0), (&[6, 1][..], values[6..].to_vec()));
    let bools = series(npy("'|b1'", false, "(2, 2)", &[1, 0, 0, 1]));
    assert_eq!(bools.rows(), [1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn labels_stand_in_a_file_of_their_own_or_beside_the_series() {
    let x = floats("(4, 2)", &[0.0; 8]);
    let folder = Folder::of(&[
        ("x_train.npy", x.clone()),
        ("y_train.npy", whole("(4,)", &[7, 3, 7, 12])),
        ("a.npy", x.clone()),
        (
            "words.npy",
            npy("'<U2'", false, "(4,)", &"noyenoye".chars().flat_map(|c| (c as u32).to_le_bytes()).collect::<Vec<_>>()),
        ),
        ("set.npz", npz(&[("x.npy", x.clone()), ("y.npy", whole("(4, 1)", &[0, 1, 1, 0]))])),
        (
            "one_hot.npz",
            npz(&[
                ("X.npy", x.clone()),
                ("y.npy", floats("(4, 3)", &[1., 0., 0., 0., 0., 1., 0., 1., 0., 1., 0., 0.])),
            ]),
        ),
        (
            "numbers.npz",
            npz(&[("data.npy", x.clone()), ("target.npy", floats("(4, 2)", &[1., 2., 3., 4., 5., 6., 7., 8.]))]),
        ),
    ]);
    let beside = folder.options("x_train.npy").load().unwrap();
    assert_eq!(
        (beside.targets(), beside.classes().unwrap()),
        (&[1., 0., 1., 2.][..], &["3".into(), "7".into(), "12".into()][..])
    );
    let words = folder.options("a.npy").labels(folder.path("words.npy")).load().unwrap();
    assert_eq!((words.targets(), words.classes().unwrap()), (&[0., 1., 0., 1.][..], &["no".into(), "ye".into()][..]));
    let set = folder.options("set.npz").load().unwrap();
    assert_eq!((set.targets(), set.target_name()), (&[0., 1., 1., 0.][..], Some("class")));
    let one_hot = folder.options("one_hot.npz").load().unwrap();
    assert_eq!((one_hot.targets(), one_hot.classes().unwrap().len()), (&[0., 2., 1., 0.][..], 3));
    let numbers = folder.options("numbers.npz").load().unwrap();
    assert_eq!((numbers.target_shape(), numbers.sample(3).1, numbers.classes()), (&[2][..], vec![7., 8.], None));
    let named = folder.options("set.npz").arrays("x", "y").numeric_target().load().unwrap();
    assert_eq!((named.targets(), named.classes()), (&[0., 1., 1., 0.][..], None));
    let known = folder.options("x_train.npy").label_classes(["12", "7", "3"]).channels(1).load().unwrap();
    assert_eq!(known.targets(), [1., 2., 1., 0.]);
    let error = folder.options("x_train.npy").label_classes(["3", "7"]).load().unwrap_err().to_string();
    assert!(error.contains("y_train.npy: sample 3: `12` is not one of the two classes"), "{error}");
}

#[test]
fn arrays_that_cannot_be_used_are_explained() {
    let says = |content: Vec<u8>, parts: &[&str]| {
        let text = message(content, |options| options);
        parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing from: {text}"));
        assert!(text.contains("a.npy: ") && !text.contains('\n'), "{text}");
    };
    let whole_file = floats("(2, 2, 1)", &[1.0, 2.0, 3.0, 4.0]);
    says(whole_file[..whole_file.len() - 3].to_vec(), &["cut off: 13 bytes of values", "needs 16"]);
    says(whole_file[..20].to_vec(), &["not a readable .npy array"]);
    says(b"a,b\n1,2\n".to_vec(), &["not a readable .npy array"]);
    says(vec![], &["not a readable .npy array"]);
    says(npy("'|O'", false, "(2, 2)", b"\x80\x04."), &["Python objects (dtype object)", "astype"]);
    says(npy("'<c8'", false, "(1, 2)", &[0; 16]), &["no numbers", "astype"]);
    says(npy("[('a', '<f4'), ('b', '<f4')]", false, "(2,)", &[0; 16]), &["records of several fields"]);
    says(npy("'<f16'", false, "(2, 2)", &[0; 64]), &["floats of 16 bytes", "float32"]);
    says(floats("(4,)", &[0.0; 4]), &["the shape [4]", "[samples, steps, features]"]);
    says(floats("(0, 3, 1)", &[]), &["holds nothing"]);
    says(floats("(1, 2, 2)", &[0.0, 1.0, f32::NAN, 2.0]), &["sample 0, step 1, feature 0", "NaN", "--missing"]);
    says(floats("(2, 1)", &[0.0, f32::INFINITY]), &["sample 1, step 0, feature 0", "infinite"]);
    let text = message(floats("(2, 2)", &[0.0; 4]), |options| options.channels(3));
    assert!(text.contains("have 1 channels, but the model takes 3"), "{text}");
}

#[test]
fn labels_that_cannot_be_used_are_explained() {
    let x = floats("(2, 2)", &[0.0; 4]);
    let error = |files: &[(&str, Vec<u8>)], name: &str, change: fn(SeriesOptions) -> SeriesOptions| {
        change(Folder::of(files).options(name)).load().unwrap_err().to_string()
    };
    let alone = error(&[("a.npy", x.clone())], "a.npy", |options| options);
    assert!(alone.contains("labels in another file") && alone.contains("--labels"), "{alone}");
    let files = [("x.npy", x.clone()), ("y.npy", whole("(3,)", &[0, 1, 0]))];
    let shape = error(&files, "x.npy", |options| options);
    assert!(shape.contains("y.npy: ") && shape.contains("the shape [3], but there are 2 series"), "{shape}");
    let other = [("set.npz", npz(&[("samples.npy", x.clone()), ("yy.npy", whole("(2,)", &[0, 1]))]))];
    let unnamed = error(&other, "set.npz", |options| options);
    assert!(unnamed.contains("--arrays") && unnamed.contains("`samples`, `yy`"), "{unnamed}");
    let slip = error(&other, "set.npz", |options| options.arrays("sample", "yy"));
    assert!(slip.contains("no array `sample`. Did you mean `samples`?"), "{slip}");
    let missing =
        error(&[("x.npy", x.clone()), ("y.npy", floats("(2,)", &[1.0, f32::NAN]))], "x.npy", |options| options);
    assert!(missing.contains("sample 1: the label is NaN"), "{missing}");
    let broken = error(&[("set.npz", b"PK\x03\x04".to_vec())], "set.npz", |options| options);
    assert!(broken.contains("not a readable .npz file"), "{broken}");
    let ts = Dataset::ts("a.ts").labels("y.npy").load().unwrap_err().to_string();
    assert!(ts.contains("--labels is for series in a .npy file"), "{ts}");
    assert!(Dataset::series("a.csv").unwrap_err().to_string().contains(".ts, .arff, .npy or .npz"));
}

#[test]
fn missing_values_of_series_follow_the_policy() {
    let nan = f32::NAN;
    let x = floats("(3, 3)", &[1., nan, 3., nan, 5., 6., 7., 8., 9.]);
    let files = [("x.npy", x), ("y.npy", whole("(3,)", &[0, 1, 0]))];
    let read = |how| Folder::of(&files).options("x.npy").missing(how).load().unwrap();
    let dropped = read(Missing::Drop);
    assert_eq!(
        (dropped.len(), dropped.sample(0), dropped.row_counts().incomplete),
        (1, (vec![7., 8., 9.], vec![0.]), 2)
    );
    let filled = read(Missing::Ffill);
    assert_eq!((filled.len(), filled.sample(0).0, filled.row_counts().filled), (2, vec![1., 1., 3.], 1));
    assert_eq!(read(Missing::Interpolate).sample(0).0, [1., 2., 3.]);
    let masked = read(Missing::Mask);
    assert!(masked.len() == 3 && masked.has_masked_rows() && masked.sample(0).0[1].is_nan());
    assert_eq!(masked.feature_statistics().unwrap().mean, [39.0 / 7.0]);
    let left =
        Folder::of(&[("x.npy", floats("(1, 1)", &[nan]))]).options("x.npy").no_target().missing(Missing::Drop).load();
    assert!(left.unwrap_err().to_string().contains("no series is left"));
}

/// Everything that a data set tells of its samples.
fn told(data: &Dataset) -> String {
    let samples: Vec<_> = (0..data.len()).map(|i| data.sample(i)).collect();
    let statistics = data.feature_statistics().unwrap();
    let (places, masked) = (data.last_rows().collect::<Vec<_>>(), data.has_masked_rows());
    format!("{samples:?} {statistics:?} {:?} {places:?} {masked} {:?}", data.row_counts(), data.input_shape())
}

#[test]
fn series_that_stay_in_their_file_are_the_same_as_in_memory() {
    let nan = f32::NAN;
    let values: Vec<f32> = (0..24).map(|i| if i == 5 || i == 14 { nan } else { (i as f32).sin() }).collect();
    let x = floats("(6, 2, 2)", &values);
    let doubles: Vec<u8> = (0..24).flat_map(|i| (0.1 * f64::from(i)).to_be_bytes()).collect();
    let files = [
        ("x.npy", x),
        ("y.npy", whole("(6,)", &[0, 1, 0, 1, 1, 0])),
        ("doubles.npy", npy("'>f8'", false, "(6, 4)", &doubles)),
    ];
    let folder = Folder::of(&files);
    for how in [Missing::Drop, Missing::Ffill, Missing::Interpolate, Missing::Mask] {
        let options = || folder.options("x.npy").missing(how);
        let (memory, file) = (options().load().unwrap(), options().host_memory(95).load().unwrap());
        assert_eq!((memory.is_in_file(), file.is_in_file(), file.rows().len()), (false, true, 0));
        assert_eq!(told(&file), told(&memory), "{how:?}");
        let parts = |data: &Dataset| data.split_random(0.5, 3).map(|(a, b)| told(&a) + &told(&b)).unwrap();
        assert_eq!(parts(&file), parts(&memory), "{how:?}");
    }
    let doubles = || folder.options("doubles.npy").no_target();
    let file = doubles().host_memory(95).load().unwrap();
    assert_eq!(told(&file), told(&doubles().host_memory(96).load().unwrap()));
    assert!(file.pad_to(9).unwrap_err().to_string().contains("stay in their file"));
    let error = folder.options("x.npy").host_memory(0).load().unwrap_err().to_string();
    assert_eq!(error, folder.options("x.npy").load().unwrap_err().to_string());
    assert!(error.contains("sample 1, step 0, feature 1"), "{error}");
}

#[test]
fn large_arrays_that_cannot_stay_in_their_file_are_refused() {
    let fortran = npy("'<f4'", true, "(2, 3)", &[0; 24]);
    let text = message(fortran, |options| options.host_memory(23));
    assert!(text.contains("ascontiguousarray") && text.contains("--host-memory"), "{text}");
    let folder = Folder::of(&[("set.npz", npz(&[("x.npy", floats("(1, 1)", &[0.0]))]))]);
    let text = folder.options("set.npz").host_memory(1 << 30).load().unwrap_err().to_string();
    assert!(text.contains("--host-memory is for series in a .npy file"), "{text}");
}

proptest! {
    #[test]
    fn any_bytes_give_a_data_set_or_an_error_that_names_the_file(at in 0usize..140, byte in any::<u8>(), cut in 0usize..150) {
        let mut content = floats("(2, 2, 1)", &[1.0, 2.0, 3.0, 4.0]);
        let (at, cut) = (at.min(content.len() - 1), cut.min(content.len()));
        content[at] = byte;
        for content in [content.clone(), content[..cut].to_vec()] {
            let folder = Folder::of(&[("a.npy", content)]);
            match folder.options("a.npy").no_target().load() {
                Ok(data) => prop_assert!(!data.is_empty() && data.rows().iter().all(|x| x.is_finite())),
                Err(error) => prop_assert!(error.to_string().contains("a.npy: "), "{}", error),
            }
        }
    }
}

#[test]
fn several_arrays_are_one_data_set_with_the_labels_beside_each() {
    let folder = Folder::of(&[
        ("x_1.npy", floats("(1, 2)", &[1.0, 2.0])),
        ("y_1.npy", whole("(1,)", &[7])),
        ("x_2.npy", floats("(2, 3)", &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0])),
        ("y_2.npy", whole("(2,)", &[5, 7])),
        ("wide.npy", floats("(1, 1, 2)", &[0.0; 2])),
        ("y_3.npy", floats("(1,)", &[0.5])),
        ("x_3.npy", floats("(1, 2)", &[0.0; 2])),
    ]);
    let data = folder.options("x_1.npy").and(folder.path("x_2.npy")).load().unwrap();
    assert_eq!((data.lengths(), data.targets()), (Some(&[2, 3, 3][..]), &[1.0, 0.0, 1.0][..]));
    assert_eq!((data.classes().unwrap(), data.sample(2).0), (&["5".into(), "7".into()][..], vec![6.0, 7.0, 8.0]));
    assert!(data.files().unwrap().map(|file| file.file_name().unwrap()).eq(["x_1.npy", "x_2.npy", "x_2.npy"]));
    let says = |other: &str, change: fn(SeriesOptions) -> SeriesOptions, part: &str| {
        let text = change(folder.options("x_2.npy").and(folder.path(other))).load().unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    };
    says("wide.npy", SeriesOptions::no_target, "wide.npy: the series have 2 channels, but those of");
    says("x_3.npy", |options| options, "x_3.npy: its labels are of another kind than those of");
    says("x_1.npy", |options| options.labels("y.npy"), "--labels is for a single .npy file");
    says("x_1.npy", |options| options.host_memory(8), "Raise `--host-memory`");
    says("notes.txt", |options| options, "notes.txt is no file of series");
}
