"""What is not supported here is refused, by name, and never ignored."""

import keras

from common import FOLDER, check, run, samples, write_data

L = keras.layers
SHAPE = (6, 3)


def lstm(**arguments):
    return lambda: keras.Sequential([keras.Input(SHAPE), L.LSTM(4, name="memory", **arguments), L.Dense(1)])


def with_layer(layer):
    return lambda: keras.Sequential([keras.Input(SHAPE), layer(), L.LSTM(4), L.Dense(1)])


def compiled(optimizer="adam", loss="mse", metrics=None, **arguments):
    def model():
        model = keras.Sequential([keras.Input(SHAPE), L.LSTM(4), L.Dense(1)])
        model.compile(optimizer=optimizer() if callable(optimizer) else optimizer, loss=loss, metrics=metrics, **arguments)
        return model

    return model


def nested():
    x = keras.Input(SHAPE)
    inner = keras.Sequential([keras.Input(SHAPE), L.LSTM(4)], name="inner")
    return keras.Model(x, L.Dense(1)(inner(x)))


def operation():
    x = keras.Input(SHAPE)
    return keras.Model(x, L.Dense(3)(x) + x)


def mixed():
    return keras.Sequential([keras.Input(SHAPE), L.LSTM(4, dtype="mixed_float16", name="memory"), L.Dense(1)])


class Own(L.LSTM):
    pass


def own():
    return keras.Sequential([keras.Input(SHAPE), Own(4, name="memory"), L.Dense(1)])


CASES = [
    ("a model within a model", nested, ["inner", "Sequential"]),
    ("an operation", operation, ["Add", "operation", "keras.layers.Add"]),
    ("activation", lstm(activation="celu"), ["memory", "activation", "celu", "tanh"]),
    ("recurrent activation", lstm(recurrent_activation="glu"), ["memory", "recurrent_activation", "sigmoid"]),
    ("all dropped by an LSTM", lstm(dropout=1.0), ["memory", "dropout", "below 1"]),
    ("regularizer", lstm(kernel_regularizer="orthogonal_regularizer"), ["memory", "kernel_regularizer", "OrthogonalRegularizer"]),
    ("mixed precision", mixed, ["memory", "dtype", "mixed_float16"]),
    ("a class of one's own", own, ["memory", "Own"]),
    ("a convolution", with_layer(lambda: L.Conv1D(4, 2)), ["Conv1D", "LSTM"]),
    ("another layer in both directions", with_layer(lambda: L.Bidirectional(L.SimpleRNN(4, return_sequences=True))), ["Bidirectional", "SimpleRNN"]),
    ("all dropped", with_layer(lambda: L.Dropout(1.0)), ["dropout", "rate", "below 1"]),
    ("inverted Normalization", with_layer(lambda: L.Normalization(invert=True)), ["normalization", "invert"]),
    ("never built", lambda: keras.Sequential([L.LSTM(2)]), ["no input shape"]),
    ("loss", compiled(loss="hinge"), ["loss", "hinge", "binary_crossentropy"]),
    ("loss not reduced", compiled(loss=keras.losses.MeanSquaredError(reduction="none")), ["reduction", "none"]),
    ("metric", compiled(metrics=["mean_io_u"]), ["metric", "mean_io_u", "accuracy"]),
    ("metric's argument", compiled(metrics=[keras.metrics.AUC(multi_label=True)]), ["AUC", "multi_label"]),
]


def refuse(name, make, words, data):
    path = FOLDER / f"refused_{name.replace(' ', '_')}.keras"
    make().save(path)
    try:
        run("open", path, data, FOLDER / "refused.json")
    except RuntimeError as error:
        message = str(error)
        missing = [word for word in [str(path.name), *words] if word not in message]
        assert "panicked" not in message, message
        assert not missing, f"{missing} not in: {message}"
        return None
    raise AssertionError("it was opened")


def checks():
    data = write_data("refused", *samples())
    for name, make, words in CASES:
        check(f"refused: {name}", lambda: refuse(name, make, words, data))
