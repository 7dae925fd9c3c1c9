"""What Python adds: `m.grams` on an array beside the same work of the Rust library.

    cargo build --release --locked --workspace --example grams
    python python/bench/grams.py MODEL.onnx ... --library target/release/examples/grams [--samples 512] [--threads 1]

The library's rate is that of `crates/quaver/examples/grams.rs`: class Grams of the input of samples in memory, with nothing of Python
in the process. Beside it `m.grams` on a float32 array, and on an .npy file. Rounds alternate, so that a slower moment of the machine
meets all alike; prints a JSON object a network with samples per second (best round of `--repeat`, each after one that warms up) and
the ratio that is to be 0.95 or more.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable

import numpy as np

import quaver


def library_rate(example: str, model: pathlib.Path, samples: int, threads: int) -> float:
    """Samples per second of the Rust library, reading and compiling the network not counted: one run after one that warms up."""
    arguments = [example, model, str(samples), str(threads), "1"]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return float(result.stdout.split()[0])


def measured(name: str, args: argparse.Namespace, folder: pathlib.Path) -> dict[str, object]:
    model = quaver.demo.model() if name == "demo" else quaver.load(name)
    file = folder / "model.onnx"
    file.write_bytes(model.__reduce__()[1][0])
    x = np.random.default_rng(0).random((args.samples, *model.input_shape), dtype=np.float32)
    path = folder / "x.npy"
    np.save(path, x)
    data = quaver.open(path, model=model)
    how = {"threads": args.threads, "progress": False}

    def timed(samples: object) -> Callable[[], float]:
        def rate() -> float:
            model.grams(samples, **how)
            start = time.perf_counter()
            model.grams(samples, **how)
            return args.samples / (time.perf_counter() - start)

        return rate

    ways = {
        "library": lambda: library_rate(args.library, file, args.samples, args.threads),
        "array": timed(x),
        "file": timed(data),
    }
    rates = {way: 0.0 for way in ways}
    for _ in range(args.repeat):
        for way, rate in ways.items():
            rates[way] = max(rates[way], rate())
    ratio = rates["array"] / rates["library"]
    return {"network": name, "threads": args.threads, "samples_per_s": rates, "array over library": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="ONNX files, or 'demo'")
    parser.add_argument("--library", default="target/release/examples/grams", help="the example of the Rust library")
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    for name in args.models:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(name, args, pathlib.Path(folder))), flush=True)


if __name__ == "__main__":
    main()
