//! `.ts` files of labelled series.

use super::*;
use crate::{
    data::{Missing, SeriesOptions},
    model::ANY_LENGTH,
};

fn options(content: impl AsRef<[u8]>) -> (TestFile, SeriesOptions) {
    let file = TestFile::new(content);
    let options = Dataset::ts(&file.path);
    (file, options)
}

fn load(content: impl AsRef<[u8]>) -> Dataset {
    let (_file, options) = options(content);
    options.load().unwrap()
}

/// The message of a failed load holds every one of `parts`, names the file, and is one paragraph.
fn assert_says(content: impl AsRef<[u8]>, change: impl FnOnce(SeriesOptions) -> SeriesOptions, parts: &[&str]) {
    let (_file, options) = options(content);
    let message = change(options).load().expect_err(&format!("{parts:?}")).to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing from: {message}");
    }
    assert!(message.contains("room.csv: ") && !message.contains('\n') && !message.contains("  "), "{message}");
}

fn assert_file_says(content: impl AsRef<[u8]>, parts: &[&str]) {
    assert_says(content, |options| options, parts);
}

const HEADER: &str = "@classLabel true b a\n@data\n";
const TWO: &str = "# a comment\n@problemName two\n@timeStamps false\n@univariate false\n@dimensions 2\n@equalLength false\n@classLabel true b a\n@data\n1,2,3:4,5,6:a\n7,8:9,10:b\n";

#[test]
fn channels_become_features_and_series_keep_their_lengths() {
    let data = load(TWO);
    assert_eq!((data.len(), data.input_shape(), data.target_shape()), (2, &[ANY_LENGTH, 2][..], &[1][..]));
    assert_eq!(data.steps(), 3);
    assert_eq!(data.sample(0), (vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0], vec![0.0]));
    assert_eq!(data.sample(1), (vec![7.0, 9.0, 8.0, 10.0], vec![1.0]));
    assert_eq!((data.starts(), data.lengths()), (&[0, 3][..], Some(&[3, 2][..])));
    assert_eq!(data.columns(), ["channel 1", "channel 2"]);
    assert_eq!((data.classes().unwrap(), data.target_name()), (&["a".into(), "b".into()][..], Some("class")));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [9, 10]);
    assert_eq!(data.sample_kind(), SampleKind::Series);
    assert_eq!(data.feature_statistics().unwrap().mean, [21.0 / 5.0, 34.0 / 5.0], "only over real steps");
    let equal = load(format!("{HEADER}1,2:a\n3,4:b\n"));
    assert_eq!((equal.lengths(), equal.input_shape()), (None, &[2, 1][..]));
}

