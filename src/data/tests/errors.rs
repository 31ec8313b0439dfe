//! Every error says what is wrong, where, and what to do.

use super::*;

/// The message of a failed load holds every one of `parts`, names the file, and is one paragraph.
fn assert_says(options: TableOptions, parts: &[&str]) {
    let error = options.load().expect_err(&format!("{parts:?}"));
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing from: {message}");
    }
    assert!(matches!(error, Error::Input { .. } | Error::Usage(_)), "{error:?}");
    assert_eq!(message.contains("room.csv"), matches!(error, Error::Input { .. }), "{message}");
    assert!(!message.contains('\n') && !message.contains("  "), "{message}");
    assert_eq!(error.exit_status(), 2);
}

/// The same for a file read with the target `y`.
fn assert_file_says(content: impl AsRef<[u8]>, parts: &[&str]) {
    assert_says(TestFile::new(content).options().target("y"), parts);
}

#[test]
fn a_value_that_is_no_number_is_named_with_line_column_and_cure() {
    assert_file_says(
        "a,b,c,y\n1,2,3,0\n\n4,warm,6,1\n",
        &["line 4", "column `b`", "`warm` is not a number", "`--columns a,c`"],
    );
    assert_file_says(
        "a,room,floor,b,y\n1,kitchen,ground,2,0\n1,7,ground,2,0\n",
        &[
            "line 3",
            "column `room`",
            "`7` is a number, unlike `kitchen` (line 2)",
            "`--columns a,b`",
            "`--categorical`",
        ],
    );
    assert_file_says("a,my room,y\n1,1,0\nx,1,0\n", &["line 3", "`--columns \"my room\"`"]);
    assert_file_says("a,y\n1,0\n\"2,5\",1\n", &["line 3", "`2,5` has a decimal comma", "with a point"]);
    assert_file_says("a;b;y\n1,5;2;0\n3;2.5;1\n", &["line 3, column `b`: `2.5` has a point", "in one way"]);
    assert_file_says("a;b;y\n1.5;2;0\n3;2,5;1\n", &["line 3, column `b`: `2,5` has a decimal comma"]);
    assert_file_says("only,y\n1,0\nword,1\n", &["line 3, column `only`: `word` is not a number. Correct the value"]);
    let listed = TestFile::new("date,a,y\n2015-02-04,1,0\n");
    assert_says(
        listed.options().target("y").columns(["a", "date"]),
        &["line 2", "column `date`", "`2015-02-04` is a date", "`--time`", "`--columns a`"],
    );
}

#[test]
fn missing_and_infinite_values_are_named_with_line_column_and_cure() {
    for (value, what) in [
        ("", "the field is empty"),
        ("NA", "`NA` stands for a missing value"),
        ("NaN", "`NaN` stands for a missing value"),
        ("inf", "`inf` is not a finite number"),
        ("-Infinity", "`-Infinity` is not a finite number"),
    ] {
        let cure = if value.contains("nf") {
            "Remove the row or correct"
        } else {
            "Remove the row or fill in the value, say what becomes of missing values with `--missing`"
        };
        assert_file_says(format!("a,b,y\n1,2,0\n{value},3,1\n"), &["line 3", "column `a`", what, cure]);
        assert_file_says(format!("a,y\n1,0\n3,{value}\n"), &["line 3", "column `y`", what, "Remove the row"]);
    }
}

#[test]
fn a_number_beyond_f32_is_named_with_line_and_column() {
    assert_file_says(
        "a,b,y\n1,2,0\n1,-1e39,1\n",
        &["line 3", "column `b`", "`-1e39`", "3.4e38", "Scale the column down"],
    );
}

