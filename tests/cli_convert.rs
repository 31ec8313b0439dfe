//! `gatenorm convert`: what it writes, and what it refuses.

#[path = "common/commands.rs"]
mod commands;

use std::fs;

use commands::{Room, USUAL, assert_refused, gatenorm, object, stdout};

/// A model trained for an epoch.
fn trained(room: &Room) -> String {
    let (rows, model) = (room.rows(), room.path("room.keras"));
    let args = ["train", &rows, "--device", "cpu", "--epochs", "1", "--units", "4,3", "--out", &model];
    gatenorm(&[&args[..], &USUAL].concat()).assert().success();
    model
}

#[test]
fn models_become_onnx_and_weights_go_out_and_come_back() {
    let room = Room::new();
    let model = trained(&room);
    let predictions = |model: &str| stdout(&["predict", model, &room.path("rows.csv"), "--device", "cpu"]);
    let onnx = room.path("room.onnx");
    let told = object(&["convert", &model, &onnx]);
    assert_eq!((told["format"].as_str(), told["out"].as_str()), (Some("onnx"), Some(onnx.as_str())));
    let bytes = fs::read(&onnx).unwrap();
    for word in ["gatenorm", "LSTM", "columns", r#"["a","b"]"#, r#"["no","yes"]"#] {
        assert!(bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
    }
    for names in ["keras", "pytorch"] {
        let (weights, back) = (room.path("room.safetensors"), room.path("back.keras"));
        assert_eq!(object(&["convert", &model, &weights, "--names", names])["names"], names);
        assert_eq!(stdout(&["convert", &weights, &back, "--like", &model]), "");
        assert_eq!(predictions(&back), predictions(&model));
        assert_eq!(object(&["summary", &back])["iterations"], 0, "the optimizer begins anew");
    }
    let weights = room.path("room.safetensors");
    stdout(&["convert", &weights, &room.path("again.onnx"), "--like", &model]);
    assert_eq!(fs::read(room.path("again.onnx")).unwrap(), bytes);
}

#[test]
fn a_model_is_saved_anew_with_or_without_what_its_optimizer_kept() {
    let room = Room::new();
    let model = trained(&room);
    let (copy, anew) = (room.path("copy.keras"), room.path("anew.keras"));
    stdout(&["convert", &model, &copy]);
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&model).unwrap());
    stdout(&["convert", &model, &anew, "--reset-optimizer"]);
    let steps = |model: &str| object(&["summary", model])["iterations"].as_u64().unwrap();
    assert!(steps(&model) > 0);
    assert_eq!(steps(&anew), 0);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let room = Room::new();
    let model = trained(&room);
    let (onnx, weights) = (room.path("a.onnx"), room.write("a.safetensors", "no tensors"));
    let (out, text) = (room.path("out.keras"), room.path("out.txt"));
    let before = room.names();
    assert_refused(&["convert", &model, &text], &["out.txt", "must end in .keras, .safetensors or .onnx"]);
    assert_refused(&["convert", &onnx, &out], &["a.onnx", "not read", ".keras file"]);
    assert_refused(&["convert", &weights, &out], &["a.safetensors", "--like"]);
    assert_refused(&["convert", &model, &out, "--like", &model], &["--like", "Leave --like out"]);
    assert_refused(&["convert", &model, &onnx, "--names", "keras"], &["--names", ".onnx"]);
    assert_refused(&["convert", &model, &onnx, "--reset-optimizer"], &["--reset-optimizer", ".onnx"]);
    assert_refused(&["convert", &model, &onnx, "--names", "other"], &["other", "pytorch"]);
    assert_refused(&["convert", &model, &model], &["would overwrite"]);
    assert_refused(&["convert", &weights, &out, "--like", &model], &["a.safetensors", "no whole .safetensors file"]);
    assert_refused(&["convert", &room.path("no.keras"), &onnx], &["no.keras", "cannot read"]);
    assert_refused(&["convert", &model, &room.path("no/a.onnx")], &["no/a.onnx", "create it"]);
    assert_eq!(room.names(), before);
}
