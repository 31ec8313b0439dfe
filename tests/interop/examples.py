"""The models that the examples train and save: onnxruntime and Keras predict from the shipped files what the command predicts from them."""

import csv
import itertools
import subprocess
import warnings
from pathlib import Path

import h5py  # noqa: F401  (Keras needs it to read weights)
import keras
import numpy as np
import onnxruntime

from common import FOLDER, PROGRAM, assert_close, check, run

GATENORM = Path(PROGRAM).parent.parent / "gatenorm"
PREDICTIONS = 1e-5
OFFICE, VOWELS = "data/occupancy/datatest.txt", "data/japanese_vowels/JapaneseVowels_TEST.ts"
ALL = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"]

# Each with the file that it is tried on, and of a table the columns that it sees and the rows of a window.
EXAMPLES = [
    ("lesson", OFFICE, ALL, 10),
    ("forecast", OFFICE, ALL[:4], 60),
    ("variable_length", VOWELS, None, None),
    ("training_loop", OFFICE, ALL, 10),
    ("callback", OFFICE, ALL, 10),
    ("streaming", OFFICE, ALL, 120),
]


def rows_of(table, columns):
    """The rows of the office's file, whose lines begin with a number that the header does not name."""
    with open(table) as file:
        header, *lines = csv.reader(file)
    at = [1 + header.index(name) for name in columns]
    return np.array([[line[i] for i in at] for line in lines], "float32")


def series_of(file):
    """The series of a `.ts` file, each `[steps, channels]`."""
    data = itertools.dropwhile(lambda line: line.strip() != "@data", open(file))
    lines = [line.strip().split(":")[:-1] for line in itertools.islice(data, 1, None)]
    return [np.array([channel.split(",") for channel in line], "float32").T for line in lines]


class Trained:
    """What an example saved, its ONNX file, and what the command predicts with it."""

    def __init__(self, name, data, columns, window):
        self.path, self.onnx, answers = (FOLDER / f"example_{name}.{end}" for end in ["keras", "onnx", "csv"])
        done = subprocess.run([Path(PROGRAM).parent / name, self.path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.told = done.stdout.strip().splitlines()[-1]
        run("convert", self.path, self.onnx, program=GATENORM)
        run("predict", self.path, data, "--out", answers, "--device", "cpu", program=GATENORM)
        with open(answers) as file:
            header, *lines = csv.reader(file)
        chances = [i for i, name in enumerate(header) if name not in ["row", "class"]]
        self.expected = np.array([[line[i] for i in chances] for line in lines], "float64")
        if window is None:
            self.samples = series_of(data)
        else:
            # A line of the file, from 1 with the header, is the window's last row.
            rows, ends = rows_of(data, columns), [int(line[header.index("row")]) - 1 for line in lines]
            self.samples = [rows[end - window : end] for end in ends]
        assert len(self.samples) == len(self.expected) > 100
        self.session = onnxruntime.InferenceSession(self.onnx)
        with warnings.catch_warnings():
            # Keras warns, and begins anew, where an optimizer's state does not fit.
            warnings.simplefilter("error", UserWarning)
            self.model = keras.models.load_model(self.path)
        assert np.ptp(self.expected[:, 0]) > 0.1, "predictions that hardly differ would agree by themselves"

    def batches(self):
        """The samples of one length together: their places, and they."""
        places = sorted(range(len(self.samples)), key=lambda i: len(self.samples[i]))
        for _, some in itertools.groupby(places, key=lambda i: len(self.samples[i])):
            some = list(some)
            yield some, np.stack([self.samples[i] for i in some])

    def padded(self):
        """All samples together, behind their own steps the mean, which the model makes 0 and masks."""
        mean = np.array(self.model.layers[0].mean).ravel()
        longest = 2 + max(map(len, self.samples))
        x = np.tile(mean.astype("float32"), (len(self.samples), longest, 1))
        for i, sample in enumerate(self.samples):
            x[i, : len(sample)] = sample
        return x

    def compare(self, predict):
        worst = max(assert_close("predictions", predict(x), self.expected[some], PREDICTIONS) for some, x in self.batches())
        if len({len(sample) for sample in self.samples}) > 1:
            worst = max(worst, assert_close("predictions of padded samples", predict(self.padded()), self.expected, PREDICTIONS))
        return f"{len(self.samples)} samples, off by {worst:.1e} at most"


def checks():
    for name, data, columns, window in EXAMPLES:
        trained = None

        def train():
            nonlocal trained
            trained = Trained(name, data, columns, window)
            return trained.told

        check(f"example {name}: trains and saves", train)
        if trained is None:
            continue
        session, model = trained.session, trained.model
        check(f"example {name}: onnxruntime predicts the same", lambda: trained.compare(lambda x: session.run(None, {"input": x})[0]))
        check(f"example {name}: Keras predicts the same", lambda: trained.compare(lambda x: model.predict(x, batch_size=512, verbose=0)))
