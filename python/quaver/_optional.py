"""Packages that are imported where they are used, and not before."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import MissingDependencyError


def need(module: str, extra: str, purpose: str) -> Any:
    """Imports `module`; `extra` is what pip is asked for where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(f"{purpose} needs {package}: pip install 'quaver[{extra}]' ({error})") from error
