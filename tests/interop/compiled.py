"""Losses, metrics, weights and several outputs: models that Keras compiled evaluate and train here as there, and come back."""

import json

import keras
import numpy as np

from common import FOLDER, assert_close, check, report, run

L, LOSS, M = keras.layers, keras.losses, keras.metrics

# Sums of some hundred terms in 32 bits.
SCORES = 1e-5
# Training steps build on each other.
TRAINED = 2e-5
STEPS = 5
BATCH = 7


def truth(kind, count, outputs, random):
    numbers = random.integers(0, outputs, count)
    return {
        "ids": lambda: numbers[:, None].astype("float32"),
        "one hot": lambda: np.eye(outputs, dtype="float32")[numbers],
        "binary": lambda: random.integers(0, 2, (count, outputs)).astype("float32"),
        "numbers": lambda: random.normal(size=(count, outputs)).astype("float32"),
        "positive": lambda: random.uniform(0.1, 1, (count, outputs)).astype("float32"),
        "steps": lambda: random.normal(size=(count, 5, outputs)).astype("float32"),
        "ids of steps": lambda: random.integers(0, outputs, (count, 5, 1)).astype("float32"),
    }[kind]()


def vectors(outputs, activation):
    return keras.Sequential(
        [keras.Input((5, 3)), L.LSTM(6), L.BatchNormalization(), L.Dense(outputs, activation=activation)]
    )


def sequences(outputs, activation):
    """Masked, by layers that pass masks on and look at one step only."""
    hidden = L.Dense(4, activation="tanh")
    return keras.Sequential([keras.Input((5, 3)), L.Masking(), hidden, L.Dense(outputs, activation=activation)])


def regressions():
    """Objects are made anew for each model: Keras keeps their sums in them."""
    own = [M.RootMeanSquaredError(), M.LogCoshError(), M.CosineSimilarity(), M.R2Score(), M.KLDivergence(name="divergence")]
    return ["mae", "MSE", "mape", "mean_squared_logarithmic_error", "poisson", *own]


def counts():
    return [M.TruePositives(), M.FalsePositives(thresholds=0.4), M.TrueNegatives(), M.FalseNegatives(thresholds=[0.6])]


def binaries():
    curves = [M.AUC(), M.AUC(curve="PR", name="pr"), M.AUC(num_thresholds=31, name="coarse")]
    own = [M.Precision(), M.Recall(thresholds=0.45), M.BinaryAccuracy(threshold=0.45), M.F1Score(threshold=0.5)]
    return ["accuracy", "binary_crossentropy", *curves, *own, *counts()]


def categories():
    f1 = [M.F1Score(average=average, name=f"f1_{average}") for average in ["micro", "macro", "weighted"]]
    positives = [M.Precision(class_id=1), M.Recall(top_k=2), M.Precision(top_k=1, class_id=2, name="third"), M.AUC()]
    own = [M.TopKCategoricalAccuracy(k=2), M.CategoricalCrossentropy(label_smoothing=0.1)]
    return ["accuracy", "categorical_accuracy", "cosine_similarity", *own, *f1, *positives]


def ids(logits):
    own = [M.SparseTopKCategoricalAccuracy(k=2), M.SparseCategoricalCrossentropy(from_logits=logits)]
    return ["acc", "sparse_categorical_accuracy", *own]


