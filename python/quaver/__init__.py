"""How sensitive is a trained classifier: to what, and where?

>>> import quaver
>>> m = quaver.demo.model()                      # or quaver.load("model.onnx")
>>> glyphs = quaver.demo.glyphs(100)             # or arrays of your own
>>> table = m.score(glyphs.x, glyphs.y)
>>> table.top(1)["fi"] == table["fi"].max()
array([ True])

Samples are NumPy arrays (N, ...), results are arrays, or tables that pandas, Polars and Arrow take as they are. A function for
every task of the command line: `outliers`, `compare`, `layers`, `map`, `attack`, `simulate.overlay`, `simulate.mislabel`, `fill`,
`analyze`, `merge`, `report`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._native import (
    Attacks,
    Comparison,
    Dataset,
    ImageMap,
    Layers,
    Maps,
    Model,
    Outliers,
    Store,
    Table,
    __version__,
    analyze,
    attack,
    compare,
    fill,
    inspect,
    layers,
    map,
    merge,
    open,
    operators,
    outliers,
    report,
)
from .errors import (
    DataError,
    MissingDependencyError,
    ModelError,
    OptionError,
    OutputError,
    QuaverError,
    StoreError,
)
from .ranker import OutlierRanker
from . import demo, simulate

if TYPE_CHECKING:
    import torch

    from . import batches, captum, dask, frameworks, ray
else:

    def __getattr__(name: str) -> Any:
        # `quaver.ray.score` without `import quaver.ray`: each is read when it is first named.
        if name in ("batches", "captum", "dask", "frameworks", "ray"):
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

__all__ = [
    "Attacks",
    "Comparison",
    "DataError",
    "Dataset",
    "ImageMap",
    "Layers",
    "Maps",
    "MissingDependencyError",
    "Model",
    "ModelError",
    "OptionError",
    "OutlierRanker",
    "Outliers",
    "OutputError",
    "QuaverError",
    "Store",
    "StoreError",
    "Table",
    "__version__",
    "analyze",
    "attack",
    "compare",
    "demo",
    "fill",
    "from_sklearn",
    "from_torch",
    "inspect",
    "layers",
    "load",
    "map",
    "merge",
    "open",
    "operators",
    "outliers",
    "report",
    "simulate",
]


def load(
    source: str | os.PathLike[str] | bytes,
    *,
    output: str | None = None,
    input_shape: Sequence[int] | None = None,
    head: str = "detect",
) -> Model:
    """Reads an ONNX file, given by its path or its bytes.

    `output` names the output, or any other value, to analyse (default: the only output); `input_shape` is the shape of
    one sample, without an axis of samples, for models that leave it open; `head` is "detect" (a Softmax, LogSoftmax or
    Sigmoid at the end is found and stripped), "logits" (the output is taken for logits as it is), "multi-label" (a yes
    or no each) or "gaussian:SIGMA" (a regression with noise of this standard deviation).

    Raises `ModelError` naming the node, operator and attribute that cannot be read.
    """
    return Model(source, output=output, input_shape=input_shape, head=head)


def from_torch(module: torch.nn.Module, example_inputs: Any, **options: Any) -> Model:
    """A PyTorch module as a model: see `quaver.frameworks.from_torch`."""
    from .frameworks import from_torch as convert

    return convert(module, example_inputs, **options)


def from_sklearn(estimator: Any, **options: Any) -> Model:
    """A scikit-learn classifier as a model: see `quaver.frameworks.from_sklearn`."""
    from .frameworks import from_sklearn as convert

    return convert(estimator, **options)
