"""Models in functional form, and sequences of any length: from Keras to here, and back."""

import keras
import numpy as np

from common import FOLDER, assert_close, check, report, run, samples, write_data

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


def skip():
    """Skip connections over an LSTM and over a Dense."""
    x = keras.Input((6, 3))
    memory = L.LSTM(3, return_sequences=True)(x)
    wide = L.Concatenate()([L.Add()([x, memory]), x])
    last = L.BatchNormalization()(L.LSTM(4)(wide))
    return keras.Model(x, L.Dense(1, activation="sigmoid")(L.Concatenate()([last, L.Dense(2, activation="tanh")(last)])))


def two_to_one():
    rows, context = keras.Input((6, 3)), keras.Input((4,))
    merged = L.Concatenate()([L.LSTM(5)(rows), L.Dense(3, activation="tanh")(context)])
    return keras.Model([rows, context], L.Dense(1, activation="sigmoid")(merged))


def encoder_and_decoder():
    source, target = keras.Input((6, 3), name="source"), keras.Input((4, 2), name="target")
    _, h, c = L.LSTM(5, return_state=True)(source)
    decoded = L.LSTM(5, return_sequences=True)(target, initial_state=[h, c])
    return keras.Model([source, target], L.Dense(1)(decoded))


def state_as_argument():
    source, target = keras.Input((6, 3)), keras.Input((4, 2))
    encoder = L.LSTM(5, return_state=True, return_sequences=True)
    all_steps, h, c = encoder(source)
    decoded, h, _ = L.LSTM(5, return_sequences=True, return_state=True)(target, [h, c])
    return keras.Model([target, source], [decoded, L.Dense(1)(L.Add()([h, L.LSTM(5)(all_steps)]))])


def masked():
    """Two branches with masks: the operations that make them count in the order of layers."""
    a, b = keras.Input((6, 3)), keras.Input((None, 3))
    x = L.LSTM(4, return_sequences=True)(L.Masking()(a))
    x = L.LSTM(4)(L.BatchNormalization()(x))
    y = L.LSTM(4)(L.Masking(2.0)(b))
    return keras.Model([a, b], L.Dense(1, activation="sigmoid")(L.Add()([x, y])))


CASES = [
    ("two inputs, three outputs, a shared layer", two_inputs),
    ("dicts of inputs and outputs", named_ends),
    ("encoder and decoder", encoder_and_decoder),
    ("states as an argument", state_as_argument),
    ("skip connections", skip),
    ("masks in two branches", masked),
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
    arrays = masked_steps(inputs(model))
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


def begun(make):
    """Keras's JSON, trained here from fresh weights, opens in Keras."""
    x, y = samples(seed=4)
    x = ((x - x.mean((0, 1))) / x.std((0, 1))).astype("float32")
    model = make()
    model.compile(optimizer=keras.optimizers.RMSprop(0.003), loss="binary_crossentropy", metrics=["accuracy"])
    path, saved, out = [FOLDER / name for name in ["begun.json", "begun.keras", "begun_out.json"]]
    path.write_text(model.to_json())
    run("begin", path, write_data("begun_data", x, y), saved, out)
    ours, theirs = report(out), keras.models.load_model(saved)
    assert ours["iterations"] == 6 == int(theirs.optimizer.iterations)
    assert isinstance(theirs.optimizer, keras.optimizers.RMSprop)
    worst = assert_close("predictions", ours["predictions"], theirs.predict(x, verbose=0), PREDICTIONS)
    return f"predictions off by {worst:.1e} at most"


def begun_sequential():
    return keras.Sequential([keras.Input((6, 3)), L.LSTM(5), L.BatchNormalization(), L.Dense(1, activation="sigmoid")])


def begun_functional():
    x = keras.Input((6, 3))
    return keras.Model(x, L.Dense(1, activation="sigmoid")(L.LSTM(4)(L.LSTM(3, return_sequences=True)(x))))


TRAINED = [
    ("skip connections", skip),
    ("two inputs", two_to_one),
    ("encoder and decoder", encoder_and_decoder),
]
STEPS = 5
# As in from_keras: what remains of rounding over a few steps.
LOSSES = WEIGHTS = 1e-5


def trains_on(name, make):
    """Keras trains a little and saves; training goes on here as there."""
    keras.utils.set_random_seed(6)
    model = make()
    model.compile(optimizer=keras.optimizers.Adam(0.002), loss="mse")
    arrays = masked_steps(inputs(model, seed=8))
    targets = np.random.default_rng(9).normal(size=(9,) + tuple(n or 5 for n in model.output_shape[1:])).astype("float32")
    model.fit(fed(model, arrays), targets, epochs=3, batch_size=4, verbose=0)
    stem = "".join(c if c.isalnum() else "_" for c in name)
    path, saved, out = [FOLDER / f"trained_{stem}{end}" for end in [".keras", "_on.keras", ".json"]]
    model.save(path)
    run("continue", path, STEPS, write_data(f"trained_{stem}_data", arrays, targets), saved, out)
    ours, theirs = report(out), keras.models.load_model(path)
    history = theirs.fit(fed(theirs, arrays), targets, epochs=STEPS, batch_size=9, shuffle=False, verbose=0).history
    losses = assert_close("losses", ours["losses"], history["loss"], LOSSES)
    variables = [w for layer in theirs.layers for w in layer.weights]
    assert len(ours["weights"]) == len(variables)
    weights = max(assert_close(a["path"], a["values"], np.array(b), WEIGHTS) for a, b in zip(ours["weights"], variables))
    back = keras.models.load_model(saved)
    assert int(back.optimizer.iterations) == int(theirs.optimizer.iterations)
    found = np.concatenate(predict(back, arrays))
    assert_close("predictions", ours["predictions"], found, PREDICTIONS)
    return f"{STEPS} steps: losses off by {losses:.1e}, weights by {weights:.1e} at most"


def masked_steps(arrays):
    """Some steps that Masking leaves out, by 0 and by 2."""
    for value, array in zip([0, 2], arrays):
        if array.ndim == 3:
            array[::2, -2:] = value
    return arrays


def checks():
    for name, make in TRAINED:
        check(f"functional, {name}: trains on as Keras does", lambda: trains_on(name, make))
    check("to_json() of a Sequential: trains from fresh weights", lambda: begun(begun_sequential))
    check("to_json() of a Functional: trains from fresh weights", lambda: begun(begun_functional))
    for name, make in CASES:
        check(f"functional, {name}: opens, predicts the same, goes back", lambda: both_ways(name, make))
