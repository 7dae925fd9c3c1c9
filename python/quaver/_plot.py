"""Figures of tables. FI is never drawn without its ceiling or a companion that does not saturate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._optional import need
from .errors import OptionError

if TYPE_CHECKING:
    from ._native import Attacks, Comparison, Layers, Maps, Outliers, Table

# Bars that fit one figure.
MOST_BLOCKS = 40


def scores(table: Table, figsize: tuple[float, float] | None) -> Any:
    missing = [name for name in ("block", "fi", "fi_max", "saturation", "fi_lambda") if name not in table.columns]
    if missing:
        raise OptionError(f"plot: the table has no column '{missing[0]}'; tables of score have")
    if len(table) == 0:
        raise OptionError("plot: the table has no rows")
    figure = _figure(figsize, (10.0, 4.0))
    names = list(dict.fromkeys(table["block"]))
    if len(names) == 1:
        _one_block(figure, table, names[0])
    else:
        _blocks(figure, table, names)
    return figure


# Measures that a ranking is drawn for: FI, what it is a function of where it is saturated, and companions.
DRAWN = ("fi", "p_label", "fi_lambda", "grad_norm", "jacobian_norm", "margin_radius")


def outliers(found: Outliers, figsize: tuple[float, float] | None) -> Any:
    figure = _figure(figsize, (10.0, 4.0))
    left, right = figure.subplots(1, 2)
    if found.n_outliers is None:
        agrees = found["label"] == found["predicted"]
        for axes, measure in ((left, "fi"), (right, "fi_lambda")):
            values = np.log10(_positive(found[measure]))
            edges = np.histogram_bin_edges(values, bins=40)
            for rows, name in ((agrees, "label agrees"), (~agrees, "label disagrees")):
                if rows.any():
                    # Shares, so that the few can be compared with the many.
                    axes.hist(values[rows], edges, weights=np.full(rows.sum(), 1 / rows.sum()), alpha=0.6, label=name)
            axes.set(xlabel=f"log10 {measure}", ylabel="share of the group")
            axes.legend()
        return figure
    for measure in DRAWN:
        try:
            roc, curve = found.roc(measure), found.precision_recall(measure)
        except OptionError:
            # Some samples have no value.
            continue
        left.plot(*roc.T, label=measure)
        right.plot(*curve.T, label=measure)
    left.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="chance")
    left.set(xlabel="share of other samples ranked as high", ylabel="share of outliers found", title="ROC")
    right.set(xlabel="share of outliers found", ylabel="share of outliers in what is retrieved", ylim=(0, 1.02))
    left.legend()
    return figure


def comparison(found: Comparison, measure: str, figsize: tuple[float, float] | None) -> Any:
    names = list(dict.fromkeys(zip(found["model"], found["block"])))
    figure = _figure(figsize, (5.0 * len(names), 4.0))
    for axes, (model, block) in zip(np.atleast_1d(figure.subplots(1, len(names))), names):
        for values, name in zip(found.values(measure, model=model, block=block), ("train", "test")):
            shares = np.arange(1, len(values) + 1) / max(len(values), 1)
            axes.step(values, shares, where="post", label=f"{name}, {len(values)} samples")
        if measure not in ("saturation", "p_label", "margin_radius"):
            axes.set_xscale("log")
        axes.set(xlabel=measure, ylabel="share of samples below", title=f"{model}, {block}")
        axes.legend()
    return figure


def layers(found: Layers, measure: str, network: str | None, figsize: tuple[float, float] | None) -> Any:
    network = found["network"][0] if network is None else network
    rows = np.flatnonzero(found["network"] == network)[:MOST_BLOCKS]
    if len(rows) == 0:
        raise OptionError(f"network '{network}': there are {', '.join(dict.fromkeys(found['network']))}")
    names = [found["layer"][row] for row in rows]
    figure = _figure(figsize, (10.0, max(3.0, 0.35 * len(names) + 1.0)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    places = np.arange(len(names))[::-1]
    values = [found.values(name, measure, network=network) for name in names]
    for place, numbers in zip(places, values):
        numbers = numbers[~np.isnan(numbers)]
        if numbers.size:
            least, first, median, third, most = np.quantile(numbers, [0.05, 0.25, 0.5, 0.75, 0.95])
            left.hlines(place, least, most, color="0.4", linewidth=1)
            left.barh(place, third - first, left=first, height=0.6, color="C0")
            left.vlines(median, place - 0.3, place + 0.3, color="k")
    left.set(xlabel=f"{measure}: middle half and 90 % of the samples", yticks=places, yticklabels=names)
    if measure != "saturation":
        left.set_xscale("log")
    right.barh(places, found["saturated_share"][rows], color="0.6")
    right.set(xlabel="share of samples\nwith saturated FI", xlim=(0, 1))
    figure.suptitle(str(network))
    return figure


def maps(found: Maps, measure: str, n: int, figsize: tuple[float, float] | None) -> Any:
    shown = [found[at] for at in range(min(n, len(found)))]
    if not shown:
        raise OptionError(f"n={n}: give at least 1")
    scales = shown[0].scales
    figure = _figure(figsize, (2.5 * (len(scales) + 1), 2.5 * len(shown)))
    grid = figure.subplots(len(shown), len(scales) + 1, squeeze=False)
    for one, row in zip(shown, grid):
        channels = one.input[:3] if one.shape[0] >= 3 else one.input[:1]
        low, high = channels.min(), channels.max()
        image = (np.moveaxis(channels, 0, -1) - low) / (high - low if high > low else 1.0)
        row[0].imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
        row[0].set_title(f"class {one.label}, p = {one.p_label:.3f}", fontsize=9)
        for axes, scale in zip(row[1:], scales):
            figure.colorbar(axes.imshow(one.plane(measure, scale)), ax=axes, shrink=0.8)
            axes.set_title(f"{measure}, {scale} x {scale}", fontsize=9)
        for axes in row:
            axes.set_axis_off()
    return figure


# Words for budgets.
BUDGETS = {"linf": "L-infinity norm, share of the range", "l2": "L2 norm, share of the range", "pixels": "pixels changed", "queries": "forward passes"}


def attacks(found: Attacks, over: str, figsize: tuple[float, float] | None) -> Any:
    curves = found.curves(over)
    figure = _figure(figsize, (7.0, 4.0))
    axes = figure.subplots()
    for name, points in curves.items():
        if len(points):
            axes.step(np.r_[0.0, points[:, 0]], np.r_[0.0, points[:, 1]], where="post", label=name)
    axes.set(xlabel=BUDGETS.get(over, over), ylabel="share of attacked samples flipped", ylim=(0, 1.02))
    if over == "queries":
        axes.set_xscale("symlog", linthresh=1)
    if curves:
        axes.legend(fontsize=8)
    return figure


def _figure(figsize: tuple[float, float] | None, otherwise: tuple[float, float]) -> Any:
    _notebooks_show_figures()
    return need("matplotlib.figure", "plot", "plot").Figure(figsize=figsize or otherwise, layout="constrained")


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
    values = medians(companion)
    left.barh(places, values)
    left.set(xlabel=f"median {companion}", yticks=places, yticklabels=shown)
    # Bars of one magnitude begin at zero, or a difference of a percent looks like a large one.
    above = values[values > 0]
    if above.size and above.max() >= 10 * above.min():
        left.set_xscale("log")
    right.barh(places, medians("saturation"), color="0.6")
    right.set(xlabel="median saturation of FI", xlim=(0, 1))
    if len(names) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(names)} blocks")


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For logarithmic axes: zeros become the smallest number above them."""
    above = values[values > 0]
    floor = above.min() if above.size else 1.0
    return np.where(values > 0, values, floor)
