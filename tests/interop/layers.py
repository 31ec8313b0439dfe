"""Layers beside LSTM, BatchNormalization and Dense: models of Keras open here, predict the same, train on as Keras does, and come
back to Keras."""

import json
import zipfile

import keras
import numpy as np

import from_keras
from common import FOLDER, check, samples, write_data

L = keras.layers


def holes(x):
    """Steps of zeros: the last of every second sample, and one in the middle of every fifth."""
    x = x.copy()
    x[::2, -2:] = 0
    x[::5, 2] = 0
    return x


def masked_mean(x):
    return [L.Masking(), L.Dense(5, activation="tanh"), L.GlobalAveragePooling1D(), L.Dense(1)]


def other_mask_value(x):
    return [L.Masking(mask_value=-1.5), L.TimeDistributed(L.Dense(5, activation="tanh", name="inner")), L.GlobalAveragePooling1D(keepdims=True), L.LSTM(3), L.Dense(1)]


def no_dropout(x):
    return [L.SpatialDropout1D(0.0), L.LSTM(4), L.Dropout(0.0, noise_shape=(None, 1), seed=3), L.Dense(1)]


def reshaped(x):
    return [L.Dense(4), L.Activation("tanh"), L.Reshape((3, -1)), L.LSTM(4), L.RepeatVector(3), L.LSTM(3, return_sequences=True), L.Flatten(), L.Reshape((9,)), L.Dense(1), L.Activation("sigmoid")]


def largest(x):
    return [L.LSTM(5, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(1)]


def layer_normalized(x):
    first = L.LayerNormalization(gamma_regularizer=keras.regularizers.L2(0.1), beta_constraint="non_neg", gamma_initializer="he_normal")
    between = [L.LayerNormalization(axis=2, center=False, epsilon=1e-5), L.LayerNormalization(axis=[-1], scale=False)]
    return [L.Masking(), L.Dense(5), first, L.LSTM(4, return_sequences=True), *between, L.LSTM(6), L.LayerNormalization(), L.Dense(1)]


def merged(x):
    """Every merging layer, of branches with and without a mask (but Concatenate, whose masks are not saved), with a skip connection."""
    start = keras.Input(x.shape[1:])
    masked = L.Masking()(start)
    a = L.Dense(4, activation="tanh")(masked)
    b = L.Masking()(L.Dense(4, activation="relu")(start))
    c = L.LSTM(4, return_sequences=True)(start)
    parts = [L.Add()([a, b, c]), L.Subtract()([a, b]), L.Multiply()([a, b, b]), L.Average()([b, c, a])]
    parts += [L.Maximum()([a, b]), L.Minimum()([b, a]), L.Multiply()([a, c]), L.Maximum()([c, a])]
    means = [L.GlobalAveragePooling1D()(part) for part in parts]
    d = L.Dense(4)(start)
    features = L.GlobalAveragePooling1D()(L.Concatenate()([c, d, c]))
    steps = L.GlobalAveragePooling1D()(L.Concatenate(axis=1)([d, c]))
    return keras.Model(start, L.Dense(1)(L.Concatenate()(means + [features, steps])))


def ids(x):
    """Whole numbers from 0 to 8; 0 is masked."""
    return np.clip(np.round(x[..., 0] * 2 + 4), 0, 8)


def embedded(x):
    return [L.Embedding(9, 4, mask_zero=True), L.Dense(3, activation="tanh"), L.GlobalAveragePooling1D(), L.Dense(1)]


def integers(x):
    """The same of an input of integers, without a mask and with an LSTM."""
    start = keras.Input(x.shape[1:], dtype="int32")
    embedding = L.Embedding(9, 4, embeddings_initializer="he_normal", embeddings_regularizer="l2")(start)
    return keras.Model(start, L.Dense(1)(L.LSTM(4)(embedding)))


CASES = [
    ("Masking, GlobalAveragePooling1D", masked_mean, holes),
    ("Masking of another value, TimeDistributed, keepdims", other_mask_value, lambda x: np.where(holes(x) == 0, -1.5, x)),
    ("Dropout and SpatialDropout1D of rate 0", no_dropout, None),
    ("Activation, Reshape, RepeatVector, Flatten", reshaped, None),
    ("GlobalMaxPooling1D", largest, None),
    ("LayerNormalization", layer_normalized, holes),
    ("Embedding with a mask", embedded, ids),
    ("Embedding of integers", integers, ids),
    ("merging layers", merged, holes),
]


def without_operations(path):
    """Takes out of a functional model's file the operations by which Keras computes masks: without them it finds them anew when it
    loads the file, from the layers, as is done here."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    layers = config["config"]["layers"]
    config["config"]["layers"] = [l for l in layers if not l["module"].startswith("keras.src.ops")]
    for layer in config["config"]["layers"]:
        for node in layer.get("inbound_nodes", []):
            node["kwargs"].pop("mask", None)
    members["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


class Case:
    """A model that Keras trained a little and saved; Keras's own goes on from the file."""

    def __init__(self, name, layers, change):
        x, self.y = samples(seed=4)
        x = ((x - x.mean((0, 1))) / x.std((0, 1))).astype("float32")
        self.x = x if change is None else change(x).astype("float32")
        keras.utils.set_random_seed(6)
        model = layers(self.x)
        if isinstance(model, list):
            model = keras.Sequential([keras.Input(self.x.shape[1:]), *model])
        model.compile(optimizer=keras.optimizers.Adam(0.002), loss="mse", metrics=["mae"])
        model.fit(self.x, self.y, epochs=1, batch_size=16, verbose=0)
        stem = "layers_" + "".join(c if c.isalnum() else "_" for c in name)
        self.path = FOLDER / f"{stem}.keras"
        model.save(self.path)
        if not isinstance(model, keras.Sequential):
            without_operations(self.path)
        self.data = write_data(stem, self.x, self.y)
        self.out = FOLDER / f"{stem}_out.json"
        self.model = keras.models.load_model(self.path)
        assert np.allclose(self.model.predict(self.x, verbose=0), model.predict(self.x, verbose=0), atol=1e-6)


def checks():
    for name, *arguments in CASES:
        case = None

        def save():
            nonlocal case
            case = Case(name, *arguments)

        check(f"layers, {name}: Keras saves it", save)
        if case is not None:
            check(f"layers, {name}: opens and predicts the same", lambda: from_keras.opens(case))
            check(f"layers, {name}: trains on as Keras does", lambda: from_keras.continues(case))