LOGITS = {"from_logits": True}
# Name, model, outputs, activation, truth, loss, metrics, and other arguments.
CASES = [
    ("sparse", vectors, 4, "softmax", "ids", lambda: "sparse_categorical_crossentropy", lambda: ids(False), {}),
    ("sparse logits", vectors, 4, None, "ids", lambda: LOSS.SparseCategoricalCrossentropy(**LOGITS), lambda: ids(True), {}),
    ("sparse, odd", vectors, 3, "softplus", "ids", LOSS.SparseCategoricalCrossentropy, lambda: ["accuracy"], {}),
    ("categorical", vectors, 3, "softmax", "one hot", lambda: "categorical_crossentropy", categories, {}),
    ("smoothed", vectors, 3, "softmax", "one hot", lambda: LOSS.CategoricalCrossentropy(label_smoothing=0.1), list, {}),
    ("categorical logits", vectors, 3, None, "one hot", lambda: LOSS.CategoricalCrossentropy(**LOGITS), list, {}),
    ("categorical, odd", vectors, 3, "sigmoid", "one hot", LOSS.CategoricalCrossentropy, list, {}),
    ("binary", vectors, 1, "sigmoid", "binary", lambda: LOSS.BinaryCrossentropy(label_smoothing=0.2), binaries, {}),
    (
        "binary logits",
        vectors,
        1,
        None,
        "binary",
        lambda: LOSS.BinaryCrossentropy(**LOGITS),
        lambda: [M.AUC(from_logits=True), M.BinaryAccuracy(name="right", threshold=0.0), M.BinaryCrossentropy(**LOGITS)],
        {},
    ),
    ("several binary", vectors, 3, "sigmoid", "binary", lambda: "bce", lambda: ["binary_accuracy", M.AUC(), M.Recall()], {}),
    ("squares", vectors, 2, "sigmoid", "positive", lambda: "MSE", regressions, {}),
    ("absolute", vectors, 2, None, "numbers", lambda: LOSS.MeanAbsoluteError(), lambda: ["mse"], {}),
    ("percentage", vectors, 2, None, "positive", lambda: "mape", list, {}),
    ("logarithmic", vectors, 2, "sigmoid", "positive", lambda: LOSS.MeanSquaredLogarithmicError(), list, {}),
    ("huber", vectors, 2, None, "numbers", lambda: "huber", list, {}),
    ("log cosh", vectors, 2, None, "numbers", lambda: LOSS.LogCosh(), list, {}),
    ("poisson", vectors, 2, "softplus", "positive", lambda: "poisson", list, {}),
    ("divergence", vectors, 3, "softmax", "positive", lambda: LOSS.KLDivergence(), list, {}),
    ("sum", vectors, 2, None, "numbers", lambda: LOSS.MeanSquaredError(reduction="sum"), list, {"weights": "samples"}),
    (
        "mean of weights",
        vectors,
        2,
        None,
        "numbers",
        lambda: LOSS.MeanSquaredError(reduction="mean_with_sample_weight"),
        list,
        {"weights": "samples"},
    ),
    ("weighted", vectors, 1, "sigmoid", "binary", lambda: "bce", binaries, {"weights": "samples", "weighted": binaries}),
    (
        "weighted categories",
        vectors,
        3,
        "softmax",
        "one hot",
        lambda: "categorical_crossentropy",
        lambda: ["accuracy"],
        {"weights": "samples", "weighted": categories},
    ),
    (
        "weighted squares",
        vectors,
        2,
        "sigmoid",
        "positive",
        lambda: "mse",
        lambda: ["mae"],
        {"weights": "samples", "weighted": regressions, "loss_weights": [0.5]},
    ),
    (
        "classes weigh",
        vectors,
        3,
        "softmax",
        "ids",
        lambda: "sparse_categorical_crossentropy",
        lambda: ["accuracy"],
        {"class_weight": {0: 0.5, 2: 3.0}},
    ),
    ("masked", sequences, 2, None, "steps", lambda: "mse", lambda: ["mae", M.RootMeanSquaredError(), M.CosineSimilarity()], {}),
    (
        "masked ids",
        sequences,
        3,
        "softmax",
        "ids of steps",
        lambda: "sparse_categorical_crossentropy",
        lambda: ["accuracy"],
        {},
    ),
    (
        "masked, weighted steps",
        sequences,
        2,
        None,
        "steps",
        lambda: "mse",
        lambda: ["mae"],
        {"weights": "steps", "weighted": lambda: ["mse", M.RootMeanSquaredError()]},
    ),
]


def array(values):
    return {"x": values.ravel().tolist(), "x_shape": values.shape}


class Compiled:
    """A model that Keras compiled and trained a little, its data, and both sides' words on it."""

    def __init__(self, name, model, truths, weights=None, class_weight=None, masked=False, **arguments):
        random = np.random.default_rng(4)
        self.x = random.normal(size=(24, 5, 3)).astype("float32")
        if masked:
            self.x[random.random((24, 5)) < 0.3] = 0
        self.y = [truth(kind, 24, outputs, random) for kind, outputs in truths]
        self.weights = None
        if weights is not None:
            shape = (24, 5) if weights == "steps" else (24,)
            self.weights = random.uniform(0, 2, shape).astype("float32")
        self.class_weight = class_weight
        keras.utils.set_random_seed(6)
        model = model()
        model.compile(optimizer=keras.optimizers.Adam(0.01), **arguments)
        model.fit(self.x, self.truth(), epochs=1, batch_size=8, verbose=0)
        stem = "".join(c if c.isalnum() else "_" for c in name)
        self.path, self.out = FOLDER / f"compiled_{stem}.keras", FOLDER / f"compiled_{stem}_out.json"
        self.saved = FOLDER / f"compiled_{stem}_saved.keras"
        model.save(self.path)
        self.model = keras.models.load_model(self.path)
        data = {"x": self.x.ravel().tolist(), "x_shape": self.x.shape, "batch": BATCH}
        data |= {"y": self.y[0].ravel().tolist(), "y_shape": self.y[0].shape}
        data["more_y"] = [array(more) for more in self.y[1:]]
        if self.weights is not None:
            data["weights"] = array(self.weights)
        data["class_weight"] = list((class_weight or {}).items())
        self.data = FOLDER / f"compiled_{stem}.json"
        self.data.write_text(json.dumps(data))

    def truth(self):
        return self.y[0] if len(self.y) == 1 else self.y

    def evaluate(self, model):
        options = {"sample_weight": self.weights, "batch_size": BATCH, "return_dict": True, "verbose": 0}
        if self.weights is not None and len(self.y) > 1:
            options["sample_weight"] = [self.weights] * len(self.y)
        return model.evaluate(self.x, self.truth(), **options)

    def compare(self, what, ours, theirs):
        assert ours.keys() == theirs.keys(), f"{what}: {list(ours)} are not {list(theirs)}"
        return max(assert_close(f"{what}: {name}", ours[name], theirs[name], SCORES) for name in ours)


