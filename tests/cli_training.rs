//! `gatenorm train` with an optimizer of one's own, and with what looks on while it trains.

#[path = "common/commands.rs"]
mod commands;

use std::fs;

use serde_json::Value;

use commands::{Room, USUAL, assert_refused, gatenorm, object, stdout};

/// The JSON object of a training on these flags, and its talk.
fn train(room: &Room, flags: &[&str]) -> (Value, String) {
    let (rows, out) = (room.rows(), room.path("room.keras"));
    let usual = ["train", &rows, "--device", "cpu", "--units", "4", "--json", "--out", &out];
    let args = [&usual[..], &USUAL, flags].concat();
    let output = gatenorm(&args).assert().success().get_output().clone();
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn epochs(value: &Value) -> usize {
    value["epochs"].as_array().unwrap().len()
}

#[test]
fn every_optimizer_trains_and_stays_in_the_file() {
    let room = Room::new();
    for (name, flags) in [
        ("adam", &["--beta-1", "0.8", "--gradient-accumulation-steps", "2"][..]),
        ("adamw", &["--weight-decay", "0.1"]),
        ("sgd", &["--momentum", "0.9", "--nesterov", "--clipnorm", "1"]),
        ("rmsprop", &["--centered", "--schedule", "exponential:decay_rate=0.5,decay_steps=3"]),
        ("nadam", &["--global-clipnorm", "1"]),
        ("adagrad", &["--learning-rate", "0.1"]),
        ("lion", &["--ema-momentum", "0.9", "--clipvalue", "0.5"]),
    ] {
        let (value, _) = train(&room, &[&["--optimizer", name, "--epochs", "2"], flags].concat());
        assert!(value["epochs"][1]["loss"].is_f64(), "{name}: {value}");
        let model = object(&["summary", &room.path("room.keras")]);
        assert_eq!((&model["optimizer"], &model["iterations"]), (&name.into(), &Value::from(2)));
    }
}

#[test]
fn data_that_pass_through_the_device_train_to_the_same_losses() {
    let room = Room::new();
    let losses = |flags: &[&str]| {
        let (value, talk) = train(&room, &[&["--epochs", "3", "--batch-size", "4"], flags].concat());
        let of_epoch = |epoch: &Value| epoch["loss"].as_f64().unwrap();
        (value["epochs"].as_array().unwrap().iter().map(of_epoch).collect::<Vec<f64>>(), talk)
    };
    // 288 bytes for two batches, 376 for all.
    let ((whole, talk), (passed, _)) = (losses(&[]), losses(&["--device-memory", "300B"]));
    assert_eq!(whole, passed);
    assert!(talk.contains("MiB on the device (parameters "), "{talk}");
    let rows = room.rows();
    let refused = |memory: &str, words: &str| {
        let flags = [&["--batch-size", "4", "--device-memory", memory], &USUAL[..]].concat();
        room.assert_train_refused(&rows, &flags, &[words]);
    };
    refused("200B", "288 bytes");
    refused("much", "such as 256MiB");
    let model = room.path("room.keras");
    assert_refused(&["predict", &model, "-", "--stream", "--device-memory", "1MiB"], &["leave --device-memory out"]);
}

/// A training on 262 MB of series (zeros that take no place on the disk) in 246 MB of address space, half of which or less is the program.
#[cfg(target_os = "linux")]
#[test]
fn series_larger_than_memory_are_trained_on_from_their_file() {
    use std::io::{Seek, Write};
    let room = Room::new();
    let npy = |name: &str, descr: &str, shape: &str, bytes: u64, values: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut file = fs::File::create(room.path(name)).unwrap();
        file.write_all(b"\x93NUMPY\x01\x00").unwrap();
        file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        file.write_all(&[header.as_bytes(), values].concat()).unwrap();
        let begins = file.stream_position().unwrap() - values.len() as u64;
        file.set_len(begins + bytes).unwrap();
    };
    npy("x.npy", "<f4", "(1000, 256, 256)", 4 * 1000 * 256 * 256, &[]);
    npy("y.npy", "|u1", "(1000,)", 1000, &[0, 1].repeat(500));
    let train = |memory: &str| {
        let mut command = assert_cmd::Command::new("sh");
        command.args(["-c", "ulimit -v 240000 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_gatenorm")]);
        command.env("MALLOC_ARENA_MAX", "1").args(["train", &room.path("x.npy"), "--out", &room.path("x.keras")]);
        command.args(["--device", "cpu", "--units", "1", "--epochs", "1", "--batch-size", "8", "--json"]);
        command.args(["--host-memory", memory, "--device-memory", "10MiB"]).output().unwrap()
    };
    let done = train("1MiB");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (result, refused) = (serde_json::from_slice::<Value>(&done.stdout).unwrap(), train("1GiB"));
    assert_eq!((&result["samples"], epochs(&result)), (&1000.into(), 1));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && text.contains("more than there is memory"), "{text}");
}

