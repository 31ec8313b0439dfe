//! The commands on tables as people have them.

#[path = "common/commands.rs"]
mod commands;

use serde_json::Value;

use commands::{Room, assert_refused, gatenorm, object, stdout};

fn talk(args: &[&str]) -> String {
    String::from_utf8(gatenorm(args).assert().success().get_output().stderr.clone()).unwrap()
}

const SHORT: [&str; 6] = ["--device", "cpu", "--units", "4", "--epochs", "1"];

/// An export of a spreadsheet: a byte-order mark, semicolons, decimal commas, CRLF, quotes, marks of missing values.
fn export(room: &Room, name: &str, hours: std::ops::Range<u32>, wind: &str) -> String {
    let row = |hour: u32| {
        let temperature = if hour % 11 == 7 { "k.A.".to_owned() } else { format!("{},5", 10 + hour % 7) };
        let wind = ["NW", "SE", wind][hour as usize % 3];
        format!(
            "{:02}.03.2015 {:02}:00;{temperature};\"{wind}\";{}\r\n",
            1 + hour / 24,
            hour % 24,
            if hour % 3 == 1 { "ja" } else { "nein" }
        )
    };
    let rows: String = hours.filter(|hour| !(30..33).contains(hour)).map(row).collect();
    room.write(name, &format!("\u{feff}\"Zeit\";Temperatur;Wind;Regen\r\n{rows}"))
}

#[test]
fn a_spreadsheets_export_is_learned_as_it_is_and_new_ones_are_read_alike() {
    let room = Room::new();
    let (data, out) = (export(&room, "march.csv", 0..60, "still"), room.path("rain.keras"));
    let made =
        ["train", &data, "--target", "Regen", "--window", "4", "--na", "k.A.", "--missing", "ffill", "--out", &out];
    let told = talk(&[&made[..], &SHORT, &["--validation-from", "2015-03-02 12:00"]].concat());
    for part in [
        "windows of 4 x 4 (Temperatur, Wind=NW, Wind=SE, Wind=still) -> Regen:",
        "of 57 rows: 1 gap in time (Zeit); 5 missing values filled in",
        "windows to validate with",
    ] {
        assert!(told.contains(part), "`{part}` is missing from {told}");
    }
    let summary = object(&["summary", &out]);
    assert_eq!(summary["data"]["reading"]["categorical"][0]["categories"], serde_json::json!(["NW", "SE", "still"]));
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert_eq!(scores["samples"], Value::from(51), "27 and 24 windows");
    // Other order of columns, commas, no target, no dates.
    let new = room.write("new.csv", "Wind,Temperatur\nSE,10.5\nNW,k.A.\nstill,12\nSE,9\n");
    let csv = stdout(&["predict", &out, &new, "--device", "cpu"]);
    assert_eq!((csv.lines().count(), csv.lines().nth(1).unwrap().starts_with("5,")), (2, true), "{csv}");
    let strange = export(&room, "april.csv", 0..20, "W");
    assert_refused(
        &["predict", &out, &strange, "--device", "cpu"],
        &["april.csv", "line 4, column `Wind`", "`W` is none of the 3 categories", "--new-categories none"],
    );
    let csv = stdout(&["predict", &out, &strange, "--device", "cpu", "--new-categories", "none"]);
    assert_eq!(csv.lines().count(), 18, "{csv}");
    assert_refused(
        &["predict", &out, &new, "--device", "cpu", "--missing", "drop"],
        &["--missing does not fit here", "rain.keras says itself how its data are read", "Leave --missing out"],
    );
}

