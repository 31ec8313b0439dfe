"""Models that Keras saved open here: same predictions; trained further, they go where Keras's training goes."""

import keras
import numpy as np

from common import FOLDER, assert_close, check, report, run, samples, write_data

PREDICTIONS = 1e-5
STEPS = 5
# Both sides compute in 32 bits, whose rounding is 6e-8, but add up in different orders; a sum over the N·T = 288 rows of a batch
# is off by some 1e-6 of its size, and every step builds on the last. 1e-5 is what remains over a few steps; where a moving
# average or a bias correction is wrong, the first steps already differ by 1e-3.
LOSSES = 1e-5
# The same for a gradient, of which Adam uses m / (sqrt(v) + 1e-7): where a gradient nearly vanishes, its sign is rounding, and the
# step a share of the learning rate.
WEIGHTS = 1e-5

L = keras.layers


def lesson(x):
    return [
        keras.Input(x.shape[1:]),
        L.LSTM(64, return_sequences=True),
        L.BatchNormalization(),
        L.LSTM(32),
        L.BatchNormalization(),
        L.Dense(1, activation="sigmoid"),
    ]


def deep(x):
    return [
        keras.Input(x.shape[1:]),
        L.LSTM(12, return_sequences=True),
        L.BatchNormalization(momentum=0.9),
        L.LSTM(10, return_sequences=True),
        L.BatchNormalization(epsilon=1e-4),
        L.LSTM(8),
        L.BatchNormalization(),
        L.Dense(6, activation="relu"),
        L.Dense(1, activation="sigmoid"),
    ]


def without(x):
    return [
        keras.Input(x.shape[1:]),
        L.LSTM(8, return_sequences=True, use_bias=False),
        L.BatchNormalization(center=False),
        L.LSTM(6, return_sequences=True, unit_forget_bias=False),
        L.BatchNormalization(scale=False),
        L.LSTM(4),
        L.BatchNormalization(center=False, scale=False),
        L.Dense(1, use_bias=False),
    ]


def adapted(x):
    normalization = L.Normalization()
    normalization.adapt(x)
    return [keras.Input(x.shape[1:]), normalization, L.LSTM(8), L.BatchNormalization(), L.Dense(1, activation="sigmoid")]


def given(x):
    mean, variance = x.mean((0, 1)).tolist(), x.var((0, 1)).tolist()
    return [keras.Input(x.shape[1:]), L.Normalization(mean=mean, variance=variance), L.LSTM(8), L.Dense(1)]


def named(x):
    return [
        keras.Input(x.shape[1:], name="rows of a day"),
        L.LSTM(6, return_sequences=True, name="memory"),
        L.BatchNormalization(name="batch_normalization_7"),
        L.LSTM(5, name="lstm"),
        L.BatchNormalization(name="lstm_1"),
        L.Dense(1, activation="sigmoid", name="occupied?"),
    ]


def no_input(x):
    return [L.LSTM(6, return_sequences=True), L.BatchNormalization(), L.Dense(1, activation="sigmoid")]


def directions(x):
    return [
        keras.Input(x.shape[1:]),
        L.Bidirectional(L.LSTM(6, return_sequences=True)),
        L.Bidirectional(L.LSTM(5, return_sequences=True), merge_mode="mul"),
        L.Bidirectional(
            L.LSTM(4, return_sequences=True),
            backward_layer=L.LSTM(4, return_sequences=True, go_backwards=True, activation="relu"),
        ),
        L.Bidirectional(L.LSTM(4, use_bias=False), merge_mode="ave"),
        L.Dense(1, activation="sigmoid"),
    ]


def grus(x):
    return [
        keras.Input(x.shape[1:]),
        L.GRU(6, return_sequences=True),
        L.GRU(5, return_sequences=True, reset_after=False),
        L.GRU(5, return_sequences=True, activation="relu", recurrent_activation="hard_sigmoid", go_backwards=True),
        L.Bidirectional(L.GRU(4, return_sequences=True, use_bias=False), merge_mode="sum"),
        L.GRU(3, reset_after=False, use_bias=False),
        L.Dense(1, activation="sigmoid"),
    ]


def backwards(x):
    return [
        keras.Input(x.shape[1:]),
        L.LSTM(6, return_sequences=True, go_backwards=True, zero_output_for_mask=True),
        L.LSTM(5, activation="softsign", recurrent_activation="hard_sigmoid", return_sequences=True),
        L.LSTM(5, activation="gelu", return_sequences=True, unroll=True),
        L.LSTM(5, activation="silu", recurrent_activation="tanh", return_sequences=True, use_cudnn=False),
        L.LSTM(4, activation="relu", recurrent_activation="softplus", go_backwards=True),
        L.Dense(1, activation="sigmoid"),
    ]


