"""What Python adds: `m.grams` on an array beside the same work without Python.

    python python/bench/grams.py MODEL.onnx [--samples 512] [--threads 1] [--wrt input]

Writes the same samples to an .npy file and has both read them from memory and from the file; the command line's rate,
`quaver score MODEL FILE --label predicted -v`, is the library's. Prints samples per second, best of `--repeat` runs after
one that warms up.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import tempfile
import time

import numpy as np

import quaver


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="ONNX file, or 'demo'")
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--wrt", default="input")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    model = quaver.demo.model() if args.model == "demo" else quaver.load(args.model)
    x = np.random.default_rng(0).random((args.samples, *model.input_shape), dtype=np.float32)

    def rate(run) -> float:
        times = []
        for _ in range(args.repeat + 1):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return args.samples / min(times[1:])

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.npy"
        np.save(path, x)
        data = quaver.open(path, model=model)
        how = {"threads": args.threads, "progress": False}
        rates = {
            "grams, array": rate(lambda: model.grams(x, wrt=args.wrt, **how)),
            # The library's own dataset: nothing of Python is between it and the network.
            "grams, file": rate(lambda: model.grams(data, wrt=args.wrt, **how)),
            "score, array": rate(lambda: model.score(x, wrt=args.wrt, label="predicted", **how)),
        }
    print(json.dumps({"samples_per_s": rates, "array over file": rates["grams, array"] / rates["grams, file"]}))


if __name__ == "__main__":
    main()
