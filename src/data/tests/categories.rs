//! Columns of categories.

use super::*;
use crate::data::{Encoding, Missing};

const WIND: &str = "wind,a,y\nSE,1,0\nNW,2,1\nSE,3,1\ncv,4,0\n";

#[test]
fn a_column_of_words_becomes_a_feature_for_each() {
    let data = load(WIND);
    assert_eq!(data.columns(), ["wind=NW", "wind=SE", "wind=cv", "a"]);
    assert_eq!(data.source_columns(), ["wind", "a"]);
    assert_eq!(data.rows(), [0., 1., 0., 1., 1., 0., 0., 2., 0., 1., 0., 3., 0., 0., 1., 4.]);
    assert_eq!(data.input_shape(), [1, 4]);
    let [wind] = &data.reading().categorical[..] else { panic!("{:?}", data.reading()) };
    assert_eq!((wind.column.as_str(), &wind.categories[..]), ("wind", &["NW".into(), "SE".into(), "cv".into()][..]));
}

#[test]
fn categories_may_be_numbers_of_theirs() {
    let file = TestFile::new(WIND);
    let data = file.options().target("y").encoding(Encoding::Integer).load().unwrap();
    assert_eq!(
        (data.columns(), data.rows()),
        (&["wind".into(), "a".into()][..], &[1., 1., 0., 2., 1., 3., 2., 4.][..])
    );
    let codes = TestFile::new("code,y\n10,0\n9,1\n10.0,1\nx,0\n");
    let data = codes.options().target("y").categorical(["code"]).load().unwrap();
    assert_eq!(data.columns(), ["code=9", "code=10", "code=x"]);
    assert_eq!(data.rows()[..6], [0., 1., 0., 1., 0., 0.]);
    let wrong = codes.options().target("y").categorical(["y"]).load().unwrap_err().to_string();
    assert!(wrong.contains("`y` of `--categorical` is no feature"), "{wrong}");
    let wrong = codes.options().target("y").categorical(["cod"]).load().unwrap_err().to_string();
    assert!(wrong.contains("`--categorical`") && wrong.contains("Did you mean `code`?"), "{wrong}");
}

#[test]
fn a_model_reads_the_categories_that_it_knows() {
    let first = load(WIND);
    let read = |content: &str, new: bool| {
        let file = TestFile::new(content);
        let options = file.options().target("y").columns(first.source_columns()).reading(first.reading().clone());
        let options = options.label_classes(["0", "1"]);
        if new { options.allow_new_categories().load() } else { options.load() }
    };
    let data = read("a,y,wind\n7,1,cv\n", false).unwrap();
    assert_eq!((data.columns(), data.rows()), (first.columns(), &[0., 0., 1., 7.][..]));
    assert_eq!(data.reading(), first.reading());
    let message = read("a,y,wind\n7,1,cv\n8,0,NE\n", false).unwrap_err().to_string();
    for part in
        ["line 3, column `wind`", "`NE` is none of the 3 categories", "`NW`, `SE`, `cv`", "--new-categories none"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(read("a,y,wind\n7,1,cv\n8,0,NE\n", true).unwrap().rows(), [0., 0., 1., 7., 0., 0., 0., 8.]);
    let message = read("a,y,wind\nwarm,1,cv\n", false).unwrap_err().to_string();
    assert!(message.contains("line 2, column `a`: `warm` is not a number"), "{message}");
    assert!(!message.contains("--columns"), "the model's columns stand: {message}");
}

#[test]
fn a_missing_category_is_missing() {
    let file = TestFile::new("wind,a,y\nSE,1,0\nNA,2,1\nNW,3,1\n");
    let message = file.options().target("y").load().unwrap_err().to_string();
    assert!(message.contains("line 3, column `wind`: `NA` stands for a missing value"), "{message}");
    let filled = file.options().target("y").missing(Missing::Interpolate).load().unwrap();
    assert_eq!(filled.rows(), [0., 1., 1., 0., 1., 2., 1., 0., 3.]);
    let named = file.options().target("y").missing_marks(["?"]).load().unwrap();
    assert_eq!(named.columns(), ["wind=NA", "wind=NW", "wind=SE", "a"]);
}

#[test]
fn rows_that_are_whole_samples_take_numbers() {
    let message = TestFile::new(WIND).options().target("y").row_steps(2).load().unwrap_err().to_string();
    assert!(message.contains("column `wind` holds words") && message.contains("`--columns`"), "{message}");
}
