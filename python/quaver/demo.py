"""A network and pictures that need no file: ten classes of glyphs, some mislabelled or laid over each other.

>>> import quaver
>>> result = quaver.demo.run(400)
>>> result.detection["fi"]["roc_auc"] > 0.9
True
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._native import Model, Table, demo_glyphs, demo_model, detection


class Glyphs(NamedTuple):
    """Pictures with the truth about them."""

    x: NDArray[np.float64]
    """Grey values from 0 to 1, (N, 1, 28, 28)."""
    y: NDArray[np.int64]
    """The labels that the data claim, (N,)."""
    truth: NDArray[np.str_]
    """"clean", "mislabelled" or "overlaid", (N,)."""


class Demo(NamedTuple):
    """What the demo finds."""

    table: Table
    """A score for every picture."""
    glyphs: Glyphs
    """The pictures."""
    detection: dict[str, dict[str, float]]
    """Per measure how well it ranks the planted outliers first: roc_auc, pr_auc, average_precision."""


# The measures whose rankings the demo compares.
MEASURES = ("fi", "grad_norm", "fi_lambda")


def model() -> Model:
    """The demo's network: three convolutions, 28 x 28 grey values from 0 to 1, ten classes."""
    return demo_model()


def glyphs(
    n_samples: int = 4000, *, seed: int = 1, mislabelled: int | None = None, overlaid: int | None = None
) -> Glyphs:
    """Draws pictures; seed 1 gives those the network was trained on. Two percent each are mislabelled and overlaid.

    >>> import quaver
    >>> glyphs = quaver.demo.glyphs(100)
    >>> glyphs.x.shape, [int((glyphs.truth == kind).sum()) for kind in ("clean", "mislabelled", "overlaid")]
    ((100, 1, 28, 28), [96, 2, 2])
    """
    x, y, truth = demo_glyphs(n_samples, seed=seed, mislabelled=mislabelled, overlaid=overlaid)
    return Glyphs(x, y, np.array(truth, dtype=str))


def run(
    n_samples: int = 4000,
    *,
    seed: int = 1,
    mislabelled: int | None = None,
    overlaid: int | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> Demo:
    """Scores drawn pictures and says how well each measure finds the planted outliers; `quaver demo` in Python."""
    drawn = glyphs(n_samples, seed=seed, mislabelled=mislabelled, overlaid=overlaid)
    table = model().score(drawn.x, drawn.y, threads=threads, progress=progress)
    planted = (drawn.truth != "clean").tolist()
    return Demo(table, drawn, {name: detection(table[name], planted) for name in MEASURES})