def renormed(x):
    """Momenta that let r and d differ from 1 and 0 within a few steps, clipped in places and not clipped."""
    clipping = {"rmax": 1.5, "rmin": 0.7, "dmax": 0.5}
    return [
        keras.Input(x.shape[1:]),
        L.BatchNormalization(renorm=True, renorm_momentum=0.8, momentum=0.7, moving_variance_initializer=keras.initializers.Constant(2.0)),
        L.LSTM(6, return_sequences=True),
        L.BatchNormalization(renorm=True, renorm_clipping=clipping, renorm_momentum=0.9, scale=False),
        L.LSTM(5),
        L.BatchNormalization(renorm=True, renorm_clipping={"dmax": 0.1}, momentum=0.9, center=False),
        L.Dense(1, activation="sigmoid"),
    ]


def of_steps(x):
    return [
        keras.Input(x.shape[1:]),
        L.BatchNormalization(axis=1, momentum=0.8),
        L.LSTM(6, return_sequences=True),
        L.BatchNormalization(axis=-2, renorm=True, renorm_momentum=0.8),
        L.LSTM(5),
        L.BatchNormalization(axis=1),
        L.Dense(1, activation="sigmoid"),
    ]


def of_masked_steps(x):
    """Masked are the steps whose features are all below 0, which the first layer makes 0."""
    return [
        keras.Input(x.shape[1:]),
        L.Dense(2, activation="relu", kernel_initializer="random_normal"),
        L.Masking(),
        L.BatchNormalization(axis=1),
        L.BatchNormalization(renorm=True, renorm_momentum=0.8),
        L.LSTM(5, return_sequences=True),
        L.BatchNormalization(axis=-2, renorm=True, renorm_momentum=0.8),
        L.LSTM(4),
        L.Dense(1, activation="sigmoid"),
    ]


def adam():
    return keras.optimizers.Adam(0.002)


def sgd():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def nesterov():
    return keras.optimizers.SGD(0.02, momentum=0.8, nesterov=True)


def accumulating_average():
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.9)
    average = {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}
    return keras.optimizers.SGD(rate, momentum=0.9, weight_decay=0.01, gradient_accumulation_steps=4, **average)


BCE = keras.losses.BinaryCrossentropy()
CASES = [
    ("the lesson's model, Adam", lesson, adam, "binary_crossentropy", ["accuracy"]),
    ("the lesson's model, SGD with momentum", lesson, sgd, "binary_crossentropy", ["accuracy"]),
    ("three LSTM deep", deep, adam, BCE, [keras.metrics.BinaryAccuracy(), "mae"]),
    ("no bias, no gamma, no beta", without, nesterov, "mse", ["MAE"]),
    ("BatchNormalization with renorm", renormed, adam, BCE, ["accuracy"]),
    ("BatchNormalization of each step", of_steps, adam, BCE, ["accuracy"]),
    ("BatchNormalization of masked steps", of_masked_steps, adam, BCE, ["accuracy"]),
    ("Normalization, adapted", adapted, adam, keras.losses.binary_crossentropy, ["acc"]),
    ("Normalization, given", given, sgd, keras.losses.MeanSquaredError(), [["mae", "mse"]]),
    ("names of one's own", named, adam, "bce", {"occupied?": ["accuracy"]}),
    ("LSTMs in both directions", directions, adam, BCE, ["accuracy"]),
    ("LSTMs backwards, with other activations", backwards, adam, BCE, ["accuracy"]),
    ("GRUs", grus, adam, BCE, ["accuracy"]),
    ("no Input, an output for every step", no_input, adam, "mse", None),
    ("plain names", lesson, lambda: "adam", "mean_squared_error", ["accuracy", "mae"]),
]

O = keras.optimizers
# Optimizers whose steps from a saved state on must be Keras's.
OPTIMIZERS = [
    ("RMSprop", lambda: O.RMSprop(0.002)),
    ("RMSprop, centered, momentum", lambda: O.RMSprop(0.002, centered=True, momentum=0.5)),
    ("AdamW", lambda: O.AdamW(0.002, weight_decay=0.01)),
    ("Adam with amsgrad", lambda: O.Adam(0.002, amsgrad=True)),
    ("Adam, clipnorm", lambda: O.Adam(0.002, clipnorm=0.1)),
    ("Adam, global_clipnorm", lambda: O.Adam(0.002, global_clipnorm=0.1)),
    ("SGD, weight decay", lambda: O.SGD(0.02, weight_decay=0.01)),
    ("Adam, ExponentialDecay", lambda: O.Adam(O.schedules.ExponentialDecay(0.01, 10, 0.9))),
    ("Nadam", lambda: O.Nadam(0.002)),
    ("Adagrad", lambda: O.Adagrad(0.01)),
    ("Lion", lambda: O.Lion(0.001)),
    # Saved between two updates.
    ("Adam, gradient accumulation", lambda: O.Adam(0.002, gradient_accumulation_steps=4)),
    ("Nadam, gradient accumulation", lambda: O.Nadam(0.002, clipnorm=0.1, gradient_accumulation_steps=4)),
    ("SGD, gradient accumulation, averaged weights, ExponentialDecay", accumulating_average),
]