#[test]
fn missing_values_can_be_masked() {
    let room = Room::new();
    let row = |i: u32| format!("{},{},{}\n", if i % 5 == 3 { "?".to_owned() } else { i.to_string() }, i * i % 7, i % 2);
    let data = room.write("gaps.csv", &("a,b,y\n".to_owned() + &(0..40).map(row).collect::<String>()));
    room.assert_train_refused(
        &data,
        &["--target", "y", "--window", "3"],
        &["line 5, column `a`", "`?`", "`--missing`"],
    );
    let out = room.path("masked.keras");
    let flags = ["--target", "y", "--window", "3", "--missing", "mask", "--validation-split", "0.2", "--out", &out];
    let told = talk(&[&["train", &data][..], &flags, &SHORT].concat());
    assert!(told.contains("Normalization -> Masking -> LSTM 4"), "{told}");
    assert!(told.contains("of 40 rows: 8 rows with missing values masked"), "{told}");
    assert_eq!(object(&["evaluate", &out, &data, "--device", "cpu"])["samples"], 38);
}

#[test]
fn groups_are_told_apart_and_can_be_held_out_whole() {
    let room = Room::new();
    let row = |i: u32| format!("{i},m{},{},{}\n", i % 4, i * 7 % 5, if i.is_multiple_of(3) { "no" } else { "yes" });
    let data = room.write("fleet.csv", &("at,machine,a,y\n".to_owned() + &(0..80).map(row).collect::<String>()));
    let out = room.path("fleet.keras");
    let made = ["train", &data, "--target", "y", "--window", "5", "--group", "machine", "--time", "at", "--out", &out];
    let told = talk(&[&made[..], &SHORT, &["--validation-split", "0.25", "--split", "group"]].concat());
    assert!(told.contains("data     48 windows of 5 x 1 (a) -> y:"), "{told}");
    assert!(told.contains("of 80 rows: 4 series by machine") && told.contains("16 windows to validate with"), "{told}");
    assert_eq!(object(&["evaluate", &out, &data, "--device", "cpu"])["samples"], 64);
    let other = room.write("other.csv", "at,a\n1,2\n");
    assert_refused(&["predict", &out, &other, "--device", "cpu"], &["no column of `--group` `machine`", "`at`, `a`"]);
    let flags = ["--target", "y", "--window", "5", "--validation-split", "0.25", "--split"];
    room.assert_train_refused(&data, &[&flags[..], &["group"]].concat(), &["two groups or more", "--group"]);
    room.assert_train_refused(&data, &[&flags[..], &["random"]].concat(), &["overlap", "Split by time"]);
}

#[test]
fn flags_that_need_another_say_so() {
    let room = Room::new();
    let data = room.rows();
    for (flags, part) in
        [(["--gap", "5min"], "--time"), (["--dates", "day-first"], "--time"), (["--season", "24"], "--horizon")]
    {
        let args = [&["train", &data, "--out", "x.keras", "--target", "y", "--window", "3"][..], &flags].concat();
        let text = String::from_utf8(gatenorm(&args).assert().code(2).get_output().stderr.clone()).unwrap();
        assert!(text.contains(part), "{text}");
    }
}

/// Hours of a wave of a period of 12 with noise, and of another that is a thousand times larger.
fn waves(room: &Room, name: &str) -> String {
    let row = |i: u32| {
        let wave = (f64::from(i) * std::f64::consts::TAU / 12.0).sin() + 0.1 * f64::from(i * 7919 % 13) / 13.0;
        format!("2015-03-{:02} {:02}:00,{wave:.4},{:.2}\n", 1 + i / 24, i % 24, 5000.0 - 1000.0 * wave)
    };
    room.write(name, &("at,p,q\n".to_owned() + &(0..480).map(row).collect::<String>()))
}

