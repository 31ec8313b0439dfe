"""Models as ONNX files: onnx finds them in order, and onnxruntime gives the predictions that are made here, at several batch sizes and
numbers of time steps."""

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file

from common import FOLDER, PROGRAM, assert_close, check, report, run, samples, write_data
from layers import without_operations

L = keras.layers
GATENORM = Path(PROGRAM).parent.parent / "gatenorm"
PREDICTIONS = 1e-5

ACTIVATIONS = ["linear", "sigmoid", "tanh", "relu", "hard_sigmoid", "relu6", "leaky_relu", "softsign", "elu", "selu", "silu", "gelu"]
ACTIVATIONS += ["exponential", "softplus", "hard_tanh", "mish", "hard_silu", "log_sigmoid"]


def sequence(*layers, steps=None, features=3):
    return keras.Sequential([keras.Input((steps, features)), *layers])


def lesson():
    layers = [L.LSTM(16, return_sequences=True), L.BatchNormalization(), L.LSTM(8), L.BatchNormalization()]
    return sequence(L.Normalization(), *layers, L.Dense(1, activation="sigmoid"))


def activations():
    """All of Dense's and Activation's, and what an LSTM's or a GRU's gates may have."""
    x = keras.Input((None, 3))
    outputs = [L.Activation(name)(L.Dense(4, activation=name)(x)) for name in ACTIVATIONS]
    outputs.append(L.Rescaling(-2.5, 0.5)(outputs[2]))
    return keras.Model(x, outputs + [L.Dense(5, activation="softmax")(x), L.Activation("softmax")(L.Dense(3, use_bias=False)(x))])


def gates(layer):
    """An LSTM or GRU for every activation; those of the gates and of the state in turns."""
    x = keras.Input((None, 3))
    pairs = zip(ACTIVATIONS, ACTIVATIONS[5:] + ACTIVATIONS[:5])
    bounded = {"exponential", "softplus", "relu", "linear", "selu", "elu", "mish", "silu", "gelu", "leaky_relu", "hard_silu", "log_sigmoid", "relu6"}
    layers = [layer(3, activation=a, recurrent_activation="sigmoid" if a in bounded else b) for a, b in pairs]
    layers += [layer(3, activation="tanh", recurrent_activation=b) for b in ACTIVATIONS]
    layers += [layer(3, activation="softsign", recurrent_activation=b) for b in ["hard_sigmoid", "leaky_relu", "elu", "gelu"]]
    layers += [layer(3, activation="leaky_relu", recurrent_activation="hard_sigmoid"), layer(3, activation="hard_sigmoid", recurrent_activation="leaky_relu")]
    return keras.Model(x, [l(x) for l in layers])


def options(layer, masked, **more):
    """Every form of output, in both orders; with initial states."""
    x, h, c = keras.Input((None, 3), name="x"), keras.Input((4,), name="h"), keras.Input((4,), name="c")
    given = [h] if layer is L.GRU else [h, c]
    inside = L.Masking()(x) if masked else x
    outputs = []
    for backwards in [False, True]:
        for sequences in [False, True]:
            for zero in [False, True] if masked else [False]:
                kind = dict(go_backwards=backwards, return_sequences=sequences, zero_output_for_mask=zero, **more)
                outputs += [layer(4, use_bias=not zero, **kind)(inside)]
                mask = {"mask": inside._keras_mask} if masked else {}
                outputs += layer(4, return_state=True, **kind)(inside, initial_state=given, **mask)
    return keras.Model([x] + given, outputs)


def bidirectional(layer, masked):
    x = keras.Input((None, 3))
    inside = L.Masking()(x) if masked else x
    outputs = []
    for mode in ["concat", "sum", "mul", "ave", None]:
        for sequences in [False, True]:
            given = L.Bidirectional(layer(4, return_sequences=sequences, return_state=sequences), merge_mode=mode)(inside)
            outputs += list(given) if isinstance(given, (list, tuple)) else [given]
    own = L.Bidirectional(L.LSTM(4), backward_layer=L.GRU(4, go_backwards=True))
    return keras.Model(x, outputs + [own(inside), L.Bidirectional(layer(3, activation="gelu"))(inside)])


