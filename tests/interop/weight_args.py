"""Activations, initializers, regularizers and constraints: Keras's own go on from a file as ours do, both ways."""

import keras

from common import FOLDER, check, report, run, samples, write_data
from from_keras import FromKeras, adam, continues, opens

L = keras.layers
R = keras.regularizers
C = keras.constraints
I = keras.initializers

ACTIVATIONS = [
    "hard_sigmoid", "relu6", "leaky_relu", "softsign", "elu", "selu", "silu", "gelu", "exponential", "softplus", "hard_tanh",
    "mish", "hard_silu", "log_sigmoid",
]  # fmt: skip

INITIALIZERS = [
    I.Zeros(), I.Ones(), I.Constant(0.1), I.RandomNormal(0.1, 0.2, seed=3), I.RandomUniform(-0.1, 0.2),
    I.TruncatedNormal(-0.1, 0.3), I.VarianceScaling(0.5, "fan_avg", "untruncated_normal"), I.GlorotNormal(), I.HeUniform(),
    I.HeNormal(), I.LecunUniform(), I.LecunNormal(), I.Orthogonal(0.5), I.Identity(2.0),
]  # fmt: skip


def activated(name):
    return lambda x: [keras.Input(x.shape[1:]), L.LSTM(6), L.Dense(8, activation=name), L.Dense(1)]


def around(layer, **batch_normalization):
    """Trained a little from large weights, so that constraints and penalties matter at every step."""
    return lambda x: [
        keras.Input(x.shape[1:]),
        layer(),
        L.LSTM(6),
        L.BatchNormalization(**batch_normalization),
        L.Dense(1),
    ]


def dense(**arguments):
    return lambda: L.Dense(7, activation="tanh", kernel_initializer=I.RandomNormal(stddev=1.0), **arguments)


def recurrent(layer, **arguments):
    """A recurrent layer in the place of the Dense, whose gates lie otherwise on the device than in Keras."""
    return lambda: layer(5, return_sequences=True, kernel_initializer=I.RandomNormal(stddev=1.0), **arguments)


PENALTIES = dict(
    kernel_regularizer=R.L1(0.01), recurrent_regularizer=R.L2(0.02), bias_regularizer="l1", activity_regularizer=R.L2(0.01)
)
LIMITS = dict(kernel_constraint=C.MaxNorm(0.9), recurrent_constraint=C.UnitNorm(), bias_constraint=C.NonNeg())

MODELS = [
    ("penalties of an LSTM", around(recurrent(L.LSTM, **PENALTIES))),
    ("constraints of an LSTM", around(recurrent(L.LSTM, **LIMITS))),
    ("penalties of a GRU", around(recurrent(L.GRU, **PENALTIES))),
    ("constraints of a GRU", around(recurrent(L.GRU, **LIMITS))),
    ("constraints of a GRU, reset before", around(recurrent(L.GRU, reset_after=False, **LIMITS))),
    ("l1", around(dense(kernel_regularizer=R.L1(0.03), bias_regularizer="l1"))),
    ("l2", around(dense(kernel_regularizer=R.L2(0.03)), gamma_regularizer=R.L2(0.1), beta_regularizer=R.L2(0.2))),
    ("l1_l2", around(dense(kernel_regularizer=R.L1L2(0.01, 0.02), bias_regularizer=R.L1L2(0.01, 0.02)))),
    ("activity_regularizer", around(dense(activity_regularizer=R.L1L2(0.01, 0.02)))),
    ("max_norm", around(dense(kernel_constraint=C.MaxNorm(0.9), bias_constraint="max_norm"))),
    ("max_norm of rows", around(dense(kernel_constraint=C.MaxNorm(0.9, axis=1)))),
    ("max_norm of all", around(dense(kernel_constraint=C.MaxNorm(0.9, axis=[0, 1])))),
    ("non_neg", around(dense(kernel_constraint=C.NonNeg()), beta_constraint=C.NonNeg())),
    ("unit_norm", around(dense(kernel_constraint=C.UnitNorm()), gamma_constraint=C.UnitNorm())),
    ("min_max_norm", around(dense(kernel_constraint=C.MinMaxNorm(0.5, 1.0, rate=0.4)))),
]


def initializers_come_back():
    """Read here and written again, they are Keras's."""
    x, y = samples(seed=2)
    layers = [L.Dense(3, kernel_initializer=i, bias_initializer=I.Constant(0.5)) for i in INITIALIZERS]
    normalization = L.BatchNormalization(
        beta_initializer="ones", gamma_initializer=I.RandomUniform(0.5, 1.5), moving_variance_initializer=I.Constant(2.0)
    )
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers, normalization, L.LSTM(1)])
    model.compile("adam", "mse")
    path, again = FOLDER / "initializers.keras", FOLDER / "initializers_again.keras"
    model.save(path)
    run("continue", path, 1, write_data("initializers", x, y), again, FOLDER / "initializers.json")
    found = keras.models.load_model(again)
    for ours, theirs in zip(found.layers, model.layers, strict=True):
        ours, theirs = ours.get_config(), theirs.get_config()
        for name in theirs:
            if name.endswith("_initializer"):
                assert ours[name] == theirs[name], f"{theirs['name']}: {name} is {ours[name]}, not {theirs[name]}"
    return f"{len(INITIALIZERS)} initializers"


class FromHere:
    """A model that was trained and saved here, as Keras opens it."""

    def __init__(self):
        self.x, self.y = samples(seed=2)
        self.x = ((self.x - self.x.mean((0, 1))) / self.x.std((0, 1))).astype("float32")
        self.path, self.out = FOLDER / "here_arguments.keras", FOLDER / "here_arguments_out.json"
        self.data = write_data("here_arguments", self.x, self.y)
        run("train-and-save", "arguments", self.data, self.path, self.out)
        self.model = keras.models.load_model(self.path)


def penalized(case):
    """Penalties are so large a part of the loss that it shows whether they are there."""
    without = keras.models.clone_model(case.model, clone_function=lambda layer: layer.__class__.from_config(plain(layer)))
    without.set_weights(case.model.get_weights())
    without.compile(loss="mse")
    loss = without.evaluate(case.x, case.y, verbose=0, return_dict=True)["loss"]
    ours = report(case.out)["scores"]["loss"]
    assert ours > 1.1 * loss, f"{ours} with penalties, {loss} without"
    return f"loss {loss:.4f}, with penalties {ours:.4f}"


def plain(layer):
    return {k: v for k, v in layer.get_config().items() if not k.endswith("_regularizer")}


def checks():
    for name in ACTIVATIONS:
        trains_on = lambda: continues(FromKeras(f"activation {name}", activated(name), adam, "mse", None))
        check(f"saved by Keras, activation {name}: trains on as Keras does", trains_on)
    for name, layers in MODELS:
        title = f"saved by Keras, {name}"
        case = None

        def save():
            nonlocal case
            case = FromKeras(name, layers, adam, "mse", ["mae"])

        check(f"{title}: Keras saves it", save)
        if case is not None:
            check(f"{title}: opens and evaluates the same", lambda: opens(case))
            check(f"{title}: trains on as Keras does", lambda: continues(case))
            if name[0] == "l" or "activity" in name or "penalties" in name:
                check(f"{title}: has penalties in its loss", lambda: penalized(case))
    check("saved by Keras, initializers: come back through here", initializers_come_back)
    here = None

    def train():
        nonlocal here
        here = FromHere()

    check("trained here, arguments of weights: trains and saves", train)
    if here is not None:
        check("trained here, arguments of weights: Keras trains it further as it goes on here", lambda: continues(here))
