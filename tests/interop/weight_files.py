"""Weights as .safetensors files: PyTorch and Keras take them by name, predict the same, and their weights come back."""

import h5py
import keras
import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import nn

from common import FOLDER, assert_close, check, report, run, write_data
from onnx_files import GATENORM, stirred

L = keras.layers
PREDICTIONS = 1e-5


def layers():
    """The lesson's model, with all else that PyTorch has a module for."""
    x, ids = keras.Input((None, 3), name="x"), keras.Input((6,), name="ids")
    y = L.Normalization(name="scaling")(x)
    y = L.LSTM(6, return_sequences=True, name="first")(y)
    y = L.BatchNormalization(name="norm", epsilon=1e-5)(y)
    y = L.Bidirectional(L.LSTM(5, return_sequences=True), name="both")(y)
    y = L.GRU(4, return_sequences=True, name="gru")(y)
    y = L.LayerNormalization(name="rows", epsilon=1e-5)(y)
    y = L.TimeDistributed(L.Dense(4, activation="relu"), name="steps")(y)
    y = L.Bidirectional(L.GRU(3, return_sequences=True, use_bias=False), name="grus")(y)
    y = L.BatchNormalization(name="bare", center=False, scale=False)(y)
    last = L.LSTM(4, use_bias=False, name="last")(y)
    words = L.GlobalAveragePooling1D()(L.Embedding(9, 5, name="words")(ids))
    return keras.Model([x, ids], L.Dense(2, name="out")(L.Concatenate()([last, words])))


class Module(nn.Module):
    """The same, written down plainly."""

    def __init__(self):
        super().__init__()
        self.scaling = nn.Module()
        self.scaling.register_buffer("mean", torch.zeros(3))
        self.scaling.register_buffer("variance", torch.ones(3))
        self.first = nn.LSTM(3, 6, batch_first=True)
        self.norm = nn.BatchNorm1d(6)
        self.both = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 4, batch_first=True)
        self.rows = nn.LayerNorm(4)
        self.steps = nn.Linear(4, 4)
        self.grus = nn.GRU(4, 3, batch_first=True, bidirectional=True, bias=False)
        self.bare = nn.BatchNorm1d(6, affine=False, eps=1e-3)
        self.last = nn.LSTM(6, 4, batch_first=True, bias=False)
        self.words = nn.Embedding(9, 5)
        self.out = nn.Linear(9, 2)

    def forward(self, x, ids):
        x = (x - self.scaling.mean) / self.scaling.variance.sqrt()
        x = self.norm(self.first(x)[0].mT).mT
        x = self.rows(self.gru(self.both(x)[0])[0])
        x = self.bare(self.grus(self.steps(x).relu())[0].mT).mT
        last = self.last(x)[0][:, -1]
        return self.out(torch.cat([last, self.words(ids.long()).mean(1)], -1))


class Files:
    """The model, saved by Keras, and inputs for it."""

    def __init__(self):
        keras.utils.set_random_seed(3)
        self.model, self.path = stirred(layers(), 1), FOLDER / "weights.keras"
        self.model.save(self.path)
        random = np.random.default_rng(1)
        self.inputs = [random.normal(size=(7, 5, 3)).astype("float32"), random.integers(0, 9, (7, 6)).astype("float32")]
        self.data = write_data("weights_data", self.inputs, np.zeros((7, 1), "float32"))

    def predictions(self, path):
        run("predict", path, self.data, "-", FOLDER / "weights_out.json")
        return report(FOLDER / "weights_out.json")["predictions"][0]

    def converted(self, name, *arguments):
        path = FOLDER / name
        run("convert", self.path, path, *arguments, program=GATENORM)
        return path

    def back(self, name):
        """A model with the weights of a file."""
        path = FOLDER / "weights_back.keras"
        run("convert", name, path, "--like", self.path, program=GATENORM)
        return path

    def pytorch(self):
        module = Module().eval()
        module.load_state_dict(load_file(self.converted("torch.safetensors", "--names", "pytorch")))
        with torch.no_grad():
            found = module(*map(torch.tensor, self.inputs))
        return f"off by {assert_close('predictions', found, self.predictions(self.path), PREDICTIONS):.1e} at most"

    def from_pytorch(self):
        """A fresh module's weights, with both of the biases of its LSTMs."""
        torch.manual_seed(4)
        module = Module().eval()
        module.scaling.mean += torch.tensor([1.0, -2.0, 0.5])
        module.norm.running_mean += torch.randn(6)
        save_file(module.state_dict(), FOLDER / "fresh.safetensors")
        with torch.no_grad():
            found = module(*map(torch.tensor, self.inputs))
        predictions = self.predictions(self.back(FOLDER / "fresh.safetensors"))
        return f"off by {assert_close('predictions', predictions, found, PREDICTIONS):.1e} at most"

    def keras(self):
        """The tensors as data sets of the same names are a file of weights."""
        path = FOLDER / "tensors.weights.h5"
        with h5py.File(path, "w") as file:
            for name, values in load_arrays(self.converted("keras.safetensors")).items():
                file[name] = values
        other = stirred(keras.models.clone_model(self.model), 2)
        other.load_weights(path)
        for a, b in zip(self.model.weights, other.weights):
            assert (np.array(a) == np.array(b)).all(), a.path
        return f"{len(other.weights)} variables to the bit"

    def from_keras(self):
        other = stirred(keras.models.clone_model(self.model), 0.5)
        other.save_weights(FOLDER / "other.weights.h5")
        arrays = {}
        with h5py.File(FOLDER / "other.weights.h5") as file:
            file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        # A scalar comes as one, not as an array.
        save_arrays({name: np.asarray(values) for name, values in arrays.items()}, FOLDER / "other.safetensors")
        back = keras.models.load_model(self.back(FOLDER / "other.safetensors"))
        for a, b in zip(other.weights, back.weights):
            assert (np.array(a) == np.array(b)).all(), a.path
        return f"{len(back.weights)} variables to the bit"


def checks():
    files = Files()
    check("safetensors: PyTorch loads PyTorch's names and predicts the same", files.pytorch)
    check("safetensors: weights of PyTorch predict the same here", files.from_pytorch)
    check("safetensors: Keras loads Keras's names", files.keras)
    check("safetensors: weights of Keras come back to Keras", files.from_keras)