def behind_masks():
    """What passes a mask on, and what makes something of it."""
    x = keras.Input((None, 3))
    masked, other = L.Masking()(x), L.Masking(1.5)(x)
    layers = [L.BatchNormalization(), L.LayerNormalization(), L.Activation("tanh"), L.Dropout(0.3), L.SpatialDropout1D(0.2)]
    layers += [L.TimeDistributed(L.Dense(3, activation="relu")), L.Dense(3), L.LSTM(3, return_sequences=True), L.GRU(3, return_sequences=True)]
    y = masked
    for layer in layers:
        y = layer(y)
    a, b, c = L.Dense(4)(masked), L.Dense(4, activation="relu")(other), L.Dense(4)(x)
    parts = [kind()([p, q]) for kind in [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum] for p, q in [(a, b), (b, c), (c, a)]]
    parts += [L.Multiply()([a, b, a]), L.Maximum()([b, c, a]), L.Concatenate()([a, c]), L.Concatenate()([a, b]), L.Concatenate(axis=1)([a, c, b])]
    parts += [L.Concatenate()([a, c, b])]
    pooled = [L.GlobalAveragePooling1D()(p) for p in parts + [y]] + [L.GlobalMaxPooling1D(keepdims=True)(y)]
    read = [L.LSTM(3)(p) for p in parts[:6] + parts[-5:]] + [L.GRU(3, go_backwards=True)(y)]
    return keras.Model(x, pooled + read + [L.GlobalAveragePooling1D(keepdims=True)(masked)])


def fixed():
    """Layers that need the number of steps."""
    x = keras.Input((6, 3))
    by_step = L.BatchNormalization(axis=1)(x)
    flat = L.Flatten()(L.BatchNormalization(axis=-2, scale=False, center=False)(x))
    again = L.LSTM(3, return_sequences=True)(L.Reshape((9, -1))(flat))
    outputs = [L.GlobalMaxPooling1D()(x), flat, by_step, again, L.RepeatVector(4)(flat), L.Reshape((18,))(x)]
    return keras.Model(x, outputs + [L.BatchNormalization()(flat), L.LayerNormalization(center=False)(flat), L.LayerNormalization(scale=False)(x)])


def embedded():
    x = keras.Input((6,))
    y = L.Embedding(9, 4, mask_zero=True)(x)
    return keras.Model(x, [y, L.LSTM(3)(y), L.GlobalAveragePooling1D()(L.Embedding(9, 2)(x))])


def graph():
    """Several inputs and outputs, a shared layer, an input that is an output, one value given twice, states handed on."""
    rows, context = keras.Input((None, 3), name="rows"), keras.Input((4,), name="context")
    shared, norm = L.Dense(5, activation="tanh", name="shared"), L.BatchNormalization()
    encoder = L.LSTM(5, return_sequences=True, return_state=True)
    steps, h, c = encoder(rows)
    decoded = L.LSTM(5, return_sequences=True)(norm(steps), initial_state=[h, c])
    again = L.LSTM(5)(norm(decoded))
    b = shared(shared(L.Dense(5)(context)))
    y = L.Dense(2)(L.Concatenate()([b, again]))
    return keras.Model([context, rows], [y, context, y, decoded, h, L.Add()([b, L.Normalization(mean=[1.0] * 5, variance=[2.0] * 5)(c)])])


def named_ends():
    b, a = keras.Input((None, 3), name="b"), keras.Input((4,), name="a")
    return keras.Model({"b": b, "a": a}, {"y": L.Dense(1)(a), "x": L.LSTM(2)(b)})


def far_from_zero():
    """Columns with a mean that is large against their spread."""
    return sequence(L.Normalization(mean=[1000.0, -3000.0, 50.0], variance=[0.01, 1.0, 4.0]), L.LSTM(6), L.BatchNormalization(), L.Dense(1))