/// A training on a table whose numbers take 120 MB, and twice that while they are put in order, in the same address space.
#[cfg(target_os = "linux")]
#[test]
fn tables_larger_than_memory_are_trained_on_from_a_file() {
    const COLUMNS: usize = 1000;
    let room = Room::new();
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("c{i}")).collect();
    let rows: [String; 2] = ["0", "1"].map(|y| format!("{y}{}\n", ",7".repeat(COLUMNS)));
    let data = room.write("wide.csv", &format!("y,{}\n{}", names.join(","), rows.concat().repeat(15_000)));
    let train = |memory: &str| {
        let mut command = assert_cmd::Command::new("sh");
        command.args(["-c", "ulimit -v 240000 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_gatenorm")]);
        command.env("MALLOC_ARENA_MAX", "1").args(["train", &data, "--out", &room.path("x.keras"), "--device", "cpu"]);
        command.args(["--target", "y", "--window", "4", "--stride", "303", "--units", "1", "--epochs", "1", "--json"]);
        command.args(["--batch-size", "8", "--device-memory", "10MiB", "--host-memory", memory]).output().unwrap()
    };
    let done = train("1MiB");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let result = serde_json::from_slice::<Value>(&done.stdout).unwrap();
    assert_eq!((&result["samples"], epochs(&result)), (&99.into(), 1));
    assert!(!train("1GiB").status.success(), "the control: in memory it does not fit");
}

#[test]
fn a_schedule_falls_over_the_whole_training() {
    let room = Room::new();
    let flags = ["--epochs", "3", "--batch-size", "6", "--optimizer", "sgd", "--learning-rate", "0.5"];
    let board = room.path("board");
    train(&room, &[&flags[..], &["--schedule", "polynomial:end_learning_rate=0", "--tensorboard", &board]].concat());
    let shown = stdout(&["summary", &room.path("room.keras")]);
    assert!(shown.contains("learning rate 0.5 at first, then by a schedule, 9 steps so far"), "{shown}");
    let events = |part: &str| fs::read_dir(room.path(&format!("board/{part}"))).map(|files| files.count()).unwrap_or(0);
    assert_eq!((events("train"), events("validation")), (1, 0));
}

#[test]
fn training_stops_early_and_the_learning_rate_falls() {
    let room = Room::new();
    let log = room.path("log.csv");
    // So small a step that no loss changes in f32, as often as the weights do.
    let still = ["--optimizer", "sgd", "--learning-rate", "1e-30", "--epochs", "9", "--monitor", "accuracy"];
    let watch = ["--early-stopping", "4", "--reduce-lr-on-plateau", "2", "--reduce-factor", "0.5", "--csv-log", &log];
    let (value, talk) = train(&room, &[&still[..], &watch].concat());
    assert!(talk.contains("stopped after epoch 5: no improvement any more"), "{talk}");
    assert_eq!((epochs(&value), &value["saved_epoch"]), (5, &Value::from(5)));
    let lines = fs::read_to_string(log).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "epoch,accuracy,learning_rate,loss,val_accuracy,val_learning_rate,val_loss");
    let rates: Vec<&str> = lines[1..].iter().map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(rates, ["1e-30", "1e-30", "1e-30", "5e-31", "5e-31"]);
}

#[test]
fn checkpoints_are_models() {
    let room = Room::new();
    let (best, each) = (room.path("best.keras"), room.path("all/{epoch:02d}.keras"));
    let flags = ["--epochs", "3", "--validation-split", "0.3", "--checkpoint-best", &best, "--save-epochs", &each];
    let (value, _) = train(&room, &flags);
    let best_epoch = value["best"]["epoch"].as_u64().unwrap();
    let same = room.path(&format!("all/{best_epoch:02}.keras"));
    assert_eq!(fs::read(&best).unwrap(), fs::read(same).unwrap());
    assert_eq!(fs::read_dir(room.path("all")).unwrap().count(), 3);
    assert_eq!(fs::read(room.path("all/03.keras")).unwrap(), fs::read(room.path("room.keras")).unwrap());
}

#[test]
fn a_training_that_diverges_may_keep_its_last_good_weights() {
    let room = Room::new();
    // The second batch's gradient is infinite.
    let row = |i: u32| format!("{},{}\n", i % 3, if i < 36 { (i % 5) as f32 } else { 3e38 });
    let data = room.write("huge.csv", &("a,y\n".to_owned() + &(0..60).map(row).collect::<String>()));
    let out = room.path("out.keras");
    let learned = ["--loss", "mean_squared_error", "--no-scaling", "--no-shuffle"];
    let args = [&["train", &data, "--device", "cpu", "--out", &out][..], &learned].concat();
    gatenorm(&[&args[..], &USUAL].concat()).assert().code(1);
    let value = object(&[&args[..], &USUAL, &["--terminate-on-nan"]].concat());
    assert_eq!(epochs(&value), 1);
    assert_eq!(object(&["summary", &out])["iterations"], 1);
}