#[test]
fn a_row_of_another_length_is_named_with_its_line() {
    assert_file_says(
        "a,b,y\n1,2,0\n\n3,4\n",
        &["line 4: 2 fields", "every row must have 3", "missing or an extra comma"],
    );
    assert_file_says("a,b,y\n1,2,0\n3,4,1,9\n", &["line 3: 4 fields", "must have 3"]);
    assert_file_says("a,b,y\n1\n", &["line 2: 1 field, but the header names 3"]);
    assert_file_says("a,b,y\n1,2,0,\n", &["line 2: 4 fields", "The row ends in a comma"]);
    assert_file_says("a,b,y\n7,1,2,0\n3,4,1\n", &["line 3: 3 fields", "must have 4"]);
}

#[test]
fn a_quote_that_is_not_closed_is_named_with_its_line() {
    let never = ["line 4", "a quote (`\"`) is opened here and never closed. Close or remove it"];
    assert_file_says("a,b,y\n1,2,0\n\n1,\"2,0\n1,2,1\n1,2,1\n", &never);
    assert_file_says("a,b,y\n1,2,0\n\n1,2,\"0", &never);
    let later = ["line 3: 2 fields", "goes on to line 4", "quote (`\"`) that is not closed"];
    assert_file_says("a,b,y\n1,2,0\n1,\"2,0\n1,2\",1\n", &["line 3, column `b`: `2,0\\n1,2` is not a number"]);
    assert_file_says("a,b,y\n1,2,0\n1,\"2,0\n1,2,\"1\n", &later);
}

#[test]
fn a_header_that_cannot_be_used_is_explained() {
    assert_file_says("a,b,a,y\n1,2,3,0\n", &["line 1: columns 1 and 3 are both named `a`. Rename one"]);
    assert_file_says("a,,y\n1,2,0\n", &["line 1: column 2 has no name. Name it", "`index=False`"]);
    assert_file_says("1,1,0\n2,3,1\n", &["columns 1 and 2", "looks like data", "a line with the names"]);
    assert_file_says("1,2,0\n2,3,1\n", &["no target `y`", "looks like data"]);
    assert_file_says("a b y\n1 2 0\n", &["no target `y`", "The columns are `a b y`"]);
    assert_file_says("a,b,y\r1,2,0\n", &["line 1", "bare carriage return. Save"]);
}

#[test]
fn bytes_that_are_not_utf8_are_named_with_their_line() {
    assert_file_says(b"a,b,y\n1,2,0\n1,\xb0C,1\n", &["line 3, field 2", "not UTF-8", "Save the file as UTF-8"]);
    assert_file_says(b"\xff\xfea\0,\0y\0\n\0", &["line 1, field 1", "not UTF-8"]);
}

#[test]
fn a_file_without_rows_is_explained() {
    assert_file_says("", &["is empty", "column names"]);
    assert_file_says("\n \r\n\n", &["is empty"]);
    assert_file_says("a,b,y\n", &["a header and no rows. Add rows"]);
}

#[test]
fn a_path_that_is_no_file_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("room.csv");
    assert_says(Dataset::csv(&missing).target("y"), &["there is no such file. Check the spelling"]);
    fs::create_dir(&missing).unwrap();
    assert_says(Dataset::csv(&missing).target("y"), &["this is a folder. Name one file"]);
}

#[test]
fn a_window_or_stride_that_does_not_fit_is_explained() {
    let file = TestFile::new(PLAIN);
    let options = || file.options().target("y");
    assert_says(options().window(4), &["window of 4 rows", "has 3 rows", "`--window 3` or less"]);
    assert_says(options().window(usize::MAX), &["has 3 rows"]);
    assert_says(options().window(0), &["window of 0 rows", "`--window 1` or more"]);
    assert_says(options().stride(0), &["stride of 0 rows", "`--stride 1` or more"]);
    assert_says(options().row_steps(0), &["row of 0 steps", "`--row-steps 1` or more"]);
    assert_says(options().row_steps(3), &["row of 2 columns", "3 steps", "another `--row-steps`", "`--columns`"]);
    assert_says(options().row_steps(2).window(2), &["either a row or a window", "Leave out"]);
    assert_eq!(options().window(3).stride(usize::MAX).load().unwrap().len(), 1);
}

