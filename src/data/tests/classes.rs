//! Targets of more than two classes.

use super::*;

#[test]
fn words_are_classes_in_the_order_of_their_spelling() {
    let data = load("a,y\n1,dog\n2,cat\n3,fish\n4,dog\n");
    assert_eq!(data.classes().unwrap(), ["cat", "dog", "fish"]);
    assert_eq!((data.targets(), data.target_shape()), (&[1.0, 0.0, 2.0, 1.0][..], &[1][..]));
    assert_eq!(data.class_balance(), Some(vec![1, 2, 1]));
}

#[test]
fn numbers_are_classes_where_that_is_asked_for_and_are_ordered_by_size() {
    let file = TestFile::new("a,y\n1,10\n2,9\n3,-1.0\n4,1e1\n5,word\n6,9.5\n");
    let data = file.options().target("y").categorical_target().load().unwrap();
    assert_eq!(data.classes().unwrap(), ["-1", "9", "9.5", "10", "word"]);
    assert_eq!(data.targets(), [3.0, 1.0, 0.0, 3.0, 4.0, 2.0]);
    assert_eq!(data.class_balance(), Some(vec![1, 1, 1, 2, 1]));
    let (first, _) = data.split_by_time(0.5).unwrap();
    assert_eq!(first.class_balance(), Some(vec![1, 1, 0, 1, 0]), "a part keeps all classes");
}

#[test]
fn numbers_in_hundreds_of_spellings_are_the_same_classes() {
    let rows: String = (0..300).map(|i| format!("1,{}.{}\n", i % 3, "0".repeat(i))).collect();
    let data = TestFile::new(format!("a,y\n{rows}")).options().target("y").categorical_target().load().unwrap();
    assert_eq!(data.classes().unwrap(), ["0", "1", "2"]);
    assert!(data.targets().iter().enumerate().all(|(i, &target)| target == (i % 3) as f32));
}

#[test]
fn given_classes_of_any_number_keep_their_order() {
    let file = TestFile::new("a,y\n1,3\n2,1.0\n");
    let data = file.options().target("y").label_classes(["3", "2", "1"]).load().unwrap();
    assert_eq!((data.targets(), data.class_balance()), (&[0.0, 2.0][..], Some(vec![1, 0, 1])));
    let error = file.options().target("y").label_classes(["2", "3", "4"]).load().unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("`1` is not one of the 3 classes `2`, `3`, `4`"), "{error}");
    let error = file.options().target("y").label_classes(["1"]).load().unwrap_err().to_string();
    assert!(error.contains("at least two"), "{error}");
}

#[test]
fn arrays_of_whole_numbers_have_classes_without_names() {
    let of = |targets: &[f32]| {
        let samples = targets.len();
        Dataset::from_arrays(vec![0.0; samples], &[samples, 1], targets.to_vec(), &[samples]).unwrap().class_balance()
    };
    assert_eq!(of(&[0.0, 3.0, 0.0, 1.0]), Some(vec![2, 1, 0, 1]));
    assert_eq!(of(&[0.0, 0.0]), Some(vec![2, 0]));
    assert_eq!(of(&[1.0]), Some(vec![0, 1]));
    for numbers in [&[0.0, 0.5][..], &[-1.0, 1.0], &[3.0, 4.0], &[1e9, 0.0]] {
        assert_eq!(of(numbers), None, "{numbers:?}");
    }
}