#[test]
fn a_class_that_counts_for_nothing_is_not_learned() {
    let room = Room::new();
    let flags = ["--epochs", "1", "--learning-rate", "1e-30", "--optimizer", "sgd", "--batch-size", "18"];
    let loss = |weights: &str| {
        let weights = if weights.is_empty() { vec![] } else { vec!["--class-weight", weights] };
        train(&room, &[&flags[..], &weights].concat()).0["epochs"][0]["loss"].as_f64().unwrap()
    };
    let (all, no, yes) = (loss(""), loss("yes=0"), loss("no=0"));
    // Sums in f32 of 18 losses of about 1, and their parts.
    assert!(no > 0.0 && yes > 0.0 && (no + yes - all).abs() < 1e-5, "{all} is not {no} + {yes}");
    assert!((loss("no=2,yes=3") - 2.0 * no - 3.0 * yes).abs() < 1e-5);
}

#[test]
fn statistics_of_the_whole_training_data() {
    let room = Room::new();
    let (rows, out) = (room.rows(), room.path("room.keras"));
    let evaluate = || object(&["evaluate", &out, &rows, "--device", "cpu"])["loss"].as_f64().unwrap();
    let flags = ["--epochs", "1", "--batch-size", "6", "--validation", &rows, "--seed", "3"];
    let (moving, _) = train(&room, &[&flags[..], &["--bn-statistics", "moving"]].concat());
    assert_eq!(moving["population"], Value::Null);
    // Batches of another size add the losses in another order.
    let near = |value: &Value| (value.as_f64().unwrap() - evaluate()).abs() < 1e-6;
    assert!(near(&moving["epochs"][0]["val_loss"]), "{moving}");
    let (value, _) = train(&room, &[&flags[..], &["--bn-statistics", "population"]].concat());
    // The training was the same; what is saved is not.
    assert_eq!(value["epochs"][0]["val_loss"], moving["epochs"][0]["val_loss"]);
    let population = &value["population"];
    assert_ne!(population["val_loss"], moving["epochs"][0]["val_loss"]);
    // The same rows, so the same figures.
    assert_eq!((&population["loss"], &population["accuracy"]), (&population["val_loss"], &population["val_accuracy"]));
    assert!(near(&population["loss"]), "{population}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let room = Room::new();
    let rows = room.rows();
    for (flags, parts) in [
        (&["--rho", "0.9"][..], &["--rho", "rmsprop", "adam has no such argument", "--optimizer rmsprop"][..]),
        (&["--optimizer", "lion", "--epsilon", "1e-3"], &["--epsilon", "adam, adamw, rmsprop", "lion has no such"]),
        (&["--optimizer", "nadam", "--amsgrad"], &["--amsgrad", "adam, adamw"]),
        (&["--beta-1", "1"], &["--beta-1", "less than 1"]),
        (&["--clipnorm", "1", "--clipvalue", "1"], &["--clipnorm", "cannot be used with '--clipvalue"]),
        (&["--clipnorm", "0"], &["--clipnorm", "above 0"]),
        (&["--gradient-accumulation-steps", "1"], &["--gradient-accumulation-steps", "at least 2"]),
        (&["--schedule", "linear"], &["--schedule", "cosine, cosine_restarts, exponential, inverse_time, polynomial"]),
        (&["--schedule", "exponential"], &["--schedule exponential", "needs `decay_rate`"]),
        (&["--schedule", "cosine", "--reduce-lr-on-plateau", "3"], &["--reduce-lr-on-plateau and --schedule"]),
        (
            &["--schedule", "cosine", "--epochs", "1,1", "--learning-rate", "1,2"],
            &["--schedule and several numbers in --learning-rate"],
        ),
        (&["--class-weight", "yes"], &["--class-weight", "CLASS=WEIGHT"]),
        (&["--class-weight", "yes=-1"], &["--class-weight", "at least 0"]),
        (&["--class-weight", "maybe=2"], &["no class `maybe`", "no, yes"]),
        (&["--bn-statistics", "all"], &["--bn-statistics", "moving, population"]),
        (
            &["--no-batch-norm", "--bn-statistics", "population"],
            &["--bn-statistics", "no BatchNormalization that is trained", "Leave it out"],
        ),
        (&["--reduce-factor", "0.5"], &["--reduce-lr-on-plateau"]),
        (&["--early-stopping", "0"], &["--early-stopping", "at least 1"]),
        (&["--monitor", "loss"], &["--monitor", "--early-stopping", "Add one of them"]),
        (
            &["--early-stopping", "3", "--monitor", "val_loss"],
            &["no score `val_loss`", "there will be: loss, accuracy"],
        ),
        (&["--save-epochs", &room.path("model.h5")], &["model.h5", "must end in `.keras`"]),
        (&["--save-epochs", &room.path("{epochs}.keras")], &["no score `epochs`", "epoch, loss, accuracy"]),
        (&["--csv-log", &rows], &["--csv-log", "would overwrite", "rows.csv"]),
        (&["--csv-log", &room.path("no/log.csv")], &["log.csv", "cannot write"]),
        (&["--optimizer", "lion", "--model", "other.keras"], &["--optimizer", "cannot be used with '--model"]),
    ] {
        room.assert_train_refused(&rows, &[&USUAL[..], flags].concat(), parts);
    }
    assert!(fs::read_to_string(&rows).unwrap().starts_with("a,b,y\n"));
    assert_refused(&["train", &rows, "--out", &room.path("a.keras"), "--optimizers", "adam"], &["--optimizers"]);
}