def evaluates(case):
    run("open", case.path, case.data, case.out)
    worst = case.compare("scores", report(case.out)["scores_in_batches"], case.evaluate(case.model))
    return f"{len(report(case.out)['scores_in_batches'])} scores off by {worst:.1e} at most"


def trains(case):
    run("continue", case.path, STEPS, case.data, case.saved, case.out)
    options = {"sample_weight": case.weights, "class_weight": case.class_weight}
    if case.weights is not None and len(case.y) > 1:
        options["sample_weight"] = [case.weights] * len(case.y)
    fit = case.model.fit(case.x, case.truth(), epochs=STEPS, batch_size=24, shuffle=False, verbose=0, **options)
    losses = assert_close("losses", report(case.out)["losses"], fit.history["loss"], TRAINED)
    theirs = [w for layer in case.model.layers for w in layer.weights]
    ours = report(case.out)["weights"]
    assert len(ours) == len(theirs)
    weights = max(assert_close(a["path"], a["values"], np.array(b), TRAINED) for a, b in zip(ours, theirs))
    return f"losses off by {losses:.1e}, weights by {weights:.1e} at most"


def returns(case):
    """What was saved here means the same to Keras."""
    scores = report(case.out)["scores_in_batches"]
    worst = case.compare("scores", scores, case.evaluate(keras.models.load_model(case.saved)))
    return f"off by {worst:.1e} at most"


def two_outputs():
    x = keras.Input((5, 3))
    hidden = L.LSTM(6)(x)
    return keras.Model(x, [L.Dense(3, activation="softmax", name="kind")(hidden), L.Dense(1, name="size")(hidden)])


TWO = [("ids", 3), ("numbers", 1)]
SPARSE = "sparse_categorical_crossentropy"
SEVERAL = [
    ("lists", {"loss": [SPARSE, "mse"], "loss_weights": [1.0, 0.25], "metrics": [["accuracy"], ["mae", "mse"]]}),
    (
        "dicts",
        {
            "loss": {"kind": SPARSE, "size": LOSS.Huber()},
            "loss_weights": {"kind": 0.5, "size": 2.0},
            "metrics": {"size": ["mae"]},
            "weighted_metrics": {"kind": ["accuracy"], "size": ["mae", "mse"]},
            "weights": "samples",
        },
    ),
    ("no metrics", {"loss": [LOSS.SparseCategoricalCrossentropy(), "mae"]}),
]


def all_cases():
    for name, model, outputs, activation, kind, loss, metrics, more in CASES:
        more = dict(more)
        weighted = more.pop("weighted", None)
        make = lambda: Compiled(
            name,
            lambda: model(outputs, activation),
            [(kind, outputs)],
            masked=model is sequences,
            loss=loss(),
            metrics=metrics(),
            weighted_metrics=weighted and weighted(),
            **more,
        )
        yield name, make
    for name, arguments in SEVERAL:
        yield f"two outputs, {name}", lambda: Compiled(f"two {name}", two_outputs, TWO, **arguments)


def checks():
    for name, make in all_cases():
        case = None

        def save():
            nonlocal case
            case = make()

        check(f"compiled by Keras, {name}: Keras saves it", save)
        if case is not None:
            check(f"compiled by Keras, {name}: evaluates the same here", lambda: evaluates(case))
            check(f"compiled by Keras, {name}: trains on the same here", lambda: trains(case))
            check(f"compiled by Keras, {name}: saved here, Keras evaluates the same", lambda: returns(case))
