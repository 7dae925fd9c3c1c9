"""How scoring by Ray Data scales with workers, and what it costs beside a single process.

    python bench/ray_scaling.py MODEL.onnx --samples 20000 --workers 1 2 4 8

Prints one JSON object per line: {"how": ..., "workers": ..., "samples_per_s": ...}. Every figure is the best of
`--repeat` runs after one that warms up (actors started, model read). Rows are compared with the single process's.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import ray

import quaver
import quaver.ray


def best(run, repeat: int) -> float:
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="ONNX file, or 'demo'")
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    model = quaver.demo.model() if args.model == "demo" else quaver.load(args.model)
    x = np.random.default_rng(0).random((args.samples, *model.input_shape), dtype=np.float32)
    ids = np.arange(args.samples)

    def report(how: str, workers: int, seconds: float) -> None:
        print(json.dumps({"how": how, "workers": workers, "samples_per_s": args.samples / seconds}), flush=True)

    expected = model.score(x, label="predicted", progress=False)
    for workers in args.workers:
        report("threads", workers, best(lambda: model.score(x, label="predicted", threads=workers, progress=False), args.repeat))
    ray.init(num_cpus=max(args.workers) + 1, include_dashboard=False, log_to_driver=False)
    data = ray.data.from_numpy(x).rename_columns({"data": "x"}).zip(ray.data.from_numpy(ids).rename_columns({"data": "id"}))
    data = data.repartition(max(8, 4 * max(args.workers))).materialize()
    for workers in args.workers:
        def run() -> None:
            scores = quaver.ray.score(
                data, model, y=None, label="predicted", batch_size=args.batch_size, concurrency=workers
            ).materialize()
            if scores.count() != args.samples:
                raise SystemExit("rows were lost")
        report("ray", workers, best(run, args.repeat))
    frame = quaver.ray.score(data, model, y=None, label="predicted", batch_size=args.batch_size).to_pandas()
    if not np.array_equal(frame.sort_values("id")["fi"].to_numpy(), expected["fi"]):
        raise SystemExit("rows differ from those of a single process")


if __name__ == "__main__":
    main()
