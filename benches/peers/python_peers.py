#!/usr/bin/env python3
"""Times peers on LSTM -> BatchNorm -> LSTM -> BatchNorm -> Dense(1, sigmoid), BCE, Adam.

    python python_peers.py --backend keras-jax --configs seed small
    python python_peers.py --backend torch --device cuda --configs seed small medium large --tf32 both --compile both
    python python_peers.py --backend onnx --configs seed --seconds 1

Backends: keras-jax, keras-tf, torch (training and inference), onnx (onnxruntime, inference).
One JSON line per measurement. What is measured ("what"):
  train_step      forward + backward + Adam on one batch, waited for after every step; median
  train_on_batch  Keras' call of that name, per call; median
  fit_epoch       one whole epoch (Keras fit, or the usual PyTorch loop, without waiting after
                  each step), divided by its number of steps; median over epochs
  infer_batch     forward pass of one batch, waited for; median
  predict         Keras' predict over the data of one epoch, divided by its number of batches
The timed batch of train_step and infer_batch is on the device already; fit_epoch and predict
start from host arrays, and end with the partial batch where there is one (config seed).
"""
import argparse
import json
import os
import platform
import statistics
import sys
import time

CONFIGS = {
    # hidden sizes, time steps, features, batch, rows of an epoch
    "seed": dict(hidden=(64, 32), T=10, F=1, batch=32, rows=1000),
    "small": dict(hidden=(64, 32), T=100, F=8, batch=64, rows=64 * 16),
    "medium": dict(hidden=(128, 128), T=100, F=32, batch=128, rows=128 * 8),
    "large": dict(hidden=(512, 512), T=100, F=64, batch=128, rows=128 * 4),
}
BN_EPS, BN_MOMENTUM = 1e-3, 0.99
ADAM = dict(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7)


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--backend", required=True, choices=["keras-jax", "keras-tf", "torch", "onnx"])
    ap.add_argument("--configs", nargs="+", default=["seed"], choices=list(CONFIGS))
    ap.add_argument("--threads", type=int, default=2, help="CPU threads (also pins the process to as many cores)")
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda", "auto"])
    ap.add_argument("--seconds", type=float, default=5.0, help="time spent on each measurement, at least")
    ap.add_argument("--min-steps", type=int, default=10)
    ap.add_argument("--max-steps", type=int, default=2000)
    ap.add_argument("--warmup", type=int, default=5)
    ap.add_argument("--what", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    ap.add_argument("--tf32", default="off", choices=["off", "on", "both"], help="torch on cuda")
    ap.add_argument("--compile", default="off", choices=["off", "on", "both"], help="torch.compile")
    ap.add_argument("--compile-rnn", action="store_true", help="let torch.compile trace into nn.LSTM (slow to compile)")
    ap.add_argument("--compile-mode", default="default", choices=["default", "reduce-overhead", "max-autotune"])
    ap.add_argument("--fused-adam", default="off", choices=["off", "on", "both"], help="torch.optim.Adam(fused=True)")
    ap.add_argument("--cuda-graph", action="store_true", help="torch on cuda: also a whole training step captured in a CUDA graph")
    ap.add_argument("--tf-jit", default="auto", choices=["auto", "on", "off"], help="Keras' jit_compile with TensorFlow")
    return ap.parse_args()


ARGS = arguments()


def limit_threads():
    n = ARGS.threads
    for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[k] = str(n)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:n])


limit_threads()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402  (after the thread settings)


def data(cfg, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (cfg["rows"], cfg["T"], cfg["F"])).astype(np.float32)
    y = rng.integers(0, 2, (cfg["rows"], 1)).astype(np.float32)
    return x, y


