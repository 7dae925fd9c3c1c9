"""Figures of tables. FI is never drawn without its ceiling or a companion that does not saturate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._optional import need
from .errors import OptionError

if TYPE_CHECKING:
    from ._native import Table

# Bars that fit one figure.
MOST_BLOCKS = 40


def scores(table: Table, figsize: tuple[float, float] | None) -> Any:
    missing = [name for name in ("block", "fi", "fi_max", "saturation", "fi_lambda") if name not in table.columns]
    if missing:
        raise OptionError(f"plot: the table has no column '{missing[0]}'; tables of score have")
    if len(table) == 0:
        raise OptionError("plot: the table has no rows")
    _notebooks_show_figures()
    figure = need("matplotlib.figure", "plot", "plot").Figure(figsize=figsize or (10.0, 4.0), layout="constrained")
    names = list(dict.fromkeys(table["block"]))
    if len(names) == 1:
        _one_block(figure, table, names[0])
    else:
        _blocks(figure, table, names)
    return figure


def _notebooks_show_figures() -> None:
    """IPython draws figures only once it was told how; importing pyplot would do that and more."""
    if "IPython" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython()
    if shell is not None:
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(shell, {"png"})


def _one_block(figure: Any, table: Table, name: str) -> None:
    left, right = figure.subplots(1, 2)
    p, fi, saturation = table["p_label"], table["fi"], table["saturation"]
    points = left.scatter(p, _positive(fi), c=saturation, vmin=0, vmax=1, s=12, zorder=2)
    order = np.argsort(p)
    left.plot(p[order], _positive(table["fi_max"])[order], color="0.6", linewidth=1, label="ceiling", zorder=1)
    left.set(xlabel="probability of the label", ylabel="FI", yscale="log", title=f"influence of {name}")
    left.legend()
    figure.colorbar(points, ax=left, label="saturation")
    right.hist(np.log10(_positive(table["fi_lambda"])), bins=40)
    right.set(xlabel="log10 fi_lambda", ylabel="samples", title="a companion that does not saturate")


def _blocks(figure: Any, table: Table, names: list[str]) -> None:
    shown = names[:MOST_BLOCKS]
    block = table["block"]
    rows = [block == name for name in shown]
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(shown))[::-1]

    def medians(column: str) -> NDArray[np.float64]:
        values = [table[column][row] for row in rows]
        return np.array([np.median(v[~np.isnan(v)]) if (~np.isnan(v)).any() else np.nan for v in values])

    companion = "fi_lambda"
    if "rel_fi_lambda" in table.columns and not np.isnan(medians("rel_fi_lambda")).any():
        companion = "rel_fi_lambda"
    left.barh(places, medians(companion))
    left.set(xlabel=f"median {companion}", xscale="log", yticks=places, yticklabels=shown)
    right.barh(places, medians("saturation"), color="0.6")
    right.set(xlabel="median saturation of FI", xlim=(0, 1))
    if len(names) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(names)} blocks")


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For logarithmic axes: zeros become the smallest number above them."""
    above = values[values > 0]
    floor = above.min() if above.size else 1.0
    return np.where(values > 0, values, floor)