class FromKeras:
    """A model that Keras trained a little and saved; Keras's own goes on from the file."""

    def __init__(self, name, layers, optimizer, loss, metrics):
        self.x, self.y = samples(seed=2)
        if layers not in (adapted, given):
            self.x = ((self.x - self.x.mean((0, 1))) / self.x.std((0, 1))).astype("float32")
        if layers is no_input:
            self.y = (self.x[..., :1] > 0).astype("float32")
        keras.utils.set_random_seed(5)
        model = keras.Sequential(layers(self.x))
        model.compile(optimizer=optimizer(), loss=loss, metrics=metrics)
        model.fit(self.x, self.y, epochs=2, batch_size=16, verbose=0)
        stem = "".join(c if c.isalnum() else "_" for c in name)
        self.path = FOLDER / f"keras_{stem}.keras"
        model.save(self.path)
        self.data = write_data(f"keras_{stem}", self.x, self.y)
        self.out = FOLDER / f"keras_{stem}_out.json"
        self.model = keras.models.load_model(self.path)


def opens(case):
    run("open", case.path, case.data, case.out)
    ours = report(case.out)
    worst = assert_close("predictions", ours["predictions"], case.model.predict(case.x, verbose=0), PREDICTIONS)
    # A functional model lists its inputs as layers too.
    names = [layer.name for layer in case.model.layers if not isinstance(layer, L.InputLayer)]
    assert ours["names"] == names, ours["names"]
    variables = [np.array(v) for v in case.model.optimizer.variables]
    assert ours["iterations"] == int(variables[0])
    moments = len(ours["moments"])
    flat = [moment[i] for i in range(len(case.model.trainable_variables)) for moment in ours["moments"]]
    assert len(flat) == len(variables) - 2, f"{moments} moments"
    assert all((np.array(a, "float32") == b.ravel()).all() for a, b in zip(flat, variables[2:]))
    scores = case.model.evaluate(case.x, case.y, verbose=0, return_dict=True)
    assert scores.keys() == ours["scores"].keys(), f"{list(scores)} are not {list(ours['scores'])}"
    for name, value in ours["scores"].items():
        assert_close(name, value, scores[name], PREDICTIONS)
    return f"predictions off by {worst:.1e} at most"


def continues(case):
    saved = FOLDER / "continued.keras"
    run("continue", case.path, STEPS, case.data, saved, case.out)
    ours = report(case.out)
    fit = case.model.fit(case.x, case.y, epochs=STEPS, batch_size=len(case.x), shuffle=False, verbose=0)
    losses = assert_close("losses", ours["losses"], fit.history["loss"], LOSSES)
    theirs = [w for layer in case.model.layers for w in layer.weights if w.name != "count"]
    ours = ours["weights"]
    if len(ours) == len(theirs) + 2:
        # A Normalization that was given its numbers has no variables in Keras.
        ours = ours[2:]
    assert len(ours) == len(theirs), f"{len(ours)} variables, not {len(theirs)}"
    weights = max(assert_close(a["path"], a["values"], np.array(b), WEIGHTS) for a, b in zip(ours, theirs))
    back = keras.models.load_model(saved)
    assert_close("predictions", back.predict(case.x, verbose=0), report(case.out)["predictions"], PREDICTIONS)
    return f"{STEPS} steps: losses off by {losses:.1e}, weights by {weights:.1e} at most"


def uncompiled():
    x, y = samples(seed=3)
    path, out = FOLDER / "uncompiled.keras", FOLDER / "uncompiled.json"
    model = keras.Sequential(adapted(x))
    model.save(path)
    run("open", path, write_data("uncompiled", x, y), out)
    ours = report(out)
    assert ours["loss"] == "binary_crossentropy" and ours["iterations"] == 0, ours["loss"]
    worst = assert_close("predictions", ours["predictions"], model.predict(x, verbose=0), PREDICTIONS)
    return f"predictions off by {worst:.1e} at most"


def checks():
    for name, *arguments in CASES:
        title = f"saved by Keras, {name}"
        case = None

        def save():
            nonlocal case
            case = FromKeras(name, *arguments)

        check(f"{title}: Keras saves it", save)
        if case is not None:
            check(f"{title}: opens and predicts the same", lambda: opens(case))
            check(f"{title}: trains on as Keras does", lambda: continues(case))
    for name, optimizer in OPTIMIZERS:
        trains_on = lambda: continues(FromKeras(name, lesson, optimizer, "binary_crossentropy", ["accuracy"]))
        check(f"saved by Keras, {name}: trains on as Keras does", trains_on)
    check("saved by Keras, not compiled: opens and predicts the same", uncompiled)
