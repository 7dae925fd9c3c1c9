"""Scoring Dask data frames."""

from __future__ import annotations

from typing import Any

from ._optional import need
from .batches import Scorer


def score(frame: Any, model: Any, **options: Any) -> Any:
    """A Dask data frame of scores, lazily, partition by partition: `Scorer`'s options."""
    pandas = need("pandas", "dask", "quaver.dask")
    need("dask.dataframe", "dask", "quaver.dask")
    scorer = Scorer(model, **options)
    samples = [scorer.x] if isinstance(scorer.x, str) else scorer.x
    kept = [name for name in frame.columns if name not in samples] if scorer.keep is None else scorer.keep
    scores = scorer.example()
    columns = {name: frame._meta[name] for name in kept}
    meta = pandas.DataFrame({**columns, **{name: scores[name] for name in scores if name not in columns}})
    # A column of objects that are all missing, as those of errors are, has no type that a file could be written with.
    texts = {name: "string" for name in scores if name not in columns and scores[name].dtype.kind not in "biuf"}
    return frame.map_partitions(scorer, meta=meta).astype(texts)
