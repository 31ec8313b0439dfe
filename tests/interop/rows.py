"""Models that tell of every row, and that give their rows back: Keras and onnxruntime find what the command finds."""

import csv
import json
import zipfile
from pathlib import Path

import h5py  # noqa: F401  (Keras needs it to read weights)
import keras
import numpy as np
import onnxruntime

from common import FOLDER, PROGRAM, assert_close, check, run

GATENORM = Path(PROGRAM).parent.parent / "gatenorm"
PREDICTIONS = 1e-5
HOW = ["--device", "cpu", "--units", "8", "--epochs", "2", "--learning-rate", "0.01"]


def records(file):
    with open(file) as lines:
        return list(csv.DictReader(lines))


def numbers(rows, names):
    return np.array([[row[name] for name in names] for row in rows], "float64")


def write_series():
    """Twelve series of unequal lengths with a class in each row; gives the folder and the series."""
    random, folder, series = np.random.default_rng(3), FOLDER / "rows", []
    folder.mkdir()
    for i in range(12):
        x = random.normal(size=(9 + 4 * i, 2)) * [1, 30] + [0, 200]
        series.append(x.astype("float32"))
        words = ["low", "middle", "high"]
        lines = [f"{a:.9g},{b:.9g},{words[int(np.clip(a + 1.5, 0, 2))]}" for a, b in series[-1]]
        (folder / f"s{i:02}.csv").write_text("\n".join(["a,b,level", *lines]) + "\n")
    return folder, series


class Model:
    """A model that was trained on a folder or file, its ONNX file, and what the command predicts of other data."""

    def __init__(self, name, trained_on, asked, *flags):
        self.path, self.onnx, answers = (FOLDER / f"{name}.{end}" for end in ["keras", "onnx", "csv"])
        run("train", trained_on, "--out", self.path, *flags, *HOW, program=GATENORM)
        run("convert", self.path, self.onnx, program=GATENORM)
        run("predict", self.path, asked, "--out", answers, "--device", "cpu", program=GATENORM)
        self.answers = records(answers)
        self.keras = keras.models.load_model(self.path)
        session = onnxruntime.InferenceSession(self.onnx)
        self.predict = {
            "Keras": lambda x: self.keras.predict(x, verbose=0),
            "onnxruntime": lambda x: session.run(None, {"input": x})[0],
        }

    def scaling(self):
        layer = self.keras.layers[0]
        return np.array(layer.mean).ravel(), np.sqrt(np.array(layer.variance).ravel())


def every_row(model, series, predict):
    """Of series that are padded with the mean, which the model makes 0 and masks."""
    mean, _ = model.scaling()
    x = np.tile(mean.astype("float32"), (len(series), 2 + max(map(len, series)), 1))
    for i, rows in enumerate(series):
        x[i, : len(rows)] = rows
    y = predict(x)
    found = np.concatenate([y[i, : len(rows)] for i, rows in enumerate(series)])
    expected = numbers(model.answers, ["p(high)", "p(low)", "p(middle)"])
    assert found.shape == expected.shape and np.ptp(expected[:, 0]) > 0.05, found.shape
    return f"{len(found)} rows, off by {assert_close('predictions', found, expected, PREDICTIONS):.1e} at most"


def reconstruction(model, windows, predict):
    """The score: errors in units of those that are usual, which the file knows."""
    mean, deviation = model.scaling()
    errors = np.sqrt(((predict(windows) - (windows - mean) / deviation) ** 2).mean(axis=1))
    usual = json.loads(zipfile.ZipFile(model.path).read("gatenorm.json"))["usual_errors"]
    scores = np.sqrt(((errors / usual["rmse"]) ** 2).mean(axis=1))
    expected = numbers(model.answers, ["score"])[:, 0]
    marked = numbers(model.answers, ["anomaly"])[:, 0]
    # What is written has 32 bits, and one of these very windows set the threshold.
    apart = np.abs(expected - usual["threshold"]) > 1e-6 * usual["threshold"]
    assert np.array_equal(marked[apart] == 1, expected[apart] > usual["threshold"]), "other windows are marked"
    # Divided by the usual errors, of which these are some hundredths.
    worst = assert_close("scores", scores, expected, PREDICTIONS / min(usual["rmse"]))
    return f"{len(scores)} windows, off by {worst:.1e} at most"


def checks():
    models = {}

    def train(name, *arguments):
        def action():
            models[name] = Model(name, *arguments)

        check(f"{name}: trains, saves and predicts", action)

    folder, series = write_series()
    train("every row", folder, folder, "--target", "level", "--return-sequences")
    office = "data/occupancy/datatest.txt"
    columns = ["Temperature", "Humidity", "CO2"]
    train("reconstruction", office, office, "--reconstruct", "--columns", ",".join(columns), "--window", "12", "--stride", "3")
    with open(office) as file:
        header, *lines = csv.reader(file)
    rows = np.array([[line[1 + header.index(name)] for name in columns] for line in lines], "float32")
    for other in ["Keras", "onnxruntime"]:
        if "every row" in models:
            model = models["every row"]
            check(f"every row: {other} predicts the same", lambda: every_row(model, series, model.predict[other]))
        if "reconstruction" in models:
            model = models["reconstruction"]
            ends = [int(answer["row"]) - 1 for answer in model.answers]
            windows = np.stack([rows[end - 12 : end] for end in ends])
            check(f"reconstruction: {other} finds the same scores", lambda: reconstruction(model, windows, model.predict[other]))