def processor():
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def emit(config, what, times, samples, **extra):
    times = sorted(times)
    med = statistics.median(times)
    print(json.dumps(dict(
        backend=ARGS.backend, config=config, what=what, median_ms=round(med * 1e3, 5), min_ms=round(times[0] * 1e3, 5),
        p90_ms=round(times[min(len(times) - 1, int(0.9 * len(times)))] * 1e3, 5), n=len(times),
        samples_per_s=round(samples / med, 1), batch=extra.pop("batch", CONFIGS[config]["batch"]), threads=ARGS.threads, dtype="float32", **extra,
    )), flush=True)


def repeat(fn, least=None):
    """Times fn() until --seconds have gone by; fn must wait for its own result."""
    for _ in range(ARGS.warmup):
        fn()
    least = least or ARGS.min_steps
    times, end = [], time.perf_counter() + ARGS.seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < ARGS.max_steps):
        t = time.perf_counter()
        fn()
        times.append(time.perf_counter() - t)
    return times


def per_step(times, steps):
    return [t / steps for t in times]


# Keras --------------------------------------------------------------------------------
def run_keras(which):
    os.environ["KERAS_BACKEND"] = which
    if ARGS.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if which == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(ARGS.threads)
        tf.config.threading.set_inter_op_parallelism_threads(ARGS.threads)
        device = "cuda" if tf.config.list_physical_devices("GPU") else "cpu"
        versions = dict(tensorflow=tf.__version__)
    else:
        import jax

        device = "cuda" if jax.default_backend() == "gpu" else "cpu"
        versions = dict(jax=jax.__version__)
    import keras

    versions["keras"] = keras.__version__
    jit = {"auto": "auto", "on": True, "off": False}[ARGS.tf_jit] if which == "tensorflow" else "auto"
    for name in ARGS.configs:
        cfg = CONFIGS[name]
        x, y = data(cfg)
        keras.utils.set_random_seed(0)
        L = keras.layers
        model = keras.Sequential([
            L.Input((cfg["T"], cfg["F"])), L.LSTM(cfg["hidden"][0], return_sequences=True), L.BatchNormalization(),
            L.LSTM(cfg["hidden"][1]), L.BatchNormalization(), L.Dense(1, activation="sigmoid"),
        ])
        model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"], jit_compile=jit)
        info = dict(device=device, hardware=processor() if device == "cpu" else "gpu", versions=versions, jit_compile=bool(model.jit_compile))
        b = cfg["batch"]
        steps = -(-cfg["rows"] // b)
        xb, yb = x[:b], y[:b]
        if "train" in ARGS.what:
            fit = lambda: model.fit(x, y, batch_size=b, epochs=1, verbose=0)
            t0 = time.perf_counter()
            fit()
            first = time.perf_counter() - t0
            times = repeat_epochs(fit)
            emit(name, "fit_epoch", per_step(times, steps), cfg["rows"] / steps, steps_per_epoch=steps, first_epoch_s=round(first, 3), **info)
            if which == "jax":
                import jax

                dx, dy = jax.device_put(xb), jax.device_put(yb)
                model.make_train_function()
                box = [model._get_jax_state(trainable_variables=True, non_trainable_variables=True, optimizer_variables=True, metrics_variables=True, purge_model_variables=True)]

                def step():
                    _, box[0] = model.train_function(box[0], iter([(dx, dy)]))
                    jax.block_until_ready(box[0])

                times = repeat(step)
                tv, ntv, ov, mv = box[0]
                model._jax_state = dict(trainable_variables=tv, non_trainable_variables=ntv, optimizer_variables=ov, metrics_variables=mv)
                model._jax_state_synced = False
                model.jax_state_sync()
                emit(name, "train_step", times, b, **info)
            else:
                import tensorflow as tf

                ds = tf.data.Dataset.from_tensors((tf.constant(xb), tf.constant(yb))).repeat()
                it = iter(ds)
                model.make_train_function()
                wait = lambda logs: [float(v) for v in logs.values()]
                emit(name, "train_step", repeat(lambda: wait(model.train_function(it))), b, **info)
            emit(name, "train_on_batch", repeat(lambda: model.train_on_batch(xb, yb)), b, **info)
        if "infer" in ARGS.what:
            if which == "jax":
                import jax

                tv, ntv = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
                f = jax.jit(lambda tv, ntv, q: model.stateless_call(tv, ntv, q, training=False)[0])
                dx = jax.device_put(xb)
                emit(name, "infer_batch", repeat(lambda: jax.block_until_ready(f(tv, ntv, dx))), b, **info)
            else:
                import tensorflow as tf

                f = tf.function(lambda q: model(q, training=False), jit_compile=bool(model.jit_compile))
                dx = tf.constant(xb)
                emit(name, "infer_batch", repeat(lambda: f(dx).numpy()), b, **info)
            emit(name, "predict", per_step(repeat_epochs(lambda: model.predict(x, batch_size=b, verbose=0)), steps), cfg["rows"] / steps, **info)


def repeat_epochs(fn, warm=1):
    for _ in range(warm):
        fn()
    times, end = [], time.perf_counter() + ARGS.seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 200):
        t = time.perf_counter()
        fn()
        times.append(time.perf_counter() - t)
    return times


