"""The report of checks, the program under test, and comparisons."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PROGRAM = sys.argv[1]
FOLDER = Path(tempfile.mkdtemp(prefix="gatenorm-interop-"))

passed = 0
failed = 0


def check(name, action):
    """Runs a check: it fails by an exception and may return what to say of it."""
    global passed, failed
    try:
        remark = action()
        passed += 1
        print(f"ok    {name}" + (f" ({remark})" if remark else ""), flush=True)
    except Exception as error:  # whatever goes wrong is a failed check
        failed += 1
        print(f"FAIL  {name}: {type(error).__name__}: {error}", flush=True)


def run(*arguments, program=PROGRAM):
    """Runs the program; an error of its own becomes an exception."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())


def report(path):
    return json.loads(Path(path).read_text())


def write_data(name, x, y, lengths=None):
    """Writes samples; `x` is an array, or a list of them for a model with several inputs. Of each only `lengths` steps count."""
    path = FOLDER / f"{name}.json"
    x, *more = x if isinstance(x, list) else [x]
    data = {"x": x.ravel().tolist(), "x_shape": x.shape, "y": y.ravel().tolist(), "y_shape": y.shape}
    data["more_x"] = [{"x": array.ravel().tolist(), "x_shape": array.shape} for array in more]
    if lengths is not None:
        data["lengths"] = lengths.tolist()
    path.write_text(json.dumps(data))
    return path


def samples(count=48, steps=6, features=3, seed=1):
    """Raw rows of very different sizes, and whether their first feature rises on the whole."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, steps, features)) * [1, 20, 300][:features] + [5, 0, 1000][:features]
    y = (x[:, -1, 0] + x[:, -2, 0] > x[:, 0, 0] + x[:, 1, 0]).astype("float32")
    return x.astype("float32"), y[:, None]


def assert_close(what, found, expected, tolerance):
    """|found - expected| <= tolerance max(1, |expected|) for every element; returns the largest ratio."""
    found, expected = np.asarray(found, "float64").ravel(), np.asarray(expected, "float64").ravel()
    assert found.shape == expected.shape, f"{what}: {found.size} values, not {expected.size}"
    assert np.isfinite(found).all() and np.isfinite(expected).all(), f"{what}: not finite"
    errors = np.abs(found - expected) / np.maximum(1, np.abs(expected)) if found.size else np.zeros(1)
    worst = int(errors.argmax())
    assert errors[worst] <= tolerance, f"{what}[{worst}]: {found[worst]} is not {expected[worst]} (off by {errors[worst]:.2e})"
    return float(errors[worst])
