"""Callbacks do what Keras's do, and what they write is what Keras's write."""

import csv
import json

import keras
import numpy as np
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from common import FOLDER, assert_close, check, report, run, samples, write_data

EPOCHS = 12
# As in from_keras.py; twelve steps instead of five.
LOSSES = 2e-5
SETTINGS = {
    "factor": 0.5,
    "patience": 2,
    "cooldown": 1,
    "min_delta": 0.02,
    "min_lr": 0.0004,
    "stop_patience": 5,
    "stop_min_delta": 0.02,
}


class Both:
    """The same training with the same callbacks, in Keras and here."""

    def __init__(self):
        x, y = samples(seed=4)
        x = ((x - x.mean((0, 1))) / x.std((0, 1))).astype("float32")
        keras.utils.set_random_seed(6)
        layers = [keras.Input(x.shape[1:]), keras.layers.LSTM(8), keras.layers.Dense(1, activation="sigmoid")]
        model = keras.Sequential(layers)
        model.compile(optimizer=keras.optimizers.Adam(0.002), loss="binary_crossentropy", metrics=["accuracy"])
        path, self.out = FOLDER / "callbacks.keras", FOLDER / "callbacks"
        model.save(path)
        self.out.mkdir()
        run("callbacks", path, EPOCHS, write_data("callbacks", x, y), json.dumps(SETTINGS), self.out)
        self.ours = report(self.out / "report.json")
        reduce = ["factor", "patience", "cooldown", "min_delta", "min_lr"]
        self.history = model.fit(
            x,
            y,
            epochs=EPOCHS,
            batch_size=len(x),
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.ReduceLROnPlateau(monitor="loss", **{name: SETTINGS[name] for name in reduce}),
                keras.callbacks.EarlyStopping(
                    monitor="loss", patience=SETTINGS["stop_patience"], min_delta=SETTINGS["stop_min_delta"]
                ),
                keras.callbacks.CSVLogger(self.out / "keras.csv"),
            ],
        ).history
        self.model = model


def history(both):
    ours, theirs = both.ours["epochs"], both.history
    assert len(ours) == len(theirs["loss"]), f"{len(ours)} epochs, not {len(theirs['loss'])}"
    rates = theirs["learning_rate"]
    assert len(set(rates)) >= 3, f"the learning rate falls at least twice: {rates}"
    # Keras keeps its rate in 32 bits.
    assert_close("learning rates", [epoch["learning_rate"] for epoch in ours], rates, 1e-7)
    worst = assert_close("losses", [epoch["loss"] for epoch in ours], theirs["loss"], LOSSES)
    return f"{len(ours)} of {EPOCHS} epochs, rates {sorted({round(rate, 6) for rate in rates})}, losses off by {worst:.1e}"


def table(both):
    ours, theirs = (list(csv.reader((both.out / name).open())) for name in ["ours.csv", "keras.csv"])
    assert ours[0] == theirs[0], f"{ours[0]} are not {theirs[0]}"
    assert len(ours) == len(theirs)
    for a, b in zip(ours[1:], theirs[1:]):
        for name, x, y in zip(ours[0], a, b):
            if y == "NA":
                assert x == "NA", f"{name} is {x}"
            else:
                assert_close(name, float(x), float(y), LOSSES)
    return ", ".join(ours[0])


def tensorboard(both):
    found = {}
    (path,) = (both.out / "tensorboard" / "train").iterdir()
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars", value
            found.setdefault(value.tag, []).append((event.step, float(make_ndarray(value.tensor))))
    epochs = both.ours["epochs"]
    assert set(found) == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate", "batch_loss", "batch_accuracy"}, set(found)
    for name in ["loss", "accuracy"]:
        assert found[f"epoch_{name}"] == [(i, float(np.float32(e[name]))) for i, e in enumerate(epochs)], name
    # As in Keras it is the rate after ReduceLROnPlateau: the next epoch's.
    rates = [(i, float(np.float32(e["learning_rate"]))) for i, e in enumerate(epochs[1:])]
    assert found["epoch_learning_rate"][:-1] == rates, found["epoch_learning_rate"]
    assert found["batch_loss"] == [(i + 1, float(np.float32(e["loss"]))) for i, e in enumerate(epochs)]
    return f"{sum(map(len, found.values()))} scalars"


def weights(both):
    before = both.model.get_weights()
    both.model.load_weights(both.out / "last.weights.h5")
    assert any((a != b).any() for a, b in zip(both.model.get_weights(), before))
    after = [np.array(w) for layer in both.model.layers for w in layer.weights]
    assert len(after) == len(both.ours["weights"])
    for ours, theirs in zip(both.ours["weights"], after):
        assert (np.array(ours["values"], "float32") == theirs.ravel()).all(), ours["path"]
    assert int(both.model.optimizer.iterations) == both.ours["iterations"]
    return f"{len(after)} variables to the bit, step {both.ours['iterations']}"


def checks():
    both = None

    def train():
        nonlocal both
        both = Both()

    check("callbacks: both train", train)
    if both is None:
        return
    for what, action in [
        ("the learning rate falls, and training stops, where Keras's does", history),
        ("CSVLogger writes Keras's table", table),
        ("TensorBoard reads the events", tensorboard),
        ("Keras loads ModelCheckpoint's weights", weights),
    ]:
        check(f"callbacks: {what}", lambda: action(both))