# PyTorch ------------------------------------------------------------------------------
def torch_net(cfg):
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            a, b = cfg["hidden"]
            self.l1 = torch.nn.LSTM(cfg["F"], a, batch_first=True)
            self.n1 = torch.nn.BatchNorm1d(a, eps=BN_EPS, momentum=1 - BN_MOMENTUM)
            self.l2 = torch.nn.LSTM(a, b, batch_first=True)
            self.n2 = torch.nn.BatchNorm1d(b, eps=BN_EPS, momentum=1 - BN_MOMENTUM)
            self.d = torch.nn.Linear(b, 1)

        def forward(self, x):
            h, _ = self.l1(x)
            h = self.n1(h.transpose(1, 2)).transpose(1, 2)
            h, _ = self.l2(h)
            return self.d(self.n2(h[:, -1]))

    return Net()


def both(flag):
    return {"off": [False], "on": [True], "both": [False, True]}[flag]


def run_torch():
    import torch

    torch.set_num_threads(ARGS.threads)
    cuda = ARGS.device != "cpu" and torch.cuda.is_available()
    if ARGS.device == "cuda" and not cuda:
        sys.exit("no CUDA device for PyTorch here")
    dev = torch.device("cuda" if cuda else "cpu")
    wait = torch.cuda.synchronize if cuda else (lambda: None)
    hardware = torch.cuda.get_device_name() if cuda else processor()
    versions = dict(torch=torch.__version__)
    if cuda:
        versions["cudnn"] = torch.backends.cudnn.version()
    if ARGS.compile_rnn:
        import torch._dynamo

        torch._dynamo.config.allow_rnn = True
    for name in ARGS.configs:
        cfg = CONFIGS[name]
        x, y = (torch.from_numpy(v) for v in data(cfg))
        b = cfg["batch"]
        steps = -(-cfg["rows"] // b)
        dx, dy = x[:b].to(dev), y[:b].to(dev)
        for tf32 in both(ARGS.tf32) if cuda else [False]:
            torch.backends.cuda.matmul.allow_tf32 = tf32
            torch.backends.cudnn.allow_tf32 = tf32
            for comp in both(ARGS.compile):
                for fused in both(ARGS.fused_adam):
                    torch.manual_seed(0)
                    net = torch_net(cfg).to(dev).train()
                    kw = dict(capturable=True) if ARGS.cuda_graph and cuda else {}
                    opt = torch.optim.Adam(net.parameters(), lr=ADAM["lr"], betas=(ADAM["beta1"], ADAM["beta2"]), eps=ADAM["eps"], fused=True if fused else None, **kw)
                    bce = torch.nn.BCEWithLogitsLoss()
                    model = torch.compile(net, mode=ARGS.compile_mode) if comp else net
                    info = dict(device=dev.type, hardware=hardware, versions=versions, tf32=tf32, compile=comp, fused_adam=fused)
                    if comp:
                        info.update(compile_mode=ARGS.compile_mode, compile_rnn=ARGS.compile_rnn)

                    def step(bx, by):
                        opt.zero_grad(set_to_none=True)
                        loss = bce(model(bx), by)
                        loss.backward()
                        opt.step()
                        return loss

                    def waited():
                        step(dx, dy)
                        wait()

                    def epoch():
                        order = torch.randperm(len(x))
                        total = torch.zeros((), device=dev)
                        for k in range(0, len(x), b):
                            ids = order[k : k + b]
                            loss = step(x[ids].to(dev, non_blocking=True), y[ids].to(dev, non_blocking=True))
                            total += loss.detach() * len(ids)
                        return float(total) / len(x)

                    if cuda:
                        torch.cuda.reset_peak_memory_stats()
                    if "train" in ARGS.what:
                        t0 = time.perf_counter()
                        waited()
                        first = time.perf_counter() - t0
                        emit(name, "train_step", repeat(waited), b, first_step_s=round(first, 3), **info)
                        emit(name, "fit_epoch", per_step(repeat_epochs(epoch), steps), cfg["rows"] / steps, steps_per_epoch=steps, **info)
                        if ARGS.cuda_graph and cuda and not comp:
                            graph_step(torch, name, step, dx, dy, wait, b, info)
                    if "infer" in ARGS.what:
                        net.eval()
                        with torch.inference_mode():

                            def infer():
                                torch.sigmoid(model(dx))
                                wait()

                            def whole():
                                return [torch.sigmoid(model(x[k : k + b].to(dev, non_blocking=True))).cpu() for k in range(0, len(x), b)]

                            emit(name, "infer_batch", repeat(infer), b, **info)
                            emit(name, "predict", per_step(repeat_epochs(whole), steps), cfg["rows"] / steps, **info)
                        net.train()
                    if cuda:
                        print(json.dumps(dict(backend="torch", config=name, what="peak_memory", mib=round(torch.cuda.max_memory_allocated() / 2**20, 1), tf32=tf32, compile=comp)), flush=True)


def graph_step(torch, name, step, dx, dy, wait, b, info):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(dx, dy)
    torch.cuda.current_stream().wait_stream(side)
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        step(dx, dy)

    def replay():
        g.replay()
        wait()

    emit(name, "train_step", repeat(replay), b, cuda_graph=True, **info)


# onnxruntime --------------------------------------------------------------------------
def weights(cfg, seed=0):
    """Keras layouts, gate order i, f, c, o."""
    rng = np.random.default_rng(seed)
    u = lambda *s: (rng.uniform(-1, 1, s) * np.sqrt(3 / s[0])).astype(np.float32)
    w, f = [], cfg["F"]
    for h in cfg["hidden"]:
        w.append(dict(kernel=u(f, 4 * h), recurrent=u(h, 4 * h), bias=np.repeat(np.float32([0, 1, 0, 0]), h),
                      gamma=rng.uniform(0.5, 1.5, h), beta=rng.normal(0, 0.3, h), mean=rng.normal(0, 0.3, h), var=rng.uniform(0.3, 1.5, h)))
        f = h
    return w, u(f, 1), np.zeros(1, np.float32)


def fold(l):
    scale = l["gamma"] / np.sqrt(l["var"] + BN_EPS)
    return scale.astype(np.float32), (l["beta"] - l["mean"] * scale).astype(np.float32)


def onnx_model(cfg, ws):
    """LSTM is one node (gate order i, o, f, c); inference-time BN is one Mul and one Add."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    inits, nodes = [], []
    put = lambda n, a: (inits.append(numpy_helper.from_array(np.ascontiguousarray(a), n)), n)[1]

    def order(a):
        i, f, c, o = np.split(a, 4, -1)
        return np.concatenate([i, o, f, c], -1)

    layers, dk, db = ws
    nodes.append(helper.make_node("Transpose", ["x"], ["h0"], perm=[1, 0, 2]))
    ax1, ax0 = put("ax1", np.array([1], np.int64)), put("ax0", np.array([0], np.int64))
    for k, l in enumerate(layers):
        h = l["recurrent"].shape[0]
        W = put(f"W{k}", order(l["kernel"]).T[None])
        R = put(f"R{k}", order(l["recurrent"]).T[None])
        B = put(f"B{k}", np.concatenate([order(l["bias"]), np.zeros(4 * h, np.float32)])[None])
        last = k == len(layers) - 1
        nodes.append(helper.make_node("LSTM", [f"h{k}", W, R, B], ["", f"y{k}"] if last else [f"y{k}"], hidden_size=h))
        nodes.append(helper.make_node("Squeeze", [f"y{k}", ax0 if last else ax1], [f"s{k}"]))
        sc, sh = fold(l)
        nodes.append(helper.make_node("Mul", [f"s{k}", put(f"scale{k}", sc)], [f"m{k}"]))
        nodes.append(helper.make_node("Add", [f"m{k}", put(f"shift{k}", sh)], [f"h{k + 1}"]))
    nodes.append(helper.make_node("Gemm", [f"h{len(layers)}", put("dk", dk), put("db", db)], ["z"]))
    nodes.append(helper.make_node("Sigmoid", ["z"], ["p"]))
    g = helper.make_graph(
        nodes, "lstm_bn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", cfg["T"], cfg["F"]])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 1])], inits,
    )
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)])
    m.ir_version = 9
    onnx.checker.check_model(m)
    return m.SerializeToString()


def reference(ws, x):
    layers, dk, db = ws
    s = lambda z: 1 / (1 + np.exp(-z))
    h = x.astype(np.float64)
    for k, l in enumerate(layers):
        u = l["recurrent"].shape[0]
        hh = cc = np.zeros((len(h), u))
        ys = []
        for t in range(h.shape[1]):
            i, f, g, o = np.split(h[:, t] @ l["kernel"] + hh @ l["recurrent"] + l["bias"], 4, -1)
            cc = s(f) * cc + s(i) * np.tanh(g)
            hh = s(o) * np.tanh(cc)
            ys.append(hh)
        sc, sh = fold(l)
        h = (hh if k == len(layers) - 1 else np.stack(ys, 1)) * sc + sh
    return s(h @ dk + db)


def run_onnx():
    import onnxruntime as ort

    opts = ort.SessionOptions()
    opts.intra_op_num_threads = ARGS.threads
    opts.inter_op_num_threads = 1
    want = ["CUDAExecutionProvider"] if ARGS.device != "cpu" else []
    providers = [p for p in want if p in ort.get_available_providers()] + ["CPUExecutionProvider"]
    for name in ARGS.configs:
        cfg = CONFIGS[name]
        x, _ = data(cfg)
        ws = weights(cfg)
        sess = ort.InferenceSession(onnx_model(cfg, ws), opts, providers=providers)
        b = cfg["batch"]
        xb = np.ascontiguousarray(x[:b])
        err = float(np.max(np.abs(sess.run(None, {"x": xb[:4]})[0] - reference(ws, xb[:4]))))
        info = dict(device=sess.get_providers()[0], hardware=processor(), versions=dict(onnxruntime=ort.__version__), max_abs_error=err)
        one = xb[:1]
        emit(name, "infer_batch", repeat(lambda: sess.run(None, {"x": one})), 1, batch=1, **info)
        emit(name, "infer_batch", repeat(lambda: sess.run(None, {"x": xb})), b, **info)
        whole = lambda: [sess.run(None, {"x": x[k : k + b]}) for k in range(0, len(x), b)]
        steps = -(-cfg["rows"] // b)
        emit(name, "predict", per_step(repeat_epochs(whole), steps), cfg["rows"] / steps, **info)


if __name__ == "__main__":
    {"keras-jax": lambda: run_keras("jax"), "keras-tf": lambda: run_keras("tensorflow"), "torch": run_torch, "onnx": run_onnx}[ARGS.backend]()
