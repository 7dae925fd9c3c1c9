"""Outliers and mislabelled samples, in the manner of scikit-learn's outlier detectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import Dataset, Model, Table
from .errors import OptionError


class OutlierRanker:
    """Ranks samples by how strongly the loss reacts, and calls the foremost outliers.

    - `measure`: the column of `Model.score` that ranks: "fi", "grad_norm", "fi_lambda", ...; larger is more suspicious.
    - `contamination`: the share of samples called outliers, in (0, 0.5].
    - other keywords are `Model.score`'s.

    After fitting, `table_` has all measures, `scores_` the ranking one, `ranking_` the samples from the most to the
    least suspicious, `threshold_` the least score of an outlier.

    >>> import quaver
    >>> glyphs = quaver.demo.glyphs(500)
    >>> ranker = quaver.OutlierRanker(quaver.demo.model(), contamination=0.04)
    >>> found = ranker.fit_predict(glyphs.x, glyphs.y) == -1
    >>> bool((glyphs.truth[found] != "clean").mean() > 0.5)
    True
    """

    table_: Table
    scores_: NDArray[np.float64]
    ranking_: NDArray[np.int64]
    threshold_: float

    def __init__(self, model: Model, *, measure: str = "fi", contamination: float = 0.02, **score: Any) -> None:
        if not 0 < contamination <= 0.5:
            raise OptionError(f"contamination={contamination}: give a share above 0 and at most 0.5")
        self.model = model
        self.measure = measure
        self.contamination = contamination
        self.score = score

    def fit(self, X: ArrayLike | Dataset, y: ArrayLike | None = None) -> OutlierRanker:
        """Scores every sample for its label and ranks them."""
        table = self.model.score(X, y, **self.score)
        if self.measure not in table.columns:
            raise OptionError(f"measure '{self.measure}': there are {', '.join(table.columns)}")
        scores = np.asarray(table[self.measure])
        if scores.dtype.kind not in "if":
            raise OptionError(f"measure '{self.measure}' is text")
        if len(set(table["block"])) > 1:
            raise OptionError("wrt: outliers are ranked by one block")
        self.table_ = table
        self.scores_ = scores.astype(np.float64)
        # Stable, so that equals keep the order of the data.
        self.ranking_ = np.argsort(-self.scores_, kind="stable")
        n_outliers = max(1, round(self.contamination * len(scores)))
        self.threshold_ = float(self.scores_[self.ranking_[n_outliers - 1]])
        self._n_outliers = n_outliers
        return self

    def fit_predict(self, X: ArrayLike | Dataset, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """-1 for outliers and 1 for the rest, (N,), as scikit-learn's detectors have it."""
        self.fit(X, y)
        signs = np.ones(len(self.scores_), dtype=np.int64)
        signs[self.ranking_[: self._n_outliers]] = -1
        return signs

    def __repr__(self) -> str:
        return f"OutlierRanker({self.model!r}, measure={self.measure!r}, contamination={self.contamination})"
