//! The commands on files whose samples stand for themselves: `.ts` series and rows with `--row-steps`.

#[path = "common/commands.rs"]
mod commands;

use serde_json::Value;

use commands::{Room, assert_refused, gatenorm, object, stdout};

/// What a command that ends well tells on stderr.
fn talk(args: &[&str]) -> String {
    String::from_utf8(gatenorm(args).assert().success().get_output().stderr.clone()).unwrap()
}

impl Room {
    /// Forty series of four steps of two channels, first those that rise, then those that fall.
    fn series(&self, name: &str, header: &str) -> String {
        let of = |i: u32| {
            let channel = |phase: u32| {
                let steps = (0..4).map(|t| if i < 20 { t + (i + phase) % 3 } else { 9 - t - (i + phase) % 3 });
                steps.map(|v| v.to_string()).collect::<Vec<_>>().join(",")
            };
            format!("{}:{}:{}\n", channel(0), channel(1), if i < 20 { "up" } else { "down" })
        };
        self.write(name, &(header.to_owned() + &(0..40).map(of).collect::<String>()))
    }
}

const HEADER: &str = "@problemName slopes\n@univariate false\n@dimensions 2\n@classLabel true up down\n@data\n";

#[test]
fn series_are_trained_on_evaluated_and_asked() {
    let room = Room::new();
    let (data, out) = (room.series("slopes.TS", HEADER), room.path("slopes.keras"));
    let train = [
        "train",
        &data,
        "--device",
        "cpu",
        "--units",
        "4",
        "--epochs",
        "100",
        "--batch-size",
        "8",
        "--learning-rate",
        "0.01",
        "--validation-split",
        "0.25",
    ];
    let talk = talk(&[&train[..], &["--out", &out]].concat());
    assert!(talk.contains("data     30 series of 4 x 2 -> class: 50 % down, 50 % up\n"), "{talk}");
    assert!(talk.contains("10 series to validate with: 50 % down, 50 % up\n"), "drawn from both classes: {talk}");
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert_eq!((&scores["samples"], &scores["accuracy"]), (&Value::from(40), &Value::from(1.0)), "{scores}");
    let csv = stdout(&["predict", &out, &data, "--device", "cpu"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (41, "row,probability,class"));
    assert!(lines[1].starts_with("6,") && lines[1].ends_with(",up") && lines[40].ends_with(",down"), "{csv}");
    let unlabelled = room.write("new.ts", "@data\n0,1,2,3:0,1,2,3\n9,8,7,6:9,8,7,6\n");
    let found = object(&["predict", &out, &unlabelled, "--device", "cpu"]);
    assert_eq!((&found["predictions"][0]["class"], &found["predictions"][1]["class"]), (&"up".into(), &"down".into()));
    let shown = stdout(&["summary", &out]);
    assert!(shown.contains("Series of 2 channels -> class (down or up)"), "{shown}");
}

#[test]
fn series_that_do_not_fit_are_refused() {
    let room = Room::new();
    let (data, out) = (room.series("slopes.ts", HEADER), room.path("slopes.keras"));
    let train = ["train", &data, "--device", "cpu", "--units", "2", "--epochs", "1", "--out", &out];
    for (flags, part) in [
        (["--window", "4"], "--window does not fit here"),
        (["--target", "class"], "--target does not fit here"),
        (["--row-steps", "4"], "--row-steps does not fit here"),
        (["--loss", "mean_squared_error"], "does not fit a target of 2 classes. Use `--loss binary_crossentropy`"),
    ] {
        assert_refused(&[&train[..], &flags].concat(), &[part]);
    }
    stdout(&train);
    let rows = room.write("rows.csv", "a,b,y\n1,2,0\n3,4,1\n");
    assert_refused(
        &["evaluate", &out, &rows, "--device", "cpu"],
        &["slopes.keras takes the series of .ts, .arff", "rows.csv"],
    );
    let other = room.write("other.ts", "@classLabel true up down\n@data\n1,2,3,4:up\n");
    assert_refused(&["evaluate", &out, &other, "--device", "cpu"], &["other.ts", "1 channels", "model takes 2"]);
}

#[test]
fn rows_are_samples_of_steps() {
    let room = Room::new();
    let row = |i: u32| {
        format!("{},{},{},{},{}\n", i % 2, i % 3, 1 - i % 2, i % 5, if i.is_multiple_of(2) { "even" } else { "odd" })
    };
    let rows = "a0,b0,a1,b1,y\n".to_owned() + &(0..40).map(row).collect::<String>();
    let (data, out) = (room.write("rows.csv", &rows), room.path("rows.keras"));
    let train = [
        "train",
        &data,
        "--target",
        "y",
        "--row-steps",
        "2",
        "--device",
        "cpu",
        "--units",
        "4",
        "--epochs",
        "100",
        "--batch-size",
        "8",
        "--learning-rate",
        "0.01",
    ];
    let talk = talk(&[&train[..], &["--validation-split", "0.2", "--out", &out]].concat());
    assert!(talk.contains("data     32 rows of 2 x 2 (a0, b0, a1, b1) -> y: 50 % even, 50 % odd\n"), "{talk}");
    assert!(talk.contains("8 rows to validate with: 50 % even, 50 % odd\n"), "{talk}");
    let scores = object(&["evaluate", &out, &data, "--device", "cpu", "--row-steps", "2"]);
    assert_eq!((&scores["samples"], &scores["accuracy"]), (&Value::from(40), &Value::from(1.0)), "{scores}");
    let shown = stdout(&["summary", &out]);
    assert!(shown.contains("Sample: a row of 2 steps") && shown.contains("Columns: a0, b0, a1, b1 -> y"), "{shown}");
    assert_refused(&["evaluate", &out, &data, "--row-steps", "4"], &["--row-steps 4", "--row-steps 2", "contradicts"]);
    assert_refused(&["evaluate", &out, &data, "--window", "2"], &["--window does not fit here", "whole samples"]);
    let wrong = [&train[..4], &["--row-steps", "3", "--device", "cpu", "--out", &out]].concat();
    assert_refused(&wrong, &["row of 4 columns does not divide into 3 steps"]);
    let both = [&train[..], &["--window", "2", "--out", &out]].concat();
    assert_refused(&both, &["--row-steps", "cannot be used with"]);
}

#[test]
fn several_classes_are_trained_on_evaluated_and_asked() {
    let room = Room::new();
    let row = |i: u32| format!("{},{},{},{},{}\n", i % 3, 2 - i % 3, i % 5, i % 3, 10 - i % 3);
    let rows = "a0,b0,a1,b1,y\n".to_owned() + &(0..60).map(row).collect::<String>();
    let (data, out) = (room.write("rows.csv", &rows), room.path("rows.keras"));
    let head = ["train", &data, "--target", "y", "--row-steps", "2", "--device", "cpu", "--units", "8", "--out", &out];
    assert_refused(&head, &["third value, `8`", "`--loss sparse_categorical_crossentropy`"]);
    let loss = |name| [&head[..], &["--loss", name]].concat();
    assert_refused(&loss("binary_crossentropy"), &["third value, `8`"]);
    let sparse = loss("sparse_categorical_crossentropy");
    let told = talk(&[&sparse[..], &["--epochs", "60", "--batch-size", "8", "--learning-rate", "0.01"]].concat());
    assert!(told.contains("60 rows of 2 x 2 (a0, b0, a1, b1) -> y: 33 % 8, 33 % 9, 33 % 10\n"), "{told}");
    assert!(told.contains("-> Dense 3 softmax;"), "{told}");
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert_eq!((&scores["samples"], &scores["accuracy"]), (&Value::from(60), &Value::from(1.0)), "{scores}");

    let csv = stdout(&["predict", &out, &data, "--device", "cpu"]);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((lines.len(), &lines[0][..]), (61, &["row", "class", "p(8)", "p(9)", "p(10)"][..]));
    for (i, line) in lines[1..].iter().enumerate() {
        let p: Vec<f64> = line[2..].iter().map(|p| p.parse().unwrap()).collect();
        assert_eq!((line[0], line[1]), (&*(i + 2).to_string(), &*(10 - i % 3).to_string()), "{line:?}");
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5 && p[2 - i % 3] > 0.5, "{line:?}");
    }
    let found = object(&["predict", &out, &data, "--device", "cpu"]);
    assert!(found["predictions"][0]["p(10)"].as_f64().unwrap() > 0.5, "{found}");
    let other = room.write("other.csv", "a0,b0,a1,b1,y\n1,2,3,4,7\n");
    let named = ["line 2", "`7` is not one of the 3 classes `8`, `9`, `10`"];
    assert_refused(&["evaluate", &out, &other, "--device", "cpu"], &named);
}

