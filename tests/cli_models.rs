//! `train --model` with files that describe a model: Keras's JSON and TOML.

use std::fs;

use assert_cmd::Command;
use serde_json::{Value, json};

struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Room { folder: tempfile::tempdir().unwrap() };
        let row = |i: u32| format!("{i},{},{}\n", i * i % 7, if i.is_multiple_of(3) { "yes" } else { "no" });
        room.write("rows.csv", &("a,b,y\n".to_owned() + &(0..20).map(row).collect::<String>()));
        room
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn train(&self, model: &str, flags: &[&str]) -> Command {
        let (rows, out) = (self.path("rows.csv"), self.path("out.keras"));
        let args = ["train", &rows, "--device", "cpu", "--epochs", "1", "--out", &out];
        let unless_given = |flag, value| if flags.contains(&flag) { vec![] } else { vec![flag, value] };
        let args = [&args[..], &unless_given("--target", "y"), &unless_given("--window", "3")].concat();
        gatenorm(&[&args[..], &["--model", model], flags].concat())
    }

    /// What stderr says of a run that ends well.
    fn trained(&self, name: &str, content: &str, flags: &[&str]) -> String {
        let model = self.write(name, content);
        let output = self.train(&model, flags).assert().success().get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    }

    fn refused(&self, name: &str, content: &str, flags: &[&str], parts: &[&str]) {
        let model = self.write(name, content);
        let output = self.train(&model, flags).assert().code(2).get_output().clone();
        let text = String::from_utf8(output.stderr).unwrap();
        let (_, message) = text.split_once("error: ").unwrap();
        for part in parts {
            assert!(message.contains(part), "`{part}` is missing from: {message}");
        }
        assert!(!message.contains("panicked") && !fs::exists(self.path("out.keras")).unwrap(), "{message}");
    }

    fn summary(&self) -> Value {
        summary(&[&self.path("out.keras")])
    }
}

