"""Outliers and mislabelled samples, in the manner of scikit-learn's outlier detectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import Dataset, Model, Table
from ._optional import need
from .errors import OptionError


class OutlierRanker:
    """Ranks samples by how strongly the loss reacts, and calls the foremost outliers.

    - `measure`: the column of `Model.score` that ranks: "fi", "grad_norm", "fi_lambda", ...; larger is more suspicious.
    - `contamination`: the share of samples called outliers, in (0, 0.5].
    - other keywords are `Model.score`'s.

    It has what scikit-learn asks of an estimator: it can be cloned, be the last step of a pipeline (`fit_predict` with
    labels), and has its parameters by name.

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

    def __init__(self, model: Model, *, measure: str = "fi", contamination: float = 0.02, **score_options: Any) -> None:
        _check(contamination)
        self.model = model
        self.measure = measure
        self.contamination = contamination
        self.score_options = score_options

    def fit(self, X: ArrayLike | Dataset, y: ArrayLike | None = None) -> OutlierRanker:
        """Scores every sample for its label and ranks them."""
        _check(self.contamination)
        table = self.model.score(X, y, **self.score_options)
        if self.measure not in table.columns:
            raise OptionError(f"measure '{self.measure}': there are {', '.join(table.columns)}")
        scores = np.asarray(table[self.measure])
        if scores.dtype.kind not in "if":
            raise OptionError(f"measure '{self.measure}' is text")
        if len(set(table["block"]) - {None}) > 1:
            raise OptionError("wrt: outliers are ranked by one block")
        self.table_ = table
        self.scores_ = scores.astype(np.float64)
        # Stable, so that equals keep the order of the data; what could not be scored (NaN) comes last.
        self.ranking_ = np.argsort(-self.scores_, kind="stable")
        n_scored = int((~np.isnan(self.scores_)).sum())
        self._n_outliers = min(n_scored, max(1, round(self.contamination * len(scores))))
        self.threshold_ = float(self.scores_[self.ranking_[self._n_outliers - 1]])
        return self

    def fit_predict(self, X: ArrayLike | Dataset, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """-1 for outliers and 1 for the rest, (N,), as scikit-learn's detectors have it."""
        self.fit(X, y)
        signs = np.ones(len(self.scores_), dtype=np.int64)
        signs[self.ranking_[: self._n_outliers]] = -1
        return signs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What it was made with, by name; scikit-learn clones, searches and prints estimators by this."""
        return {"model": self.model, "measure": self.measure, "contamination": self.contamination, **self.score_options}

    def set_params(self, **params: Any) -> OutlierRanker:
        """Changes what it was made with. Fit it again after that."""
        for name, value in params.items():
            if name in ("model", "measure", "contamination"):
                setattr(self, name, value)
            else:
                self.score_options[name] = value
        return self

    def __sklearn_clone__(self) -> OutlierRanker:
        # The network is shared: it does not change, and may be large.
        return OutlierRanker(**self.get_params())

    def __sklearn_tags__(self) -> Any:
        tags = need("sklearn.utils", "sklearn", "scikit-learn's tags")
        return tags.Tags(
            estimator_type="outlier_detector",
            target_tags=tags.TargetTags(required=self.score_options.get("label", "true") == "true"),
            input_tags=tags.InputTags(three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "scores_")

    def __repr__(self) -> str:
        more = "".join(f", {name}={value!r}" for name, value in self.score_options.items())
        return f"OutlierRanker({self.model!r}, measure={self.measure!r}, contamination={self.contamination}{more})"


def _check(contamination: float) -> None:
    if not 0 < contamination <= 0.5:
        raise OptionError(f"contamination={contamination}: give a share above 0 and at most 0.5")
