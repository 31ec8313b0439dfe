"""Models that were trained here open in Keras: same predictions, same scores, same optimizer; Keras trains them further."""

import warnings

import h5py  # noqa: F401  (Keras needs it to read weights)
import keras
import numpy as np

from common import FOLDER, assert_close, check, report, run, samples, write_data

PREDICTIONS = 1e-5
SCORES = 1e-5


class Saved:
    """A model trained and saved here, and what it gives here."""

    def __init__(self, kind):
        self.x, self.y = samples()
        if kind == "raw":
            # Without a scaling layer: rows that are scaled already.
            self.x = ((self.x - self.x.mean((0, 1))) / self.x.std((0, 1))).astype("float32")
        if kind == "several":
            self.x /= 300
            self.y = np.stack([self.x[..., 0] > self.x[..., 1], self.x[..., 2] > 3], axis=-1).astype("float32")
        self.path = FOLDER / f"here_{kind}.keras"
        out = FOLDER / f"here_{kind}.json"
        lengths = 1 + np.arange(len(self.x)) * 5 % self.x.shape[1] if kind == "lengths" else None
        self.data = write_data(f"data_{kind}", self.x, self.y, lengths)
        run("train-and-save", kind, self.data, self.path, out)
        self.report = report(out)
        if lengths is not None:
            self.x = self.padded(lengths)

    def padded(self, lengths):
        """Two steps longer than here; behind a sample's own steps the mean, which the model makes 0 and masks."""
        model = self.load()
        assert model.input_shape[1] is None, model.input_shape
        count, steps, features = self.x.shape
        x = np.tile(np.array(model.layers[0].mean).ravel(), (count, steps + 2, 1)).astype("float32")
        for i, length in enumerate(lengths):
            x[i, :length] = self.x[i, :length]
        return x

    def load(self):
        with warnings.catch_warnings():
            # Keras warns, and begins anew, where an optimizer's state does not fit.
            warnings.simplefilter("error", UserWarning)
            return keras.models.load_model(self.path)


def predictions(saved):
    model = saved.load()
    found = model.predict(saved.x, verbose=0)
    worst = assert_close("predictions", found, saved.report["predictions"], PREDICTIONS)
    return f"{found.size} predictions, off by {worst:.1e} at most"


def weights(saved):
    model = saved.load()
    # Of a Normalization Keras also keeps a count, which is always 0.
    found = [w for w in model.weights if w.name != "count"]
    # Keras's `weights` has a layer's trained variables before the others, as the file has.
    by_layer = [w for layer in model.layers for w in layer.weights if w.name != "count"]
    assert len(found) == len(by_layer) == len(saved.report["weights"])
    for ours, theirs in zip(saved.report["weights"], by_layer):
        assert tuple(ours["shape"]) == theirs.shape, ours["path"]
        assert (np.array(ours["values"], "float32") == np.array(theirs).ravel()).all(), ours["path"]
    names = [layer.name for layer in model.layers]
    assert names == saved.report["names"], names
    return f"{len(by_layer)} variables to the bit"


def optimizer(saved):
    model = saved.load()
    ours = saved.report
    variables = [np.array(v) for v in model.optimizer.variables]
    assert int(variables[0]) == ours["iterations"] == int(model.optimizer.iterations)
    assert_close("learning rate", float(variables[1]), ours["learning_rate"], 1e-7)
    trained = len(model.trainable_variables)
    moments = ours["moments"]
    assert len(variables) == 2 + len(moments) * trained, len(variables)
    for i in range(trained):
        for m, moment in enumerate(moments):
            theirs = variables[2 + i * len(moments) + m].ravel()
            assert (np.array(moment[i], "float32") == theirs).all(), f"moment {m} of variable {i}"
    return f"{type(model.optimizer).__name__}, step {ours['iterations']}, {len(moments)} x {trained} moments to the bit"


def scores(saved):
    model = saved.load()
    assert model.loss == saved.report["loss"], model.loss
    found = model.evaluate(saved.x, saved.y, batch_size=16, verbose=0, return_dict=True)
    ours = saved.report["scores"]
    assert found.keys() == ours.keys(), f"{list(found)} are not {list(ours)}"
    for name, value in found.items():
        assert_close(name, value, ours[name], SCORES)
    return ", ".join(f"{name} {value:.6f}" for name, value in ours.items())


def further(saved):
    # Judged by evaluating: what dropout drops moves the losses of training more than five epochs do.
    keras.utils.set_random_seed(1)
    model = saved.load()
    before = model.evaluate(saved.x, saved.y, verbose=0, return_dict=True)["loss"]
    step = int(model.optimizer.iterations)
    history = model.fit(saved.x, saved.y, epochs=5, batch_size=16, shuffle=False, verbose=0).history["loss"]
    after = model.evaluate(saved.x, saved.y, verbose=0, return_dict=True)["loss"]
    assert int(model.optimizer.iterations) == step + 15
    assert np.isfinite(history).all() and after < before, (before, history, after)
    return f"loss {before:.4f} to {after:.4f}, in training {history[0]:.4f} to {history[-1]:.4f}"


def twice(saved):
    """Saved again by Keras, it opens here and predicts the same."""
    again = FOLDER / "again.keras"
    saved.load().save(again)
    run("open", again, saved.data, FOLDER / "again.json")
    ours = report(FOLDER / "again.json")
    for name in ["predictions", "moments", "iterations", "loss", "names", "weights", "scores"]:
        assert ours[name] == saved.report[name], name
    return "all to the bit"


def checks():
    kinds = {
        "adam": "Adam, Normalization, raw rows",
        "raw": "Adam, no Normalization",
        "momentum": "SGD with momentum",
        "nesterov": "SGD with Nesterov's momentum",
        "sgd": "SGD without momentum",
        "untrained": "never trained",
        "directions": "LSTMs in both directions, dropout",
        "several": "outputs for every step, no bias, no gamma, no beta",
        "lengths": "samples of unequal lengths, padded with what is masked",
    }
    for kind, name in kinds.items():
        title = f"trained here, {name}"
        saved = None

        def train():
            nonlocal saved
            saved = Saved(kind)

        check(f"{title}: trains and saves", train)
        if saved is None:
            continue
        for what, action in [
            ("Keras predicts the same", predictions),
            ("Keras has the same weights and names", weights),
            ("Keras has the same optimizer state", optimizer),
            ("Keras evaluates the same", scores),
            ("Keras trains it further", further),
            ("comes back through Keras", twice),
        ]:
            check(f"{title}: {what}", lambda: action(saved))
