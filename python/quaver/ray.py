"""Scoring Ray datasets.

    import ray, quaver.ray
    data = ray.data.read_parquet("samples/")            # columns id, x, y
    quaver.ray.score(data, "model.onnx", id="id").write_parquet("scores/")

A worker that dies is started again and its batches are done again: nothing is lost, and no row is there twice. A run
that ended early goes on where it stopped with `done="scores/"`.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from ._native import Model
from ._optional import need
from .batches import Scorer
from .errors import OptionError


class Actor:
    """A `Scorer` in a Ray actor: the model is read once in each."""

    def __init__(self, model: Any, options: dict[str, Any]) -> None:
        self.scorer = Scorer(model, **options)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        scores = self.scorer.arrays(batch)
        # Arrow has no column of mixed objects: text with gaps is a list with None.
        return {name: _texts(column) if column.dtype == object else column for name, column in scores.items()}


def _texts(column: Any) -> Any:
    return np.array([None if cell is None else str(cell) for cell in column], dtype=object)


def score(
    dataset: Any,
    model: Model | str,
    *,
    id: str | None = None,
    done: str | pathlib.Path | None = None,
    batch_size: int = 256,
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    actor: type[Actor] = Actor,
    actor_args: tuple[Any, ...] = (),
    **options: Any,
) -> Any:
    """A Ray dataset of scores, lazily: a row per sample and block, as `Model.score` has them.

    - `dataset`: samples in the column `x`, labels in `y` (`Scorer`'s options rename them); all other columns go along.
    - `id`: the column that tells rows apart; Ray keeps no order that would.
    - `done`: a folder of Parquet files with scores of an earlier run; rows whose `id` is there are left out.
    - `batch_size`: samples a worker takes at once; results do not depend on it.
    - `concurrency`: actors, one number or (least, most); default: from one to one per core of the cluster.
    - `num_cpus`: cores that Ray reserves for an actor; `threads` (default 1) is how many it uses.
    - `actor`, `actor_args`: a subclass of `Actor` with more to do, and what it takes besides.
    - other keywords are `Scorer`'s and `Model.score`'s.
    """
    ray = need("ray", "ray", "quaver.ray")
    need("ray.data", "ray", "quaver.ray")
    loaded = model if isinstance(model, Model) else Model(model)
    # Complains about options here, and not in a worker.
    Scorer(loaded, **options)
    if done is not None:
        if id is None:
            raise OptionError("done: name the column that tells rows apart (id)")
        dataset = _left(dataset, id, pathlib.Path(done))
    if concurrency is None:
        if not ray.is_initialized():
            ray.init()
        concurrency = (1, max(1, int(ray.cluster_resources().get("CPU", 1) / num_cpus)))
    strategy = ray.data.ActorPoolStrategy(
        **({"size": concurrency} if isinstance(concurrency, int) else {"min_size": concurrency[0], "max_size": concurrency[1]})
    )
    return dataset.map_batches(
        actor,
        fn_constructor_args=(loaded, options, *actor_args),
        batch_size=batch_size,
        batch_format="numpy",
        zero_copy_batch=True,
        compute=strategy,
        num_cpus=num_cpus,
        max_restarts=-1,
        max_task_retries=-1,
    )


def _left(dataset: Any, id: str, done: pathlib.Path) -> Any:
    """The rows whose id is in none of the Parquet files under `done`."""
    files = sorted(done.rglob("*.parquet")) if done.exists() else []
    if not files:
        return dataset
    parquet = need("pyarrow.parquet", "arrow", "done")
    ids = np.unique(np.concatenate([parquet.read_table(file, columns=[id])[id].to_numpy() for file in files]))

    def left(batch: dict[str, Any]) -> dict[str, Any]:
        rows = ~np.isin(batch[id], ids)
        return {name: np.asarray(column)[rows] for name, column in batch.items()}

    return dataset.map_batches(left, batch_format="numpy")