#[test]
fn the_same_series_are_read_however_they_are_written() {
    let plain = load(TWO);
    for (what, content) in [
        ("keys in lower case", TWO.to_lowercase()),
        (
            "keys and truths in upper case",
            TWO.replace("@classLabel true", "@CLASSLABEL TRUE").replace("@data", "@DATA"),
        ),
        ("line breaks of Windows", TWO.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{TWO}")),
        ("no line break at the end", TWO.trim_end().to_owned()),
        ("blanks", TWO.replace(',', " , ").replace(':', " : ").replace("@data", " @data ")),
        ("tabs in the header", TWO.replace("@dimensions 2", "@dimensions\t2").replace("true b a", "true\tb  a")),
        ("the other spelling", TWO.replace("dimensions", "dimension")),
        ("neither channels nor lengths", TWO.replace("@dimensions 2\n@equalLength false\n", "\n#\n")),
        ("classes that are not listed", TWO.replace("true b a", "true")),
    ] {
        let data = load(&content);
        assert_eq!((data.rows(), data.lengths()), (plain.rows(), plain.lengths()), "{what}");
        assert_eq!((data.targets(), data.classes()), (plain.targets(), plain.classes()), "{what}");
    }
    let latin = [b"# Universit\xe9 \xff\n".as_slice(), TWO.as_bytes()].concat();
    assert_eq!(load(latin).rows(), plain.rows(), "a comment need not be UTF-8");
}

#[test]
fn classes_are_those_of_the_header_by_size() {
    let data = load("@classLabel true 10 9 1.0\n@data\n1:9\n2:10.0\n3:9\n");
    assert_eq!(data.classes().unwrap(), ["1", "9", "10"]);
    assert_eq!((data.targets(), data.class_balance()), (&[1.0, 2.0, 1.0][..], Some(vec![0, 2, 1])));
    let (_file, options) = options("@classLabel true 10 9 1\n@data\n1:9\n");
    assert_eq!(options.label_classes(["9", "1", "10"]).load().unwrap().targets(), [0.0], "as the model knows them");
}

#[test]
fn targets_of_numbers_and_none() {
    let data = load("@targetLabel true\n@data\n1,2:0.5\n3,4:-7\n");
    assert_eq!((data.targets(), data.classes(), data.target_name()), (&[0.5, -7.0][..], None, Some("target")));
    for content in
        ["@data\n1,2\n3,4\n", "@classLabel false\n@data\n1,2\n3,4\n", "@classLabel true a\n@data\n1,2:?\n3,4:z\n"]
    {
        let (_file, options) = options(content);
        let data = options.no_target().load().unwrap();
        assert_eq!((data.rows(), data.has_targets()), (&[1.0, 2.0, 3.0, 4.0][..], false), "{content}");
    }
}

#[test]
fn values_that_cannot_be_used_are_named_with_their_place() {
    for (value, what) in [
        ("?", "`?` stands for a missing value"),
        ("NaN", "`NaN` stands for a missing value"),
        ("", "the field is empty"),
        ("x", "`x` is not a number"),
        ("inf", "`inf` is not a finite number"),
        ("1e39", "beyond the largest number"),
    ] {
        let content = TWO.replace("9,10", &format!("9,{value}"));
        assert_file_says(content, &["line 10: channel 2, step 2: ", what]);
    }
    assert_file_says(TWO.replace(":b", ":?"), &["line 10: `?` stands for a missing value", "correct the value"]);
    assert_file_says(
        TWO.replace(":b", ":c"),
        &["line 10: `c` is not one of the two classes `a`, `b`", "`@classLabel`"],
    );
    assert_file_says("@targetLabel true\n@data\n1:x\n", &["line 3: `x` is not a number"]);
    assert_file_says([HEADER.as_bytes(), b"1,\xff:a\n"].concat(), &["line 3", "not UTF-8"]);
}

#[test]
fn series_that_contradict_the_header_or_themselves_are_named() {
    assert_file_says(TWO.replace("4,5,6", "4,5"), &["line 9: channel 2 has 2 steps, but channel 1 has 3"]);
    assert_file_says(TWO.replace("7,8:", ""), &["line 10: 1 channels", "must have 2", "colon"]);
    assert_file_says(TWO.replace("dimensions 2", "dimensions 3"), &["line 9: 2 channels", "must have 3"]);
    assert_file_says(format!("{HEADER}1,2\n"), &["line 3: there is no colon"]);
    let equal = TWO.replace("equalLength false", "equalLength true");
    assert_file_says(&equal, &["line 10: 2 steps", "`@equalLength true`", "has 3"]);
    let length = equal.replace("@data", "@seriesLength 4\n@data");
    assert_file_says(length, &["line 10: 3 steps", "has 4"]);
}

#[test]
fn a_header_that_cannot_be_used_is_explained() {
    assert_file_says("", &["no `@data` line"]);
    assert_file_says("@classLabel true a b\n1,2:a\n", &["line 2", "`1,2:a` stands before `@data`"]);
    assert_file_says("a,b,y\n1,2,0\n", &["line 1", "A .ts file begins with"]);
    assert_file_says("@timeStamps perhaps\n@data\n", &["line 1", "`@timeStamps`", "neither `true` nor `false`"]);
    assert_file_says("@UNIVARIATE perhaps\n", &["line 1", "`@UNIVARIATE`", "neither `true` nor `false`"]);
    assert_file_says("@univariate true\n@dimensions 3\n", &["line 2", "3 channels", "says 1"]);
    assert_file_says("@seriesLength 0\n", &["line 1", "`0` is no whole number"]);
    assert_file_says("@classLabel true a b\n@targetLabel true\n", &["line 2", "cannot both be true"]);
    assert_file_says("@classLabel true a\n@data\n1:a\n", &["lists one class"]);
    assert_file_says("@classLabel true\n@data\n1:a\n", &["`a` in every row", "at least two classes"]);
    assert_file_says(HEADER, &["no series", "below `@data`"]);
    assert_file_says("@data\n1,2\n", &["no target", "`@classLabel true`"]);
}

#[test]
fn a_file_that_does_not_fit_the_model_is_explained() {
    assert_says(TWO, |options| options.channels(5), &["2 channels", "model takes 5"]);
    let classes = |options: SeriesOptions| options.label_classes(["a", "c"]);
    assert_says(TWO, classes, &["line 10: `b` is not one of the two classes `a`, `c`", "train a model"]);
    assert_says("@targetLabel true\n@data\n1:2\n", classes, &["numbers, but the model knows classes"]);
}

proptest! {
    /// From characters that mean something to the reader, and from a file that is right but for one byte.
    #[test]
    fn any_file_gives_a_data_set_or_an_error_that_names_it(
        noise in prop::collection::vec(prop::sample::select(b"@data,:01.-?#\n\r \xc3\xa9t".to_vec()), 0..60),
        at in 0..TWO.len(),
        byte in any::<u8>(),
    ) {
        let mut broken = TWO.as_bytes().to_vec();
        broken[at] = byte;
        for content in [noise.clone(), [HEADER.as_bytes(), &noise].concat(), broken] {
            let (_file, options) = options(content);
            match options.load() {
                Ok(data) => {
                    prop_assert!(!data.is_empty() && data.rows().iter().all(|x| x.is_finite()));
                    let steps: u32 = data.lengths().map_or(data.steps() as u32 * data.len() as u32, |l| l.iter().sum());
                    prop_assert_eq!(data.rows().len(), steps as usize * data.features());
                }
                Err(error) => prop_assert!(error.to_string().contains("room.csv: "), "{}", error),
            }
        }
    }
}

#[test]
fn every_series_of_the_vowels_is_read() {
    let load = |name: &str| {
        let path = format!("data/japanese_vowels/JapaneseVowels_{name}.ts");
        Dataset::ts(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).load().unwrap()
    };
    let (train, test) = (load("TRAIN"), load("TEST"));
    assert_eq!((train.len(), test.len()), (270, 370));
    assert_eq!((train.input_shape(), train.steps(), test.steps()), (&[ANY_LENGTH, 12][..], 26, 29));
    assert_eq!(train.lengths().unwrap().iter().min(), Some(&7));
    assert_eq!(test.lengths().unwrap().iter().min(), Some(&7));
    assert_eq!(train.class_balance(), Some(vec![30; 9]));
    assert_eq!(test.class_balance(), Some(vec![31, 35, 88, 44, 29, 24, 40, 50, 29]));
    assert_eq!(train.classes().unwrap(), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    // The first two values of the first channel.
    let (sample, target) = train.sample(0);
    assert_eq!((sample[0], sample[12], target), (1.860936, 1.891651, vec![0.0]));
    assert_eq!(sample.len(), 20 * 12);
}

#[test]
fn missing_values_follow_the_policy() {
    let gaps = format!("{HEADER}1,?,3:a\n4,5,NaN:b\n7,8:?\n");
    let read = |how: Missing| {
        let (_file, options) = options(&gaps);
        options.missing(how).load().unwrap()
    };
    assert_eq!(read(Missing::Interpolate).rows()[..6], [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
    let masked = read(Missing::Mask);
    assert_eq!((masked.len(), masked.has_masked_rows(), masked.row_counts().without_target), (2, true, 1));
    let unequal = format!("{HEADER}1,?,3:a\n4,5:b\n");
    let (_file, options) = options(&unequal);
    let padded = options.missing(Missing::Mask).load().unwrap().padded_rows(&[9.0]);
    assert_eq!(padded, [1.0, 9.0, 3.0, 4.0, 5.0, 9.0]);
}

#[test]
fn steps_with_times_come_in_the_order_of_time() {
    const HEADER: &str = "@timeStamps true\n@classLabel true a b\n@data\n";
    let numbers = load(format!("{HEADER}(0,1.5),(2,3),(1,2):(2,6),(1,5),(0,4):a\n(7.5,7):(7.5,8):b\n"));
    assert_eq!((numbers.rows(), numbers.lengths()), (&[1.5, 4.0, 2.0, 5.0, 3.0, 6.0, 7.0, 8.0][..], Some(&[3, 1][..])));
    let dates = "(2017-10-02 00:30:00,2),( \"2017-10-01 00:30:00\" , 1 ):b\n(2017-10-01,3):a\n";
    assert_eq!(load(format!("{HEADER}{dates}")).rows(), [1.0, 2.0, 3.0]);
    let says =
        |line: &str, parts: &[&str]| assert_file_says(format!("{HEADER}{line}\n"), &[&["line 4"], parts].concat());
    says("(0,1),(1,2):(0,1),(2,2):a", &["channel 2: the time `2` is not one of channel 1", "resample"]);
    says("(0,1),(1,2):(0,1):a", &["channel 2: it has 1 times, but channel 1 has 2"]);
    says("(0,1),(0,2):a", &["channel 1: the time `0` comes twice"]);
    says("1,2:a", &["`1,2` is no `(time,value)`"]);
    says("(soon,1):a", &["`soon` is no time"]);
    says("(4/2/2015,1):a", &["`4/2/2015` is no time", "2015-02-04"]);
    says("(0,1)(1,2):a", &["`(1,2)` stands behind a step"]);
    says("(0,1),(1:a", &["no colon"]);
    says("(0,x):a", &["channel 1, step 1: `x` is not a number"]);
    says("(0,?):a", &["channel 1, step 1", "missing value"]);
}

#[test]
fn several_files_are_one_data_set() {
    let (first, one) = options("@classLabel true b c\n@data\n1,2:c\n3:b\n");
    let second = TestFile::new("@classLabel true a c\n@data\n4,5,6:a\n7:c\n");
    // The test's own name ends in .csv.
    let path = second.path.with_extension("ts");
    fs::rename(&second.path, &path).unwrap();
    let data = one.clone().and(&path).load().unwrap();
    assert_eq!(
        (data.targets(), data.classes().unwrap()),
        (&[2.0, 1.0, 0.0, 2.0][..], &["a", "b", "c"].map(String::from)[..])
    );
    assert_eq!((data.lengths().unwrap(), data.sample(2).0), (&[2, 1, 3, 1][..], vec![4.0, 5.0, 6.0]));
    assert_eq!(data.last_rows().collect::<Vec<_>>(), [3, 4, 3, 4]);
    assert!(data.files().unwrap().eq([&first.path, &first.path, &path, &path].map(|path| path.as_path())));
    let known = one.and(&path).label_classes(["c", "b"]).load().unwrap_err().to_string();
    assert!(known.contains("room.ts: line 3") && known.contains("`a` is not one of the two classes"), "{known}");
}