def own(class_name, **config):
    """A layer that Keras does not know, between others of Keras."""

    def entry(module, class_name, config, registered=None):
        return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}

    first = entry("gatenorm", class_name, {"units": 4, "return_sequences": True, **config}, f"gatenorm>{class_name}")
    second = entry("gatenorm", class_name, {"units": 3, **config}, f"gatenorm>{class_name}")
    layers = [entry("keras.layers", "InputLayer", {"batch_shape": [None, None, 3]}), first, second, entry("keras.layers", "Dense", {"units": 1})]
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}


def two_directions_of_own():
    config = own("PeepholeLSTM", peepholes=True)
    layers = config["config"]["layers"]
    for i in [1, 2]:
        inner = layers[i]
        inner["config"]["zero_output_for_mask"] = True
        layers[i] = {"module": "keras.layers", "class_name": "Bidirectional", "config": {"layer": inner}, "registered_name": None}
    layers.insert(1, {"module": "keras.layers", "class_name": "Masking", "config": {}, "registered_name": None})
    return config


CASES = [
    ("the lesson's model", lesson),
    ("activations", activations),
    ("gates of an LSTM", lambda: gates(L.LSTM)),
    ("gates of a GRU", lambda: gates(L.GRU)),
    ("LSTM, all forms of output", lambda: options(L.LSTM, False)),
    ("GRU, all forms of output", lambda: options(L.GRU, False)),
    ("GRU, reset before the product", lambda: options(L.GRU, False, reset_after=False)),
    ("LSTM of gelu, all forms of output", lambda: options(L.LSTM, False, activation="gelu")),
    ("LSTM, masked", lambda: options(L.LSTM, True)),
    ("GRU, masked", lambda: options(L.GRU, True)),
    ("LSTM of gelu, masked", lambda: options(L.LSTM, True, activation="gelu")),
    ("GRU of gelu, masked, both resets", lambda: options(L.GRU, True, activation="gelu", reset_after=False)),
    ("GRU of silu, masked", lambda: options(L.GRU, True, activation="silu")),
    ("Bidirectional", lambda: bidirectional(L.LSTM, False)),
    ("Bidirectional GRU, masked", lambda: bidirectional(L.GRU, True)),
    ("Bidirectional LSTM, masked", lambda: bidirectional(L.LSTM, True)),
    ("masks passed on and merged", behind_masks),
    ("layers for a number of steps", fixed),
    ("Embedding", embedded),
    ("a graph with shared layers and states", graph),
    ("dicts of inputs and outputs", named_ends),
    ("columns far from zero", far_from_zero),
    ("PeepholeLSTM", lambda: own("PeepholeLSTM", peepholes=True)),
    ("PeepholeLSTM with coupled gates", lambda: own("PeepholeLSTM", peepholes=True, coupled_gates=True, activation="silu")),
    ("LSTM with coupled gates", lambda: own("PeepholeLSTM", coupled_gates=True)),
    ("PeepholeLSTM in both directions, masked", two_directions_of_own),
    ("RecurrentBatchNormLSTM", lambda: own("RecurrentBatchNormLSTM", max_steps=5)),
    ("LayerNormLSTM", lambda: own("LayerNormLSTM")),
]


def stirred(model, size):
    """Weights that are all different, and variances above 0."""
    random = np.random.default_rng(5)
    for weight in model.weights:
        if weight.name == "count" or "seed" in weight.name:
            continue
        value = size * (np.array(weight) + 0.3 * random.normal(size=weight.shape))
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return model


def stir_file(path):
    """The same for a model of layers that Keras does not know, whose weights are small at first."""
    random, weights = np.random.default_rng(5), FOLDER / "onnx_weights.safetensors"
    run("convert", path, weights, program=GATENORM)
    arrays = {name: value + random.normal(size=value.shape).astype("float32") for name, value in load_file(weights).items()}
    for name in arrays:
        # Of a RecurrentBatchNormLSTM these are variances.
        if name.endswith(("vars/8", "vars/10", "vars/12")):
            arrays[name] = np.abs(arrays[name]) + np.float32(0.5)
    save_file(arrays, weights)
    stirred_path = path.with_suffix(".stirred.keras")
    run("convert", weights, stirred_path, "--like", path, program=GATENORM)
    return stirred_path


