"""Scoring by batches, for whoever hands them out: Ray, Dask, Spark.

A `Scorer` is a picklable function from a batch to its scores. It carries the ONNX file, loads it once in every process,
and works in one thread unless told otherwise, so that as many of them as there are cores share a machine. Rows do not
depend on how the data were cut into batches.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import Model
from ._optional import need
from .errors import DataError, OptionError

# Positions in a batch say nothing about the data.
DROPPED = ("index",)


class Scorer:
    """Scores batches: dicts of NumPy arrays, or pandas data frames, whichever comes.

    - `model`: a model, or the path of an ONNX file.
    - `x`: the column of samples; `y`: that of labels, or None. In a data frame a sample is a cell that holds a list or
      an array, or `x` is a list of columns with a number each.
    - `keep`: columns that go along with the scores (default: all but the samples).
    - `threads` and the keywords of `Model.score`.

    A batch of N rows gives N rows for every perturbed block, in order; a sample that cannot be scored is one row with an
    `error`.

    >>> import pickle, quaver
    >>> from quaver.batches import Scorer
    >>> glyphs = quaver.demo.glyphs(6)
    >>> scorer = pickle.loads(pickle.dumps(Scorer(quaver.demo.model(), keep=["id"])))
    >>> scores = scorer({"id": [10, 11, 12, 13, 14, 15], "x": glyphs.x, "y": glyphs.y})
    >>> scores["id"], scores["fi"].shape
    (array([10, 11, 12, 13, 14, 15]), (6,))
    """

    def __init__(
        self,
        model: Any,
        *,
        x: str | list[str] = "x",
        y: str | None = "y",
        keep: list[str] | None = None,
        threads: int = 1,
        **score: Any,
    ) -> None:
        if not isinstance(model, Model):
            model = Model(model)
        allowed = [name for name in inspect.signature(Model.score).parameters if name not in ("self", "x", "y")]
        for name in score:
            if name not in allowed:
                raise OptionError(f"'{name}' is no option of a Scorer; there are {', '.join(allowed)}")
        # Targets belong to all samples, a batch is some of them; a batch goes on where a sample fails.
        for name in ("progress", "strict", "targets"):
            if name in score:
                raise OptionError(f"'{name}' is no option of a Scorer")
        # The label has to be known before the first batch: what is missing is told now and not on a worker.
        if y is None and score.get("label", "true") == "true":
            raise OptionError("y=None: the objective needs labels; name their column or use label='predicted'")
        self.model: Model = model
        self.x = x
        self.y = y
        self.keep = keep
        self.threads = threads
        self.options = score
        # What is perturbed is named by the model: a mistake is told here too.
        model.blocks(score.get("wrt", "input"))

    def __call__(self, batch: Any) -> Any:
        """The scores of a batch, in the batch's own form."""
        if isinstance(batch, Mapping):
            return self.arrays(batch)
        pandas = need("pandas", "pandas", "a data frame")
        return pandas.DataFrame(self.arrays({name: batch[name].to_numpy() for name in batch.columns}))

    def arrays(self, batch: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """The scores of a dict of arrays."""
        samples = [self.x] if isinstance(self.x, str) else self.x
        for name in (*samples, *([] if self.y is None else [self.y]), *(self.keep or [])):
            if name not in batch:
                raise DataError(f"no column '{name}' in the batch; there are {', '.join(map(str, batch))}")
        kept = [name for name in batch if name not in samples] if self.keep is None else self.keep
        labels = None if self.y is None else np.asarray(batch[self.y])
        x = self._samples(batch)
        if len(x) == 0:
            # An empty batch has columns all the same: those of a sample that does not count.
            one = self._scores(np.zeros((1, *self.model.input_shape), dtype=np.float32), np.zeros(1, dtype=np.int64))
            one = {name: column[:0] for name, column in one.items()}
            return {**{name: np.asarray(batch[name])[:0] for name in kept}, **one}
        scores = self._scores(x, labels)
        rows = scores.pop("index")
        # A kept column goes first; one of the same name as a column of scores stands for it.
        columns = {name: np.asarray(batch[name])[rows] for name in kept}
        return {**columns, **{name: column for name, column in scores.items() if name not in columns}}

    def _scores(self, x: NDArray[Any], labels: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
        options = dict(self.options)
        try:
            table = self.model.score(x, labels, threads=self.threads, progress=False, **options)
        except DataError as error:
            if not str(error).startswith("none of the "):
                raise
            # A batch in which nothing can be scored is a batch of errors: other batches are not affected.
            good = np.zeros((1, *self.model.input_shape), dtype=np.float32)
            x = np.concatenate([np.asarray(x, dtype=np.float64), good])
            labels = None if labels is None else np.concatenate([labels, np.zeros(1, dtype=labels.dtype)])
            table = self.model.score(x, labels, threads=self.threads, progress=False, **options)
            keep = table["index"] < len(x) - 1
            return {name: column[keep] for name, column in table.to_dict().items()}
        return dict(table.to_dict())

    def _samples(self, batch: Mapping[str, Any]) -> NDArray[Any]:
        if not isinstance(self.x, str):
            return np.stack([np.asarray(batch[name]) for name in self.x], axis=1)
        samples = np.asarray(batch[self.x])
        if samples.dtype == object and any(isinstance(cell, str) for cell in samples):
            raise DataError(
                f"the cells of column '{self.x}' are text and no samples; Dask makes text of lists unless it is told not to: "
                'dask.config.set({"dataframe.convert-string": False})'
            )
        if samples.dtype == object:
            # Cells that hold a sample each, as data frames and ragged batches have them.
            shape = (-1, *self.model.input_shape)
            samples = np.array([np.asarray(list(cell), dtype=np.float64).reshape(-1) for cell in samples])
            samples = samples.reshape(shape)
        return samples

    def map_in_pandas(self, batches: Iterable[Any]) -> Iterator[Any]:
        """For `pyspark.sql.DataFrame.mapInPandas`: data frames in, data frames out."""
        for batch in batches:
            yield self(batch)

    def example(self) -> Any:
        """An empty data frame with the columns of the scores: Dask's `meta`, and where a schema is read off."""
        pandas = need("pandas", "pandas", "example")
        one = self._scores(np.zeros((1, *self.model.input_shape), dtype=np.float32), np.zeros(1, dtype=np.int64))
        return pandas.DataFrame({name: column[:0] for name, column in one.items() if name not in DROPPED})
