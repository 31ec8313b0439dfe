#!/usr/bin/env python3
"""Races gatenorm against its peers: the same model, batch and arithmetic, one after the other in turns, medians of medians.

    python benches/peers/compare.py --configs seed small --burn /path/to/burn/binaries
    python benches/peers/compare.py --what infer
    python benches/peers/compare.py --device llvmpipe --configs seed --peers burn-wgsl

Run it with the Python that has the peers (README.md); what is not there is left out and named. Everything else on the machine
should be quiet. Prints Markdown: milliseconds of one training step (or call), and how gatenorm's time compares.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# The backend that each of burn's binaries is run with.
BURN = {"burn-wgsl": "wgpu", "burn-wgsl-fusion": "wgpu", "burn-cpu": "flex"}
PYTHON_PEERS = {"train": ["keras-jax", "torch", "keras-tf"], "infer": ["onnx"]}


def lines(command, **more):
    """The JSON lines that a command prints, or none where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode:
        print(f"left out: {' '.join(command[:3])}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ours(what, config, device):
    """gatenorm's milliseconds, by what was measured."""
    if what == "train":
        command = ["cargo", "bench", "-q", "--bench", "train_step", "--", "json", f"device={device}", config]
        return {"gatenorm": line["ms"] for line in lines(command, cwd=ROOT)}
    command = ["cargo", "bench", "-q", "--bench", "infer", "--", "json", f"device={device}"]
    return {f"gatenorm, {line['sequences']} at once": line["ms"] for line in lines(command, cwd=ROOT)}


def python_peer(peer, what, config, seconds):
    script = os.path.join(HERE, "python_peers.py")
    command = [sys.executable, script, "--backend", peer, "--configs", config, "--what", what, "--seconds", str(seconds)]
    wanted = {"train": "train_step", "infer": "infer_batch"}[what]
    found = [line for line in lines(command) if line["what"] == wanted]
    return {f"{peer}, {line['batch']} at once" if what == "infer" else peer: line["median_ms"] for line in found}


def burn_peer(folder, peer, what, config, seconds):
    backend = BURN[peer]
    command = [os.path.join(folder, peer), "--backend", backend, "--config", config, "--phase", what, "--seconds", str(seconds)]
    return {peer: line["ms_median"] for line in lines(command)}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--what", default="train", choices=["train", "infer"])
    ap.add_argument("--configs", nargs="+", default=["seed"], choices=["seed", "small", "medium", "large"])
    ap.add_argument("--device", default="cpu", help="gatenorm's, as its --device takes it")
    ap.add_argument("--peers", nargs="*", help="default: all that are there for the CPU; burn-wgsl, burn-wgsl-fusion and burn-cpu with --burn")
    ap.add_argument("--burn", metavar="DIR", help="where the binaries burn-wgsl, burn-wgsl-fusion and burn-cpu are")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=3.0, help="for each measurement of a peer")
    args = ap.parse_args()
    peers = args.peers
    if peers is None:
        peers = PYTHON_PEERS[args.what] + (["burn-cpu"] if args.burn else [])
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {args.rounds} rounds in turns\n")
    print("| size | side | ms, median | least | gatenorm's time is |\n| --- | --- | --- | --- | --- |")
    for config in args.configs:
        times = {}
        for _ in range(args.rounds):
            for found in [ours(args.what, config, args.device)] + [
                burn_peer(args.burn, peer, args.what, config, args.seconds)
                if peer.startswith("burn")
                else python_peer(peer, args.what, config, args.seconds)
                for peer in peers
            ]:
                for side, ms in found.items():
                    times.setdefault(side, []).append(ms)
        # Of inference, the same number of sequences at once.
        own = {side.removeprefix("gatenorm"): statistics.median(ms) for side, ms in times.items() if side.startswith("gatenorm")}
        for side, ms in times.items():
            median = statistics.median(ms)
            ours_of = own.get(side[side.find(",") :] if args.what == "infer" else "")
            ratio = "" if side.startswith("gatenorm") or not ours_of else f"{ours_of / median:.3f} x"
            print(f"| {config} | {side} | {median:.3f} | {min(ms):.3f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
