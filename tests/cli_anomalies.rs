//! `predict --anomalies`, and `train --reconstruct`: which rows are unusual.

#[path = "common/commands.rs"]
mod commands;

use commands::{Room, assert_refused, gatenorm, object, stdout};

/// Two sensors of a machine that turns; from 0 to 1, the same for the same number.
fn noise(i: u32) -> f64 {
    f64::from(i.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519) >> 8) / f64::from(1u32 << 24)
}

/// Rows of both sensors, in which some are raised by 3 deviations and more.
fn rows(from: u32, count: u32, unusual: &[u32]) -> String {
    let row = |i: u32| {
        let turn = f64::from(from + i) * 0.4;
        let raised = if unusual.contains(&i) { 40.0 } else { 0.0 };
        let heat = 50.0 + 10.0 * turn.sin() + noise(from + i) + raised;
        format!("{heat:.3},{:.3}\n", 0.5 * turn.cos() + 0.05 * noise(7 * (from + i)))
    };
    "heat,swing\n".to_owned() + &(0..count).map(row).collect::<String>()
}

const HOW: [&str; 9] =
    ["--window", "8", "--device", "cpu", "--learning-rate", "0.02", "--batch-size", "16", "--no-batch-norm"];

/// Of the lines of `predict`: the row, the score, and whether it was marked.
fn scores(csv: &str) -> Vec<(u32, f64, bool)> {
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let of = |line: &str| {
        let fields = fields(line);
        (fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2] == "1")
    };
    csv.lines().skip(1).map(of).collect()
}

#[test]
fn a_forecasts_error_marks_the_rows_that_nobody_could_expect() {
    let room = Room::new();
    let (data, out) = (room.write("usual.csv", &rows(0, 400, &[])), room.path("m.keras"));
    let train =
        ["train", &data, "--target", "heat", "--horizon", "1", "--units", "16", "--epochs", "20", "--out", &out];
    let told = stdout(&[&train[..], &HOW, &["--validation-split", "0.3"]].concat());
    assert!(told.contains("anomalies: scores above ") && told.contains("validation windows do not exceed"), "{told}");
    let unusual = [60, 130, 131, 200];
    let new = room.write("new.csv", &rows(1000, 250, &unusual));
    let found =
        gatenorm(&["predict", &out, &new, "--anomalies", "--device", "cpu"]).assert().success().get_output().clone();
    let (csv, talk) = (String::from_utf8(found.stdout).unwrap(), String::from_utf8(found.stderr).unwrap());
    assert!(csv.starts_with("row,score,anomaly,error(heat+1)\n10,"), "the row of the first target: {csv}");
    let all = scores(&csv);
    assert_eq!(all.len(), 242);
    for row in unusual {
        let (_, score, marked) = all.iter().find(|(line, ..)| *line == row + 2).unwrap();
        assert!(*marked && *score > 3.0, "row {row} has the score {score}");
    }
    // A forecast from a window that holds a raised row is off, too.
    let touched = |line: u32| unusual.iter().any(|&row| (row + 2..=row + 10).contains(&line));
    let usual: Vec<_> = all.iter().filter(|(line, ..)| !touched(*line)).collect();
    let wrongly = usual.iter().filter(|(.., marked)| *marked).count();
    assert!(usual.len() > 200 && wrongly * 20 <= usual.len(), "{wrongly} of {} usual rows are marked", usual.len());
    assert!(
        talk.contains(&format!("anomalies {} of 242", all.iter().filter(|(.., marked)| *marked).count())),
        "{talk}"
    );
    // The score is the error in units of the RMSE that `train` told.
    let object = object(&["predict", &out, &new, "--threshold", "1e6", "--device", "cpu"]);
    assert_eq!((&object["anomalies"], &object["threshold"]), (&0.into(), &1e6.into()));
    let line = &object["predictions"][0];
    let unit = line["error(heat+1)"].as_f64().unwrap() / line["score"].as_f64().unwrap();
    let told: f64 = told
        .lines()
        .find(|line| line.contains("  model  "))
        .unwrap()
        .split_whitespace()
        .nth(4)
        .unwrap()
        .parse()
        .unwrap();
    assert!((unit - told).abs() < 1e-3 * told + 1e-4, "{unit} is not {told}");
    let all_ahead = ["--target", "heat,swing", "--horizon", "1,3", "--units", "4", "--epochs", "1", "--out", &out];
    stdout(&[&["train", &data][..], &all_ahead, &HOW].concat());
    let csv = stdout(&["predict", &out, &new, "--anomalies", "--device", "cpu"]);
    assert!(
        csv.starts_with("row,score,anomaly,error(heat+1),error(heat+3),error(swing+1),error(swing+3)\n12,"),
        "{csv}"
    );
}

