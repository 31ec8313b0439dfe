"""All checks against the real Keras; started by `run`."""

import os
import shutil
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import callbacks
import common
import compiled
import from_here
import from_keras
import functional
import layers
import refused
import weight_args

# Keras warns of models that are saved unbuilt or with classes of one's own: they are meant.
warnings.simplefilter("ignore")
if len(sys.argv) != 2:
    sys.exit("usage: main.py PROGRAM; start it with tests/interop/run")
for part in [from_here, from_keras, compiled, functional, layers, refused, callbacks]:
    part.checks()
weight_args.checks()
shutil.rmtree(common.FOLDER, ignore_errors=True)
common.finish()
