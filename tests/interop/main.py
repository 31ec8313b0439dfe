"""All checks against the real Keras, onnxruntime and PyTorch, in a process for each part, two at a time; started by `run`."""

import importlib
import multiprocessing
import os
import shutil
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

# The longest first.
PARTS = ["from_keras", "compiled", "weight_args", "onnx_files", "from_here", "functional", "examples", "rows", "layers", "weight_files", "callbacks", "refused"]


def part(name):
    """Runs one part; gives its counts of checks that passed and failed."""
    import common

    # Keras warns of models that are saved unbuilt or with classes of one's own: they are meant.
    warnings.simplefilter("ignore")
    importlib.import_module(name).checks()
    shutil.rmtree(common.FOLDER, ignore_errors=True)
    return common.passed, common.failed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: main.py PROGRAM; start it with tests/interop/run")
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        counts = pool.map(part, PARTS, chunksize=1)
    passed, failed = (sum(count) for count in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