def masked_steps(x, values=(0.0, 1.5)):
    """Of the samples in turn: the last steps, holes, all steps, none, the first steps."""
    steps = np.arange(x.shape[1])
    patterns = [steps >= x.shape[1] - 2, steps % 3 == 1, steps >= 0, steps < 0, steps < 2]
    for i in range(len(x)):
        x[i, patterns[i % len(patterns)]] = values[i // len(patterns) % len(values)]
    return x


def fed(model, batch, steps, masked):
    """Arrays for the inputs of an ONNX file, by name."""
    random = np.random.default_rng(batch)
    arrays = {}
    for given in model.get_inputs():
        axes = [size if isinstance(size, int) else steps for size in given.shape[1:]]
        x = random.normal(size=[batch, *axes])
        arrays[given.name] = (masked_steps(x) if masked and x.ndim == 3 else x).astype("float32")
    return arrays


def means(name, ours, theirs):
    """The mean over the steps of a sample that has none is no number, there as here."""
    ours, theirs = np.array(ours, "float64"), theirs.ravel().astype("float64")
    if name == "masks passed on and merged":
        assert (np.isnan(ours) == np.isnan(theirs)).all() and np.isfinite(ours).any()
        ours, theirs = ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]
    return ours, theirs


class Case:
    """A model saved by Keras, or begun here from JSON, and the ONNX file made of it by the command."""

    def __init__(self, name, make):
        self.name, stem = name, "onnx_" + "".join(c if c.isalnum() else "_" for c in name)
        self.path, self.file = FOLDER / f"{stem}.keras", FOLDER / f"{stem}.onnx"
        keras.utils.set_random_seed(3)
        model = make()
        if isinstance(model, dict):
            x, y = samples(steps=5, seed=4)
            json_file = FOLDER / f"{stem}.json"
            json_file.write_text(json.dumps(model))
            run("begin", json_file, write_data(f"{stem}_data", x / [1, 20, 300] - 1, y), self.path, FOLDER / f"{stem}_out.json")
            self.path = stir_file(self.path)
        else:
            # Gates of exponentials grow beyond all bounds with larger ones.
            stirred(model, 0.3 if name.startswith("gates") else 1).save(self.path)
            if name in ["masks passed on and merged", "Embedding"]:
                without_operations(self.path)
        run("convert", self.path, self.file, program=GATENORM)
        self.session = onnxruntime.InferenceSession(self.file)

    def predicts(self, batch, steps):
        """What onnxruntime gives, and how far it is from what is given here."""
        arrays = fed(self.session, batch, steps, "masked" in self.name or "masks" in self.name)
        if self.name == "Embedding":
            arrays = {name: np.clip(np.round(x * 2 + 4), 0, 8) for name, x in arrays.items()}
        if self.name == "columns far from zero":
            arrays = {name: (x * [0.1, 1, 2] + [1000, -3000, 50]).astype("float32") for name, x in arrays.items()}
        data = write_data("onnx_data", list(arrays.values()), np.zeros((batch, 1), "float32"))
        out = FOLDER / "onnx_out.json"
        run("predict", self.path, data, "-", out)
        ours, theirs = report(out)["predictions"], self.session.run(None, arrays)
        assert len(ours) == len(theirs)
        names = [given.name for given in self.session.get_outputs()]
        # Outputs that hardly differ would agree by themselves.
        flat = [name for name, output in zip(names, theirs) if batch > 1 and np.nanmax(output) - np.nanmin(output) < 100 * PREDICTIONS]
        assert not flat, f"{flat} are the same for all samples"
        return max(assert_close(name, *means(self.name, a, b), PREDICTIONS) for name, a, b in zip(names, ours, theirs))

    def check(self):
        onnx.checker.check_model(onnx.load(self.file), full_check=True)
        fixed = self.name in ["layers for a number of steps", "Embedding"]
        worst = max(self.predicts(batch, steps) for batch, steps in [(1, 6 if fixed else 5), (11, 6 if fixed else 8)])
        return f"{len(self.session.get_outputs())} outputs, off by {worst:.1e} at most"