#[test]
fn what_an_autoencoder_cannot_give_back_is_marked() {
    let room = Room::new();
    let (data, out) = (room.write("usual.csv", &rows(0, 1000, &[])), room.path("m.keras"));
    let train = [
        "train",
        &data,
        "--reconstruct",
        "--units",
        "16",
        "--epochs",
        "25",
        "--validation-split",
        "0.3",
        "--out",
        &out,
    ];
    let told = gatenorm(&[&train[..], &HOW].concat()).assert().success().get_output().clone();
    let talk = String::from_utf8(told.stderr).unwrap();
    assert!(talk.contains("windows of 8 x 2 (heat, swing) -> themselves"), "{talk}");
    assert!(talk.contains("Normalization -> LSTM 16 -> RepeatVector -> LSTM 16 -> Dense 2;"), "{talk}");
    assert!(talk.contains("next: gatenorm predict"), "{talk}");
    assert!(stdout(&["summary", &out]).contains("Columns: heat, swing -> themselves"));
    let unusual = [100];
    let new = room.write("new.csv", &rows(2000, 200, &unusual));
    let csv = stdout(&["predict", &out, &new, "--device", "cpu"]);
    assert!(
        csv.starts_with("row,score,anomaly,error(heat),error(swing)\n9,"),
        "the last row of the first window: {csv}"
    );
    let all = scores(&csv);
    let holds = |line: u32| (102..110).contains(&line);
    type Scored<'a> = Vec<&'a (u32, f64, bool)>;
    let (with, without): (Scored<'_>, Scored<'_>) = all.iter().partition(|(line, ..)| holds(*line));
    assert!(with.iter().all(|(.., marked)| *marked), "every window with the raised row is marked: {with:?}");
    let wrongly = without.iter().filter(|(.., marked)| *marked).count();
    assert!(wrongly * 20 <= without.len(), "{wrongly} of {} usual windows are marked", without.len());
    let worst = csv
        .lines()
        .find(|line| line.starts_with("105,"))
        .unwrap()
        .split(',')
        .map(|v| v.parse().unwrap())
        .collect::<Vec<f64>>();
    assert!(worst[3] > 5.0 && worst[3] > 10.0 * worst[4], "the raised sensor is told, in its own unit: {worst:?}");
    assert!(object(&["evaluate", &out, &new, "--device", "cpu"])["loss"].as_f64().unwrap() > 0.0);
    // It is trained on as it began, and knows then what is usual.
    let again = room.path("again.keras");
    stdout(&["train", &data, "--model", &out, "--epochs", "1", "--out", &again, "--device", "cpu"]);
    assert!(stdout(&["predict", &again, &new, "--device", "cpu"]).starts_with("row,score,anomaly,"));
}

#[test]
fn what_has_no_error_to_score_is_refused() {
    let room = Room::new();
    let (data, out) = (room.rows(), room.path("m.keras"));
    let small = ["--window", "3", "--units", "2", "--epochs", "1", "--device", "cpu", "--out", &out];
    stdout(&[&["train", &data, "--target", "y"][..], &small].concat());
    assert_refused(&["predict", &out, &data, "--anomalies"], &["`--horizon`", "`--reconstruct`", "is neither"]);
    assert_refused(&["predict", &out, "-", "--stream", "--anomalies"], &["cannot be used with"]);
    let numbers = room.write("numbers.csv", &rows(0, 30, &[]));
    room.assert_train_refused(&numbers, &["--reconstruct"], &["--window"]);
    for (flags, part) in [
        (["--target", "heat"], "cannot be used with"),
        (["--horizon", "2"], "cannot be used with"),
        (["--row-steps", "2"], "--row-steps does not fit here"),
        (["--missing", "mask"], "needs all values"),
        (["--loss", "binary_crossentropy"], "does not fit a target of numbers"),
    ] {
        let window: &[&str] = if flags[0] == "--row-steps" { &[] } else { &["--window", "3"] };
        room.assert_train_refused(&numbers, &[&["--reconstruct"], window, &flags].concat(), &[part]);
    }
    let vowels = "data/japanese_vowels/JapaneseVowels_TRAIN.ts";
    room.assert_train_refused(vowels, &["--reconstruct", "--window", "3"], &["windows of the rows of tables"]);
    assert_refused(
        &["train", &numbers, "--reconstruct", "--model", &out, "--out", &room.path("x.keras")],
        &["was not trained with it"],
    );
}
