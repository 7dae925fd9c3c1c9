"""Data with outliers of which it is known where they are: to train on, or to see whether a network notices.

>>> import quaver
>>> glyphs = quaver.demo.glyphs(100, mislabelled=0, overlaid=0)
>>> made = quaver.simulate.overlay(glyphs.x, glyphs.y, n_outliers=10)
>>> made.x.shape, int(made.truth.sum())
((110, 1, 28, 28), 10)
>>> found = quaver.outliers(quaver.demo.model(), made.x, made.y, truth=made.truth)
>>> found.n_outliers
10
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import Dataset, simulate_mislabel, simulate_overlay
from .errors import OptionError, OutputError


class Simulated(NamedTuple):
    """Samples, outliers among them, and where each comes from."""

    x: NDArray[Any]
    """The samples, (N, ...): uint8 if all values are whole numbers up to 255, else float32."""
    y: NDArray[np.int64]
    """Their labels, (N,)."""
    truth: NDArray[np.uint8]
    """1 for an outlier, (N,)."""
    source: NDArray[np.int64]
    """The positions in the data of the one or two samples each was made from, -1 for none, (N, 2)."""
    y_source: NDArray[np.int64]
    """Their labels, (N, 2)."""
    shift: NDArray[np.int64]
    """By how far the first and the second picture were moved right and down, in pixels, (N, 4)."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the arrays to an .npz file, as `quaver simulate` does. The file is there whole or not at all."""
        path = pathlib.Path(path)
        if path.suffix != ".npz":
            raise OptionError(f"{path}: the name must end in .npz")
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                try:
                    np.savez(file, **self._asdict())
                    file.close()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            raise OutputError(f"{path}: {error}") from error


def overlay(
    x: ArrayLike | Dataset,
    y: ArrayLike | None = None,
    *,
    n_outliers: int | None = None,
    max_shift: int = 4,
    background: float = 0.0,
    seed: int = 0,
) -> Simulated:
    """Adds pictures that are two pictures of different classes laid over each other, with the label of one of them.

    The simulated outliers of Shu & Zhu (AAAI-19, Figure 3): both pictures are shifted at random by up to `max_shift` pixels
    along each axis, what a shift leaves empty has the value `background`, and every pixel is the larger of both. They follow
    after the samples (N, H, W) or (N, C, H, W) themselves, one for every ten unless `n_outliers` says how many.
    """
    options: dict[str, Any] = {"max_shift": max_shift, "background": background, "seed": seed}
    return Simulated(**simulate_overlay(x, y, n_outliers=n_outliers, **options))


def mislabel(
    x: ArrayLike | Dataset, y: ArrayLike | None = None, *, n_outliers: int | None = None, seed: int = 0
) -> Simulated:
    """Changes labels at random to those of other classes, one for every ten unless `n_outliers` says how many."""
    return Simulated(**simulate_mislabel(x, y, n_outliers=n_outliers, seed=seed))