def stateful():
    """A sequence in two parts, with the states handed on, gives what the whole gives here."""
    x = keras.Input(batch_shape=(4, None, 3))
    y = L.Bidirectional(L.GRU(3, stateful=True, return_sequences=True))(L.LSTM(5, stateful=True, return_sequences=True)(x))
    return keras.Model(x, L.LSTM(2, stateful=True, return_sequences=True, activation="gelu")(y))


def hands_states_on():
    case = Case("stateful", stateful)
    names = [given.name for given in case.session.get_inputs()]
    assert len(names) == 1 + 2 + 2 + 2, names
    # What reads backwards has not seen the second part when it reads the first.
    forward = Case("stateful, forwards", lambda: keras.Sequential([keras.Input(batch_shape=(4, None, 3)), L.LSTM(5, stateful=True, return_sequences=True), L.LSTM(2, stateful=True, return_sequences=True, activation="gelu")]))
    x = np.random.default_rng(2).normal(size=(4, 9, 3)).astype("float32")
    data, out = write_data("onnx_stateful", x, np.zeros((4, 1), "float32")), FOLDER / "onnx_stateful_out.json"
    run("predict", forward.path, data, "-", out)
    outputs = [given.name for given in forward.session.get_outputs()]
    states = {given.name: np.zeros((4, given.shape[1]), "float32") for given in forward.session.get_inputs()[1:]}
    parts = []
    for part in [x[:, :4], x[:, 4:]]:
        given = dict(zip(outputs, forward.session.run(None, {forward.session.get_inputs()[0].name: part, **states})))
        states = {name: given[f"{name}_next"] for name in states}
        parts.append(given[outputs[0]])
    worst = assert_close("outputs", np.concatenate(parts, axis=1), report(out)["predictions"][0], PREDICTIONS)
    return f"{len(states)} states, off by {worst:.1e} at most"


def describes_itself():
    """A model trained by the command keeps columns, window and classes in the file."""
    rows = FOLDER / "onnx_rows.csv"
    rows.write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{'yes' if i % 3 == 0 else 'no'}\n" for i in range(40)))
    path, file = FOLDER / "onnx_rows.keras", FOLDER / "onnx_rows.onnx"
    run("train", rows, "--target", "y", "--window", 3, "--epochs", 1, "--out", path, "--device", "cpu", program=GATENORM)
    run("convert", path, file, program=GATENORM)
    session = onnxruntime.InferenceSession(file)
    words = session.get_modelmeta().custom_metadata_map
    assert json.loads(words["columns"]) == ["a", "b"] and words["window"] == "3" and json.loads(words["targets"]) == ["y"], words
    assert json.loads(words["classes"]) == ["no", "yes"], words
    (given,) = session.get_inputs()
    assert (given.name, given.shape) == ("input", ["batch", "time", 2]), (given.name, given.shape)
    raw = np.array([[float(i), i * i % 7] for i in range(40)], "float32")
    windows = np.stack([raw[i : i + 3] for i in range(38)])
    predictions = FOLDER / "onnx_rows_out.csv"
    run("predict", path, rows, "--out", predictions, "--device", "cpu", program=GATENORM)
    ours = [float(line.split(",")[1]) for line in predictions.read_text().splitlines()[1:]]
    return f"raw rows, off by {assert_close('predictions', session.run(None, {'input': windows})[0], ours, PREDICTIONS):.1e} at most"


def checks():
    for name, make in CASES:
        check(f"onnx, {name}", lambda: Case(name, make).check())
    check("onnx, stateful layers", hands_states_on)
    check("onnx, a model trained by the command", describes_itself)