#[test]
fn an_unknown_column_is_answered_with_the_nearest_one() {
    let file = TestFile::new("Light,CO2,Occupancy\n1,2,0\n3,4,1\n");
    assert_says(
        file.options().target("ocupancy"),
        &["no target `ocupancy`", "Did you mean `Occupancy`?", "The columns are `Light`, `CO2`, `Occupancy`"],
    );
    assert_says(
        file.options().target("Occupancy").columns(["Light", "co-2"]),
        &["no column `co-2`", "Did you mean `CO2`?", "`Light`, `CO2`"],
    );
    assert_says(file.options().target("pressure"), &["no target `pressure`. The columns are"]);
    assert_says(file.options(), &["which column is the target?", "`--target`", "`Light`, `CO2`, `Occupancy`"]);
}

#[test]
fn columns_that_cannot_be_features_are_explained() {
    let file = TestFile::new(PLAIN);
    let options = || file.options().target("y");
    assert_says(options().columns(["a", "y"]), &["`y` is the target", "Remove it from `--columns`"]);
    assert_says(options().columns(["a", "b", "a"]), &["`a` is listed twice in `--columns`. Remove one"]);
    assert_says(options().columns(Vec::<String>::new()), &["list of columns to use is empty", "Name one"]);
    assert_file_says("date,y\n2015-02-04,0\n", &["no column of numbers", "`date`, `y`", "`--columns`"]);
}

#[test]
fn a_target_of_one_class_or_of_doubtful_ones_is_explained() {
    assert_file_says(
        "a,y\n1,0\n2,0\n",
        &["column `y`", "`0` in every row", "two classes", "`--loss mean_squared_error`", "`--target`"],
    );
    assert_file_says("a,y\n1,no\n2,no\n", &["`no` in every row", "rows of at least two", "`--target`"]);
    assert_file_says(
        "a,y\n1,20.5\n2,21\n3,20.5\n4,22\n",
        &[
            "line 5",
            "column `y`",
            "`22`",
            "`20.5` (line 2)",
            "`21` (line 3)",
            "two classes",
            "`--loss mean_squared_error`",
        ],
    );
    let mixed = ["column `y`", "`--loss sparse_categorical_crossentropy`", "Correct the value"];
    let says = |content: &str, parts: &[&str]| assert_file_says(content, &[&mixed[..], parts].concat());
    says("a,y\n1,0\n2,1\n3,fish\n", &["line 4", "a word, `fish`, unlike `0` (line 2)"]);
    says("a,y\n1,cat\n2,dog\n3,fish\n4,7\n", &["line 5", "a number, `7`, unlike `cat` (line 2)"]);
    let words: String = (0..101).map(|i| format!("1,w{i}\n")).collect();
    assert_file_says(
        format!("a,y\n{words}"),
        &["line 102", "`w100` is the 101th different word", "--loss sparse_categorical_crossentropy", "--target"],
    );
}

#[test]
fn a_class_that_the_model_does_not_know_is_named_with_its_line() {
    let file = TestFile::new("a,y\n1,yes\n2,maybe\n");
    assert_says(
        file.options().target("y").label_classes(["no", "yes"]),
        &["line 3", "column `y`", "`maybe` is not one of the two classes `no`, `yes`", "Correct the value"],
    );
    assert_says(file.options().target("y").label_classes(["1", "1.0"]), &["class names are both `1`", "different"]);
    assert_says(
        file.options().target("y").label_classes(["0", "1"]).numeric_target(),
        &["number has no classes", "not both"],
    );
}

#[test]
fn a_word_in_a_numeric_target_is_named_with_its_line() {
    let file = TestFile::new("a,y\n1,0.5\n2,high\n3,1e40\n");
    assert_says(
        file.options().target("y").numeric_target(),
        &["line 3", "column `y`", "`high` is not a number", "`--loss mean_squared_error`"],
    );
}