#[test]
fn forecasts_are_judged_beside_those_that_need_no_model() {
    let room = Room::new();
    let (data, out) = (waves(&room, "waves.csv"), room.path("waves.keras"));
    let made =
        ["train", &data, "--target", "q", "--window", "12", "--horizon", "1,6", "--season", "12", "--units", "8"];
    let course =
        ["--epochs", "12", "--learning-rate", "0.01", "--validation-split", "0.25", "--device", "cpu", "--out", &out];
    let value = object(&[&made[..], &course].concat());
    let forecasts = value["forecasts"].as_array().unwrap();
    let rmse = |by: &str, ahead: Value| {
        let found = forecasts.iter().find(|f| f["by"] == by && f["ahead"] == ahead);
        found.unwrap_or_else(|| panic!("{by} {ahead}: {value}"))["rmse"].as_f64().unwrap()
    };
    assert_eq!(forecasts.len(), 9);
    // Half a period ahead the last value is as wrong as can be, twice the amplitude's root mean square.
    assert!((rmse("persistence", 6.into()) - 1414.0).abs() < 60.0, "{value}");
    assert!(rmse("seasonal naive (12)", Value::Null) < 100.0, "{value}");
    assert!(rmse("model", 6.into()) < 0.5 * rmse("persistence", 6.into()), "{value}");
    let last = &value["epochs"][11];
    let scaled = last["val_loss"].as_f64().unwrap();
    let own = last["val_root_mean_squared_error"].as_f64().unwrap();
    assert!((own - rmse("model", Value::Null)).abs() < 1e-3 * own, "{value}");
    let deviation = own / scaled.sqrt();
    assert!((650.0..760.0).contains(&deviation), "the loss is in units of the target's spread: {deviation}");
    let judged = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert_eq!(judged["forecasts"].as_array().unwrap().len(), 9);
    let csv = stdout(&["predict", &out, &data, "--device", "cpu"]);
    assert!(csv.starts_with("row,q+1,q+6\n13,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 480 - 11, "to the end of the file");
    let table = stdout(&["evaluate", &out, &data, "--device", "cpu"]);
    for part in ["forecast by", "q, all horizons", "q, 6 ahead", "persistence", "seasonal naive (12)"] {
        assert!(table.contains(part), "`{part}` is missing from {table}");
    }
}

#[test]
fn several_targets_are_outputs_each_in_its_own_unit() {
    let room = Room::new();
    let (data, out) = (waves(&room, "waves.csv"), room.path("both.keras"));
    let made = ["train", &data, "--target", "p,q", "--window", "12", "--horizon", "1..3", "--units", "8"];
    let course =
        ["--epochs", "8", "--learning-rate", "0.01", "--validation-split", "0.25", "--device", "cpu", "--out", &out];
    let value = object(&[&made[..], &course].concat());
    let last = &value["epochs"][7];
    let (p, q) = (last["p_mae"].as_f64().unwrap(), last["q_mae"].as_f64().unwrap());
    assert!(p < 0.5 && q > 1.0 && q < 500.0, "{value}");
    let csv = stdout(&["predict", &out, &data, "--device", "cpu"]);
    assert!(csv.starts_with("row,p+1,p+2,p+3,q+1,q+2,q+3\n13,"), "{csv}");
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    assert!(scores["q_mae"].is_f64() && scores["forecasts"].as_array().unwrap().len() == 2 * 4 * 2, "{scores}");
    let more = room.path("more.keras");
    object(&["train", &data, "--model", &out, "--epochs", "1", "--device", "cpu", "--out", &more]);
    room.assert_train_refused(
        &data,
        &["--target", "p,q", "--horizon", "1", "--window", "3", "--loss", "binary_crossentropy"],
        &["column `p`", "third value", "Each of several labels has two classes"],
    );
}

#[test]
fn several_labels_are_learned_judged_and_predicted_each() {
    let room = Room::new();
    // What is full shows in `heat`, what is open in `draught`, each in the window's last row.
    let row = |i: u32| {
        let (full, open) = (i * i % 7 < 3, i * 5 % 11 < 5);
        let (heat, draught) = (if full { 3 } else { 0 }, if open { 5 } else { 1 });
        format!("{heat},{draught},{},{}\n", u8::from(full), if open { "open" } else { "shut" })
    };
    let rows: String = (0..120).map(row).collect();
    let (data, out) = (room.write("rooms.csv", &format!("heat,draught,Full,Window\n{rows}")), room.path("rooms.keras"));
    let made = ["train", &data, "--target", "Full,Window", "--window", "2", "--units", "8", "--out", &out];
    let course = ["--epochs", "80", "--learning-rate", "0.02", "--validation-split", "0.25", "--device", "cpu"];
    let loss = ["--loss", "binary_crossentropy", "--report", &room.path("page.html")];
    let value = object(&[&made[..], &course, &loss].concat());
    assert!(value["epochs"][79]["val_binary_accuracy"].as_f64().unwrap() > 0.95, "{value}");
    let page = std::fs::read_to_string(room.path("page.html")).unwrap();
    assert!(page.contains("Labels (validation data)") && !page.contains("Confusion"), "{page}");
    let summary = stdout(&["summary", &out]);
    assert!(summary.contains("-> Full (0 or 1), Window (open or shut)"), "{summary}");
    let scores = object(&["evaluate", &out, &data, "--device", "cpu"]);
    let accuracy = |i: usize| scores["labels"][i]["accuracy"].as_f64().unwrap();
    let mean = scores["binary_accuracy"].as_f64().unwrap();
    assert!((mean - (accuracy(0) + accuracy(1)) / 2.0).abs() < 1e-6 && mean > 0.95, "{scores}");
    let table = stdout(&["evaluate", &out, &data, "--device", "cpu"]);
    assert!(table.contains("\nFull ") && table.contains("\nWindow "), "{table}");
    let new = room.write("new.csv", "heat,draught\n0,1\n3,1\n0,5\n");
    let csv = stdout(&["predict", &out, &new, "--device", "cpu"]);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["row", "Full", "Full_class", "Window", "Window_class"]);
    assert_eq!(([lines[1][2], lines[1][4]], [lines[2][2], lines[2][4]]), (["1", "shut"], ["0", "open"]), "{csv}");
    let probability: f64 = lines[1][1].parse().unwrap();
    assert!(probability > 0.5 && probability < 1.0, "{csv}");
    // Labels swapped are judged wrong: the accuracy is one of the truth, label by label.
    let swapped = room.write(
        "swapped.csv",
        &format!(
            "heat,draught,Full,Window\n{}",
            rows.replace("open", "SHUT").replace("shut", "open").replace("SHUT", "shut")
        ),
    );
    let wrong = object(&["evaluate", &out, &swapped, "--device", "cpu"]);
    assert!((wrong["labels"][1]["accuracy"].as_f64().unwrap() + accuracy(1) - 1.0).abs() < 1e-6, "{wrong}");
    assert_eq!(wrong["labels"][0], scores["labels"][0]);
    room.assert_train_refused(
        &data,
        &["--target", "Full,Window", "--window", "2"],
        &["`Window` holds words and `Full` numbers", "--loss binary_crossentropy"],
    );
    room.assert_train_refused(
        &data,
        &["--target", "Full,Window", "--window", "2", "--loss", "binary_crossentropy", "--class-weight", "1=2"],
        &["--class-weight", "no single column of classes"],
    );
}

#[test]
fn several_columns_of_two_words_at_the_end_are_proposed_as_labels() {
    let room = Room::new();
    let line = |i: u32| {
        let word = |is: bool, words: [&'static str; 2]| words[usize::from(is)];
        let (hot, open) = (word(i.is_multiple_of(3), ["cold", "hot"]), word(i % 4 < 2, ["shut", "open"]));
        format!("{},{i},{},{hot},{open}\n", word(i.is_multiple_of(2), ["a", "b"]), i * i % 7)
    };
    let rows: String = (0..150).map(line).collect();
    let data = room.write("two.csv", &("machine,x,z,heat,window\n".to_owned() + &rows));
    let told = object(&["inspect", &data]);
    assert_eq!(told["task"], "tell `heat`, `window`, two classes each, which may come together");
    let (command, out) = (told["command"].as_str().unwrap(), room.path("labels.keras"));
    assert!(command.contains("--target heat,window --window 10"), "{command}");
    let words: Vec<&str> =
        command.split(' ').skip(1).map(|word| if word == "model.keras" { &out } else { word }).collect();
    stdout(&[&words[..], &["--epochs", "1", "--units", "2", "--device", "cpu"]].concat());
    // One that is named as the target is it; two words elsewhere are no labels.
    for (header, target) in [("machine,y,z,heat,window\n", "y"), ("heat,window,z,machine,x\n", "x")] {
        let rows = if target == "x" {
            (0..40).map(|i| format!("c,o{},{i},m,{}\n", i % 2, i % 3)).collect()
        } else {
            rows.clone()
        };
        let data = room.write("one.csv", &(header.to_owned() + &rows));
        assert!(stdout(&["inspect", &data]).contains(&format!("--target {target} ")), "{header}");
    }
}

#[test]
fn a_file_is_inspected_before_it_is_learned() {
    let room = Room::new();
    let data = export(&room, "march.csv", 0..60, "still");
    let told = stdout(&["inspect", &data, "--na", "k.A."]);
    for part in [
        "57 rows, fields separated by `;`",
        "Temperatur  numbers",
        "Wind        categories",
        "NW (19), SE (19), still (19)",
        "time: Zeit, 2015-03-01T00:00:00 to 2015-03-03T11:00:00, a step of 3600 s, 1 gap",
        "task: classify `Regen`, two classes",
        "--target Regen --window 10 --missing ffill --time Zeit --validation-split 0.2",
    ] {
        assert!(told.contains(part), "`{part}` is missing from {told}");
    }
    let value = object(&["inspect", &data, "--na", "k.A."]);
    assert_eq!(
        (&value["columns"][1]["missing"], &value["columns"][1]["numbers"]["least"]),
        (&Value::from(5), &Value::from(10.5))
    );
    let series = object(&["inspect", "data/japanese_vowels/JapaneseVowels_TRAIN.ts"]);
    assert_eq!(
        (&series["series"], &series["channels"], &series["most_steps"]),
        (&Value::from(270), &Value::from(12), &Value::from(26))
    );
    #[cfg(feature = "plots")]
    {
        let (svg, png) = (room.path("a.svg"), room.path("a.png"));
        stdout(&["inspect", &data, "--na", "k.A.", "--picture", &svg]);
        stdout(&["inspect", &data, "--na", "k.A.", "--picture", &png]);
        let drawn = std::fs::read_to_string(svg).unwrap();
        assert!(drawn.contains(">Temperatur<") && drawn.contains(">5 missing<"), "{drawn}");
        assert!(std::fs::read(png).unwrap().starts_with(b"\x89PNG"));
        assert_refused(&["inspect", &data, "--na", "k.A.", "--picture", "a.gif"], &["ends in .svg or .png"]);
    }
    let broken = room.write("broken.csv", "a,b\n1,2\nwarm,3\n");
    assert_refused(&["inspect", &broken], &["line 3, column `a`: `warm` is not a number"]);
}

#[test]
fn several_files_are_learned_and_predicted_as_one() {
    let room = Room::new();
    let (march, april) = (export(&room, "march.csv", 0..20, "still"), export(&room, "april.csv", 0..20, "still"));
    let (out, flags) =
        (room.path("both.keras"), ["--target", "Regen", "--window", "4", "--na", "k.A.", "--missing", "ffill"]);
    let told = talk(&[&["train", &march, &april, "--out", &out][..], &flags, &SHORT].concat());
    assert!(told.contains("data     34 windows of 4 x 4") && told.contains("march.csv"), "{told}");
    assert_eq!(object(&["evaluate", &out, &march, &april, "--device", "cpu"])["samples"], 34);
    let csv = stdout(&["predict", &out, &april, &march, "--device", "cpu"]);
    assert!(csv.starts_with("file,row,probability,class\n"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().starts_with(&format!("{april},5,")), "{csv}");
    assert!(csv.lines().last().unwrap().starts_with(&format!("{march},21,")), "{csv}");
    assert_refused(
        &["train", &march, "data/japanese_vowels/JapaneseVowels_TRAIN.ts", "--out", &out],
        &["one is a table and one a file of series", "JapaneseVowels_TRAIN.ts"],
    );
}
