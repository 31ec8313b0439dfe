"""Models in functional form, and sequences of any length: from Keras to here, and back."""

import keras
import numpy as np

from common import FOLDER, assert_close, check, report, run, write_data

PREDICTIONS = 1e-5

L = keras.layers


def two_inputs():
    rows, context = keras.Input((6, 3), name="rows"), keras.Input((4,), name="context")
    dense = L.Dense(5, activation="tanh", name="shared")
    memory = L.LSTM(4, return_sequences=True)(rows)
    memory = L.LSTM(5)(L.BatchNormalization()(memory))
    other = L.LSTM(5)(rows)
    a, b = dense(dense(other)), dense(L.Dense(5)(context))
    return keras.Model([context, rows], [L.Dense(2)(b), L.Dense(1, activation="sigmoid")(a), memory])


def named_ends():
    b, a = keras.Input((6, 3), name="b"), keras.Input((4,), name="a")
    return keras.Model({"b": b, "a": a}, {"y": L.Dense(1)(a), "x": L.LSTM(2)(L.Dense(2)(b)), "z": L.LSTM(3)(b)})


def any_length():
    x = keras.Input((None, 3))
    return keras.Model(x, L.Dense(2)(L.LSTM(4, return_sequences=True)(x)))


def any_length_sequential():
    return keras.Sequential([keras.Input((None, 3)), L.LSTM(4, return_sequences=True), L.LSTM(3), L.Dense(1)])


CASES = [
    ("two inputs, three outputs, a shared layer", two_inputs),
    ("dicts of inputs and outputs", named_ends),
    ("a graph for any number of steps", any_length),
    ("a sequence for any number of steps", any_length_sequential),
]


def inputs(model, seed=7):
    random = np.random.default_rng(seed)
    return [random.normal(size=[9] + [n or 5 for n in x.shape[1:]]).astype("float32") for x in model.inputs]


def predict(model, arrays):
    """All outputs, flat."""
    return [np.asarray(y).ravel() for y in keras.tree.flatten(model(fed(model, arrays)))]


def fed(model, arrays):
    return keras.tree.pack_sequence_as(model._inputs_struct, arrays) if hasattr(model, "_inputs_struct") else arrays[0]


def both_ways(name, make):
    keras.utils.set_random_seed(3)
    model = make()
    stem = "".join(c if c.isalnum() else "_" for c in name)
    path, back, out = [FOLDER / f"graph_{stem}{end}" for end in [".keras", "_back.keras", ".json"]]
    model.save(path)
    arrays = inputs(model)
    data = write_data(f"graph_{stem}_data", arrays, np.zeros((9, 1), "float32"))
    run("predict", path, data, back, out)
    ours, theirs = report(out)["predictions"], predict(model, arrays)
    assert len(ours) == len(theirs)
    worst = max(assert_close(f"output {i}", a, b, PREDICTIONS) for i, (a, b) in enumerate(zip(ours, theirs)))
    again = keras.models.load_model(back)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    for a, b in zip(predict(again, arrays), theirs):
        assert (a == b).all(), "the saved model predicts otherwise"
    return f"{len(theirs)} outputs, off by {worst:.1e} at most"


def checks():
    for name, make in CASES:
        check(f"functional, {name}: opens, predicts the same, goes back", lambda: both_ways(name, make))
