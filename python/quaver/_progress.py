"""A tqdm bar, where there is tqdm and somebody to see it."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ._optional import need

# A bar that is gone before it can be read only flickers.
DELAY_SECONDS = 1.0


def bar(total: int, progress: bool | None) -> Any:
    """A bar over `total` samples, or None. `progress` True insists on one, None shows it to people only."""
    if progress is False or (progress is None and not _somebody_looks()):
        return None
    if progress:
        need("tqdm", "progress", "progress=True")
    try:
        with warnings.catch_warnings():
            # In a notebook without ipywidgets it draws its bar in text, and would say so.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit="sample", leave=False, delay=0.0 if progress else DELAY_SECONDS)


def _somebody_looks() -> bool:
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