#[test]
fn a_loss_must_fit_the_target() {
    let room = Room::new();
    let words = room.write("words.csv", "a,y\n1,cat\n2,dog\n3,fish\n4,cat\n");
    let numbers = room.write("numbers.ts", "@targetLabel true\n@data\n1,2:0.5\n3,4:1.5\n");
    let out = room.path("out.keras");
    let train = |data: &str, flags: &[&str]| {
        let args = ["train", data, "--device", "cpu", "--units", "2", "--epochs", "1", "--out", &out];
        [&args[..], flags].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refused = |args: Vec<String>, part: &str| {
        assert_refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[part]);
    };
    let y = ["--target", "y", "--window", "1"];
    let binary = [&y[..], &["--loss", "binary_crossentropy"]].concat();
    refused(train(&words, &binary), "does not fit a target of 3 classes. Use `--loss sparse_categorical_crossentropy`");
    let binary = ["--loss", "binary_crossentropy"];
    refused(train(&numbers, &binary), "does not fit a target of numbers. Use `--loss mean_squared_error`");
    let done = |args: Vec<String>| object(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(done(train(&words, &y))["epochs"][0]["accuracy"].is_f64());
    assert!(done(train(&numbers, &["--loss", "huber"]))["epochs"][0]["mae"].is_f64());
    let two = room.write("two.csv", "a,y\n1,cat\n2,dog\n3,cat\n4,cat\n");
    stdout(
        &train(&two, &[&y[..], &["--loss", "sparse_categorical_crossentropy"]].concat())
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    assert!(stdout(&["predict", &out, &two, "--device", "cpu"]).starts_with("row,class,p(cat),p(dog)\n2,"));
}

#[test]
fn series_of_unequal_lengths_are_masked() {
    let room = Room::new();
    let vowels = |name: &str| format!("data/japanese_vowels/JapaneseVowels_{name}.ts");
    let (train, test, out) = (vowels("TRAIN"), vowels("TEST"), room.path("vowels.keras"));
    let flags = ["--device", "cpu", "--units", "16", "--epochs", "6", "--batch-size", "16", "--learning-rate", "0.01"];
    let told = talk(&[&["train", &train, "--validation", &test, "--out", &out][..], &flags].concat());
    assert!(told.contains("data     270 series of 7 to 26 x 12 -> class: 9 classes of 30 series\n"), "{told}");
    assert!(told.contains("370 series to validate with: 9 classes of 24 to 88 series\n"), "{told}");
    assert!(told.contains("Normalization -> Masking -> LSTM 16 -> BatchNormalization -> Dense 9 softmax;"), "{told}");
    let scores = object(&["evaluate", &out, &test, "--device", "cpu"]);
    assert_eq!(scores["samples"], 370, "one of them longer than any that was trained on");
    assert!(scores["accuracy"].as_f64().unwrap() > 0.8, "{scores}");
    let csv = stdout(&["predict", &out, &test, "--device", "cpu"]);
    assert!(csv.starts_with("row,class,p(1),p(2),p(3),p(4),p(5),p(6),p(7),p(8),p(9)\n16,"), "{csv}");
    let both = object(&["evaluate", &out, &test, &train, "--device", "cpu"]);
    assert_eq!(both["samples"], 640, "several files are one data set");
    assert!(stdout(&["predict", &out, &test, &train, "--device", "cpu"]).starts_with("file,row,class,p(1)"));
    // What is predicted of a series does not depend on those beside it.
    let text = std::fs::read_to_string(&test).unwrap();
    let header = text.lines().take(15).map(|line| format!("{line}\n")).collect::<String>();
    let alone = room.write("alone.ts", &(header + text.lines().last().unwrap()));
    let predicted = |data: &str| object(&["predict", &out, data, "--device", "cpu"])["predictions"].clone();
    let (one, all) = (predicted(&alone), predicted(&test));
    let p = |row: &Value| (1..10).map(|c| row[format!("p({c})")].as_f64().unwrap()).collect::<Vec<_>>();
    for (one, all) in p(&one[0]).into_iter().zip(p(&all[369])) {
        assert!((one - all).abs() < 1e-5, "{one} is not {all}");
    }
    assert!(stdout(&["summary", &out]).contains("(None, None, 12)"), "any length");
}

/// An array of NumPy's.
fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
}

#[test]
fn arrays_are_trained_on_evaluated_and_asked() {
    let room = Room::new();
    let values: Vec<u8> =
        (0..160u32).flat_map(|i| (if i < 80 { i % 4 } else { 9 - i % 4 } as f32).to_le_bytes()).collect();
    let labels: Vec<u8> = (0..40).map(|i| u8::from(i < 20)).collect();
    let (x, y) = (room.path("x_train.npy"), room.path("y_train.npy"));
    std::fs::write(&x, npy("<f4", "(40, 4)", &values)).unwrap();
    std::fs::write(&y, npy("|u1", "(40,)", &labels)).unwrap();
    let out = room.path("arrays.keras");
    let flags = ["--device", "cpu", "--units", "4", "--epochs", "60", "--learning-rate", "0.01", "--out", &out];
    let told = talk(&[&["train", &x, "--validation-split", "0.25"][..], &flags].concat());
    assert!(told.contains("30 series of 4 x 1 -> class: 50 % 0, 50 % 1"), "{told}");
    let scores = object(&["evaluate", &out, &x, "--labels", &y, "--device", "cpu"]);
    assert_eq!((&scores["samples"], &scores["accuracy"]), (&Value::from(40), &Value::from(1.0)), "{scores}");
    let csv = stdout(&["predict", &out, &x, "--device", "cpu"]);
    assert!(csv.starts_with("row,probability,class\n0,") && csv.lines().count() == 41, "{csv}");
    room.assert_train_refused(&x, &["--target", "y"], &["--target does not fit here"]);
    room.assert_train_refused(&x, &["--group", "y"], &["--group does not fit here"]);
    room.assert_train_refused(&x, &["--arrays", "x,y"], &["--arrays is for series in a .npz file"]);
    room.assert_train_refused(
        &room.rows(),
        &["--labels", &y, "--window", "2"],
        &["--labels of arrays is for .npy and .npz files"],
    );
}

#[test]
fn folders_of_series_are_trained_on_evaluated_and_asked() {
    let room = Room::new();
    let folder = room.path("slopes");
    std::fs::create_dir(&folder).unwrap();
    let mut labels = "file,trend\n".to_owned();
    for i in 0..20u32 {
        let rows =
            (0..4 + i % 3).map(|t| format!("{},{}\n", if i < 10 { t } else { 9 - t }, t % 2)).collect::<String>();
        room.write(&format!("slopes/s{i:02}.csv"), &format!("a,b\n{rows}"));
        labels += &format!("s{i:02}.csv,{}\n", if i < 10 { "up" } else { "down" });
    }
    let labels = room.write("slopes/labels.csv", &labels);
    let (whole, windows) = (room.path("whole.keras"), room.path("windows.keras"));
    let flags = ["--device", "cpu", "--units", "4", "--epochs", "60", "--batch-size", "8", "--learning-rate", "0.01"];
    let train = [&["train", &folder, "--target", "trend", "--validation-split", "0.2"][..], &flags].concat();
    let told = talk(&[&train[..], &["--out", &whole]].concat());
    assert!(told.contains("data     16 series of 4 to 6 x 2 (a, b) -> trend: 50 % down, 50 % up\n"), "{told}");
    let told = talk(&[&train[..], &["--window", "3", "--out", &windows]].concat());
    assert!(told.contains("windows of 3 x 2 (a, b) -> trend") && told.contains("of 99 rows: 20 series\n"), "{told}");
    for model in [&whole, &windows] {
        let scores = object(&["evaluate", model, &folder, "--device", "cpu"]);
        assert_eq!(scores["accuracy"], 1.0, "{scores}");
    }
    std::fs::remove_file(labels).unwrap();
    let csv = stdout(&["predict", &whole, &folder, "--device", "cpu"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (21, "series,probability,class"));
    assert!(lines[1].starts_with("s00,") && lines[1].ends_with(",up") && lines[20].ends_with(",down"), "{csv}");
    let csv = stdout(&["predict", &windows, &folder, "--device", "cpu"]);
    assert!(csv.starts_with("series,row,probability,class\ns00,4,"), "{csv}");
    let one = room.path("slopes/s03.csv");
    assert_eq!(stdout(&["predict", &whole, &one, "--device", "cpu"]).lines().count(), 2);
    assert_refused(&["evaluate", &whole, &folder, "--device", "cpu"], &["there is no labels.csv", "`--labels`"]);
    assert_refused(&["evaluate", &whole, &folder, "--window", "3"], &["--window does not fit here", "whole series"]);
    assert!(stdout(&["inspect", &folder]).contains("20 series, a file each, of 4 to 6 rows\n"));
}
