//! Several targets of two classes each.

use super::*;
use crate::train::DataSpec;

const ROOMS: &str = "a,full,open\n1,0,shut\n2,1,shut\n3,1,open\n4,0,open\n";
const WORDS: &str = "a,full,open\n1,no,shut\n2,yes,shut\n3,yes,open\n4,no,open\n";

fn message(content: &str, with: impl Fn(TableOptions) -> TableOptions) -> String {
    let file = TestFile::new(content);
    with(file.options().targets(["full", "open"])).load().unwrap_err().to_string()
}

#[test]
fn several_labels_are_one_target_with_0_or_1_for_each() {
    let file = TestFile::new(ROOMS);
    let data = file.options().targets(["open", "full"]).multi_label().load().unwrap();
    assert_eq!((data.target_shape(), data.all_targets().count(), data.columns()), (&[2][..], 1, &["a".to_owned()][..]));
    assert_eq!(data.targets(), [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0], "words by spelling");
    let names: [[String; 2]; 2] = [["open".into(), "shut".into()], ["0".into(), "1".into()]];
    assert_eq!((data.labels(), data.classes(), data.class_balance()), (Some(&names[..]), None, None));
    let (first, last) = data.split_by_time(0.5).unwrap();
    assert_eq!((first.targets(), last.targets()), (&data.targets()[..4], &data.targets()[4..]));
    let weighted = data.with_class_weight(&[(1, 2.0)]).unwrap_err().to_string();
    assert!(weighted.contains("several labels"), "{weighted}");
}

#[test]
fn words_are_labels_by_themselves_and_numbers_are_not() {
    let words = TestFile::new(WORDS).options().targets(["full", "open"]).load().unwrap();
    assert_eq!((words.target_shape(), words.targets()), (&[2][..], &[0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0][..]));
    let numbers = TestFile::new("a,full,open\n1,0,1\n2,1,0\n").options().targets(["full", "open"]).load().unwrap();
    assert_eq!((numbers.labels(), numbers.all_targets().count()), (None, 2));
}

#[test]
fn labels_ahead_are_those_of_later_rows() {
    let file = TestFile::new(WORDS);
    let options = || file.options().targets(["full", "open"]).columns(["a"]).window(2);
    let data = options().horizon([1]).load().unwrap();
    assert_eq!((data.targets(), data.baselines().count()), (&[1.0, 0.0, 0.0, 0.0][..], 0));
    let several = options().horizon([1, 2]).load().unwrap_err().to_string();
    assert!(several.contains("one horizon ahead"), "{several}");
}

#[test]
fn a_missing_label_leaves_its_sample_out() {
    let content = WORDS.replacen("no", "?", 1);
    let options =
        TestFile::new(&content).options().targets(["full", "open"]).missing(crate::data::Missing::Drop).load();
    assert_eq!(options.unwrap().last_rows().collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn other_files_are_read_with_the_same_classes() {
    let spec = DataSpec::of(&TestFile::new(WORDS).options().targets(["full", "open"]).load().unwrap());
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<DataSpec>(&json).unwrap(), spec);
    let other = TestFile::new("open,a,full\nshut,1,yes\nshut,2,yes\n");
    assert_eq!(spec.load(&other.path).unwrap().targets(), [1.0, 1.0, 1.0, 1.0]);
    let strange = TestFile::new("open,a,full\najar,1,yes\n");
    let text = spec.load(&strange.path).unwrap_err().to_string();
    assert!(text.contains("`open`") && text.contains("`ajar` is not one of the two classes"), "{text}");
}

#[test]
fn what_is_no_label_of_two_classes_is_named() {
    let as_they_are = |options: TableOptions| options;
    let asked = TableOptions::multi_label;
    for (text, parts) in [
        (message(ROOMS, as_they_are), ["`open` holds words and `full` numbers", "--loss binary_crossentropy"]),
        (
            message(&WORDS.replacen("open\n4", "ajar\n4", 1), as_they_are),
            ["line 5, column `open`", "third value, `open`"],
        ),
        (message(&ROOMS.replacen("3,1", "3,2", 1), asked), ["line 4, column `full`", "third value, `2`"]),
        (
            message(&WORDS.replacen("3,yes", "3,1", 1), as_they_are),
            ["line 4, column `full`", "a number, `1`, unlike `no`"],
        ),
        (
            message(&ROOMS.replace("1,shut", "0,shut").replace("1,open", "0,open"), asked),
            ["column `full`", "in every row"],
        ),
    ] {
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {text}");
    }
}