fn gatenorm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatenorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    command.env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn summary(args: &[&str]) -> Value {
    let output = gatenorm(&[&["summary"], args, &["--json"]].concat()).assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

const LAYERS: &str = r#"
[[layer]]
class = "Normalization"
[[layer]]
class = "LSTM"
units = 5
return_sequences = true
name = "memory"
[[layer]]
class = "LSTM"
units = 4
[[layer]]
class = "Dense"
units = 1
activation = "sigmoid"
"#;

#[test]
fn layers_in_toml_are_trained() {
    let room = Room::new();
    let talk = room.trained("model.toml", LAYERS, &["--seed", "3"]);
    assert!(talk.contains("model    Normalization -> LSTM 5 -> LSTM 4 -> Dense 1 sigmoid; "), "{talk}");
    let shown = room.summary();
    let names: Vec<&str> = shown["layers"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["normalization", "memory", "lstm", "dense"]);
    assert_eq!((&shown["optimizer"], &shown["data"]["classes"]), (&json!("adam"), &json!(["no", "yes"])));
    assert_eq!(shown["loss"], "binary_crossentropy");
    let first = fs::read(room.path("out.keras")).unwrap();
    room.trained("model.toml", LAYERS, &["--seed", "3"]);
    assert_eq!(fs::read(room.path("out.keras")).unwrap(), first, "the same seed gives the same model");
    room.trained("model.toml", LAYERS, &["--seed", "4"]);
    assert_ne!(fs::read(room.path("out.keras")).unwrap(), first);
}

#[test]
fn toml_may_say_how_to_train() {
    let room = Room::new();
    let compile = "[compile]\nloss = \"mse\"\noptimizer = { class = \"SGD\", momentum = 0.5 }\nlearning_rate = 0.02\nmetrics = [\"mae\"]\n";
    room.trained("model.toml", &format!("{LAYERS}{compile}"), &["--target", "b", "--columns", "a"]);
    let shown = room.summary();
    assert_eq!((&shown["loss"], &shown["optimizer"]), (&json!("mean_squared_error"), &json!("sgd")));
    assert_eq!((&shown["learning_rate"], &shown["metrics"]), (&json!(0.02), &json!(["mae"])));
    let flags = ["--target", "b", "--columns", "a", "--learning-rate", "0.5"];
    room.trained("model.toml", &format!("{LAYERS}{compile}"), &flags);
    assert_eq!(room.summary()["learning_rate"], 0.5);
    fs::remove_file(room.path("out.keras")).unwrap();
    let flags = ["--loss", "binary_crossentropy"];
    room.refused("model.toml", &format!("{LAYERS}{compile}"), &flags, &["--loss", "model.toml", "Leave"]);
}

#[test]
fn toml_may_describe_a_graph() {
    let room = Room::new();
    let graph = r#"
outputs = "score"
[[layer]]
class = "Dense"
units = 3
name = "shared start"
[[layer]]
class = "LSTM"
units = 4
inputs = "input"
[[layer]]
class = "LSTM"
units = 2
inputs = ["shared start"]
[[layer]]
class = "Dense"
name = "score"
units = 1
activation = "sigmoid"
"#;
    room.trained("model.toml", graph, &[]);
    let shown = room.summary();
    let connected: Vec<&Value> = shown["layers"].as_array().unwrap().iter().map(|l| &l["connected_to"]).collect();
    // The LSTM that leads to no output is left out, as in Keras.
    assert_eq!(connected, [&json!(["input[0][0]"]), &json!(["shared start[0][0]"]), &json!(["lstm_1[0][0]"])]);
    fs::remove_file(room.path("out.keras")).unwrap();
    let wrong = graph.replace("\"shared start\"]", "\"sharedstart\"]");
    room.refused(
        "model.toml",
        &wrong,
        &[],
        &["layer `lstm_1` (LSTM)", "`sharedstart`", "Did you mean `shared start`?"],
    );
    let two = graph.replace("\"score\"\n[[", "[\"score\", \"lstm\"]\n[[");
    room.refused("model.toml", &two, &[], &["model.toml", "several outputs (score, lstm)"]);
    let beyond =
        graph.replace("inputs = \"input\"", "inputs = \"shared start:1\"").replace("\"score\"\n[[", "\"lstm\"\n[[");
    room.refused("model.toml", &beyond, &[], &["layer `lstm`", "number 1", "`shared start`"]);
}

#[test]
fn keras_json_is_trained_with_fresh_weights() {
    let room = Room::new();
    let layer = |class: &str, config: Value| json!({"module": "keras.layers", "class_name": class, "config": config});
    let mut model = json!({"module": "keras", "class_name": "Sequential", "registered_name": null, "config": {"layers": [
        layer("InputLayer", json!({"batch_shape": [null, 3, 2]})),
        layer("Normalization", json!({"name": "scale", "mean": [9.5, 2.0], "variance": [33.0, 4.0]})),
        layer("LSTM", json!({"units": 3})),
        layer("Dense", json!({"units": 1, "activation": "sigmoid"})),
    ]}});
    room.trained("model.json", &model.to_string(), &[]);
    assert_eq!(
        (&room.summary()["optimizer"], &room.summary()["loss"]),
        (&json!("adam"), &json!("binary_crossentropy"))
    );
    model["compile_config"] = json!({"optimizer": "sgd", "loss": "bce", "metrics": ["mae"]});
    room.trained("model.json", &model.to_string(), &[]);
    let shown = room.summary();
    assert_eq!((&shown["optimizer"], &shown["metrics"]), (&json!("sgd"), &json!(["mae"])));
    fs::remove_file(room.path("out.keras")).unwrap();
    room.refused("model.json", &model.to_string(), &["--window", "4"], &["[3, 2]", "[4, 2]"]);
    room.refused("model.json", &model.to_string(), &["--units", "4"], &["--units", "cannot be used with"]);
    room.refused("model.json", "{", &[], &["model.json", "not JSON", "model.to_json()"]);
    let late = model["config"]["layers"].as_array_mut().unwrap();
    late[1]["config"] = json!({});
    late.insert(1, layer("Normalization", json!({"name": "first", "mean": 1, "variance": 2})));
    room.refused("model.json", &model.to_string(), &[], &["Normalization", "`mean` and `variance`"]);
}

#[test]
fn slips_in_toml_are_named() {
    let room = Room::new();
    let refused = |from: &str, to: &str, parts: &[&str]| {
        assert!(LAYERS.contains(from));
        room.refused("model.toml", &LAYERS.replacen(from, to, 1), &[], &[parts, &["model.toml"]].concat());
    };
    refused(
        "return_sequences",
        "return_sequence",
        &["layer `memory` (LSTM)", "`return_sequence`", "Did you mean `return_sequences`?"],
    );
    refused("return_sequences = true", "stateless = false", &["layer `memory` (LSTM)", "no argument `stateless`"]);
    refused("units = 5", "unit = 5", &["layer `memory` (LSTM)", "`units` is missing", "meant by `unit`?"]);
    refused("units = 5", "units = 0", &["layer `memory` (LSTM)", "`units` is 0", "a whole number from 1"]);
    refused("\"LSTM\"", "\"Lstm\"", &["layer `memory`", "class `Lstm` is not supported", "did you mean `LSTM`?"]);
    refused("\"sigmoid\"", "\"sigmoidal\"", &["layer `dense` (Dense)", "`activation` is \"sigmoidal\"", "\"sigmoid\""]);
    refused("[[layer]]", "[layer]", &["model.toml", "layer"]);
    refused("class = \"Normalization\"", "kind = 3", &["layer 1 has no `class`"]);
    refused("units = 4", "units = 4\nname = \"memory\"", &["layer 3 (LSTM)", "\"memory\"", "taken"]);
    room.refused("model.toml", &LAYERS.replace("[[layer]]", "[[layers]]"), &[], &["no layers", "[[layer]]"]);
    let compile = format!("{LAYERS}[compile]\n");
    let compiled = |line: &str, parts: &[&str]| room.refused("model.toml", &format!("{compile}{line}\n"), &[], parts);
    compiled("optimiser = \"adam\"", &["[compile]", "no argument `optimiser`", "Did you mean `optimizer`?"]);
    compiled("optimizer = \"adamm\"", &["[compile]", "optimizer", "adamm", "Adam, AdamW"]);
    compiled("optimizer = { class = \"Adam\", beta1 = 0.5 }", &["optimizer (Adam)", "`beta1`", "`beta_1`?"]);
    compiled("loss = \"mean_square_error\"", &["[compile]", "`loss`", "mean_squared_error"]);
    room.refused("model.toml", &format!("compil = 3\n{LAYERS}"), &[], &["`compil`", "Did you mean `compile`?"]);
}

#[test]
fn a_description_is_shown() {
    let room = Room::new();
    let model = room.write("model.toml", LAYERS);
    let value = summary(&[&model, "--input-shape", "10,2"]);
    assert_eq!(
        (&value["input_shape"], &value["layers"][1]["parameters"]),
        (&json!([10, 2]), &json!(4 * 5 * (2 + 5 + 1)))
    );
    let output = gatenorm(&["summary", &model]).assert().code(2).get_output().clone();
    assert!(String::from_utf8(output.stderr).unwrap().contains("--input-shape 10,5"));
}

#[test]
fn flags_change_the_new_model() {
    let room = Room::new();
    let (rows, out) = (room.path("rows.csv"), room.path("out.keras"));
    let usual = ["train", &rows, "--target", "y", "--window", "3", "--device", "cpu", "--epochs", "1", "--out", &out];
    let line = |flags: &[&str]| {
        let output =
            gatenorm(&[&usual[..], &["--units", "4,3"], flags].concat()).assert().success().get_output().clone();
        let talk = String::from_utf8(output.stderr).unwrap();
        let (_, line) = talk.split_once("model    ").unwrap();
        let layers: Vec<Value> = room.summary()["layers"].as_array().unwrap().clone();
        (line.split(';').next().unwrap().to_owned(), layers)
    };
    let (plain, _) = line(&["--no-batch-norm"]);
    assert_eq!(plain, "Normalization -> LSTM 4 -> LSTM 3 -> Dense 1 sigmoid");
    let (_, layers) =
        line(&["--dropout", "0.25", "--recurrent-dropout", "0.5", "--activation", "relu", "--no-scaling"]);
    let config = &layers[0]["config"];
    assert_eq!((&config["dropout"], &config["recurrent_dropout"]), (&json!(0.25), &json!(0.5)));
    assert_eq!((&config["activation"], &layers[1]["class"]), (&json!("relu"), &json!("BatchNormalization")));
    let (recurrent, layers) = line(&["--recurrent-bn", "--no-batch-norm"]);
    assert_eq!(recurrent, "Normalization -> RecurrentBatchNormLSTM 4 -> RecurrentBatchNormLSTM 3 -> Dense 1 sigmoid");
    assert_eq!(layers[1]["config"]["max_steps"], json!(3));
    let (_, layers) = line(&["--bidirectional"]);
    assert_eq!((&layers[1]["class"], &layers[1]["output_shape"]), (&json!("Bidirectional"), &json!([3, 8])));
    assert_eq!(layers[3]["output_shape"], json!([6]));
    for (flag, value, part) in [("--dropout", "1", "less than 1"), ("--activation", "tanhh", "there are: ")] {
        let output = gatenorm(&[&usual[..], &[flag, value]].concat()).assert().code(2).get_output().clone();
        assert!(String::from_utf8(output.stderr).unwrap().contains(part));
    }
}
