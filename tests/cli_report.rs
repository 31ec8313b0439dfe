//! `train --report`: a page that stands by itself and tells what came of a training.
#![cfg(feature = "plots")]

#[path = "common/commands.rs"]
mod commands;

use commands::{Room, assert_refused, stdout};

fn page(room: &Room, args: &[&str]) -> String {
    let (out, report) = (room.path("m.keras"), room.path("report.html"));
    stdout(&[&["train"], args, &["--out", &out, "--report", &report, "--device", "cpu"]].concat());
    read_page(&report)
}

fn read_page(report: &str) -> String {
    let page = std::fs::read_to_string(report).unwrap();
    // Nothing is loaded from anywhere; a namespace is only a name.
    let without_names = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http", "src=", "href", "<script", "@import", "NaN", "url("] {
        assert!(!without_names.contains(word), "`{word}` is in the page");
    }
    page
}

#[test]
fn classes_get_a_confusion_matrix_whose_counts_are_all_samples() {
    let room = Room::new();
    let page =
        page(&room, &[&room.rows(), "--target", "y", "--window", "2", "--epochs", "3", "--validation-split", "0.4"]);
    for words in ["<h1>Training of m.keras</h1>", "3 epochs in", "Confusion matrix (validation data)", ">no<", ">yes<"]
    {
        assert!(page.contains(words), "`{words}` is missing");
    }
    let matrix = page.split("class=\"matrix\"").nth(1).unwrap().split("</table>").next().unwrap();
    let counts = matrix.split("%\">").skip(1).map(|cell| cell.split('<').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(
        counts.collect::<Vec<_>>().iter().sum::<u32>(),
        7,
        "of 19 windows the last 8, less the one across the cut: {matrix}"
    );
    // Curves of loss and accuracy.
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("train") && page.contains("--window 2") && page.contains("CPU, f32"));
}

#[test]
fn numbers_get_plots_of_predicted_and_true() {
    let room = Room::new();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", f64::from(i).sin())).collect();
    let data = room.write("sine.csv", &("a,<b>\n".to_owned() + &rows));
    let page =
        page(&room, &[&data, "--target", "<b>", "--window", "3", "--loss", "mean_squared_error", "--epochs", "2"]);
    for words in ["Predicted and true (training data)", "RMSE", "residuals", "the last 28 samples in order"] {
        assert!(page.contains(words), "`{words}` is missing");
    }
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "names of columns are text");
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_training() {
    let room = Room::new();
    let rows = room.rows();
    let args = ["train", &rows, "--target", "y", "--window", "2", "--out", &room.path("m.keras"), "--report"];
    assert_refused(&[&args[..], &[&room.path("no/r.html")]].concat(), &["r.html: cannot write"]);
    assert_refused(&[&args[..], &[&rows]].concat(), &["--report", "would overwrite"]);
    assert!(!std::path::Path::new(&room.path("m.keras")).exists());
}

#[test]
#[cfg(target_os = "linux")]
fn open_shows_the_page_and_does_without_a_browser_but_not_without_a_page() {
    use std::os::unix::fs::PermissionsExt;

    let room = Room::new();
    let (rows, out, report) = (room.rows(), room.path("m.keras"), room.path("report.html"));
    let train = ["train", &rows, "--target", "y", "--window", "2", "--epochs", "1", "--device", "cpu", "--out", &out];
    assert_refused(&[&train[..], &["--open"]].concat(), &["--report FILE.html", "--checkpoint DIR"]);

    // A browser that writes down what it is to show.
    let browser = room.write("xdg-open", "#!/bin/sh\necho \"$1\" > \"$(dirname \"$0\")/shown\"\n");
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |path: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gatenorm"));
        command.args(train).args(["--report", &report, "--open"]).env("PATH", path).output().unwrap()
    };
    let folder = std::path::Path::new(&browser).parent().unwrap();
    let shown = run(&format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    assert!(shown.status.success(), "{shown:?}");
    // It runs by itself, so it may take a moment.
    let words = || std::fs::read_to_string(room.path("shown")).unwrap_or_default();
    let shown =
        (0..500).map(|_| std::thread::sleep(std::time::Duration::from_millis(10))).any(|()| words().ends_with('\n'));
    assert!(shown && words().trim() == report, "{}", words());

    let none = run("/nowhere");
    let told = String::from_utf8_lossy(&none.stderr);
    assert!(none.status.success() && told.contains("there is no browser to open here"), "{told}");
    assert!(told.contains(&format!("the page is in {report}\n")), "{told}");
}

#[test]
fn a_search_gets_a_page_of_its_trials_and_the_curves_of_the_best() {
    let room = Room::new();
    let (folder, report) = (room.path("search"), room.path("report.html"));
    let rows = room.rows();
    let tune = ["tune", &rows, "--target", "y", "--window", "2", "--units", "2..4", "--trials", "3", "--epochs", "3"];
    let more = ["--search", "random", "--folder", &folder, "--report", &report, "--device", "cpu", "--json"];
    let found: serde_json::Value = serde_json::from_str(&stdout(&[&tune[..], &more].concat())).unwrap();
    let page = read_page(&report);
    for words in ["Search for hyper-parameters", "3 trials, 9 epochs in", ">val_loss<", "--trials 3", "CPU, f32"] {
        assert!(page.contains(words), "`{words}` is missing");
    }
    let best = &found["best"];
    assert!(page.contains(&format!("Curves of trial {}, the best", best["trial"])), "{best}");
    // Of loss and accuracy, each with the three epochs of training and validation.
    assert_eq!((page.matches("<svg").count(), page.matches("<tr><td>").count() >= 3), (2, true));
    assert_eq!(found["trials"][0]["history"].as_array().unwrap().len(), 3);
    let again = page.split("trains again").nth(1).unwrap();
    assert!(again.contains("gatenorm train") && again.contains("--out again.keras") && !again.contains("--report"));
    // A search that is at its end writes the same again.
    std::fs::remove_file(&report).unwrap();
    stdout(&["tune", "--resume", &folder]);
    assert!(read_page(&report).contains("Curves of trial"));
    assert_refused(&[&tune[..], &["--folder", &room.path("other"), "--report", &rows]].concat(), &["would overwrite"]);
}
