"""Tables in the forms that other packages have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._optional import need

if TYPE_CHECKING:
    from ._native import Table


def to_pandas(table: Table) -> Any:
    pandas = need("pandas", "pandas", "to_pandas")
    columns = table.to_dict()
    for name, values in columns.items():
        # Whole numbers with gaps arrive as floats with NaN: the extension type keeps them whole.
        if values.dtype == np.float64 and _is_whole(table, name):
            columns[name] = pandas.array(values, dtype="Int64")
    frame = pandas.DataFrame(columns)
    frame.attrs["columns"] = table.docs
    return frame


def to_polars(table: Table) -> Any:
    return need("polars", "polars", "to_polars").DataFrame(table)


def to_arrow(table: Table) -> Any:
    return need("pyarrow", "arrow", "to_arrow").table(table)


def _is_whole(table: Table, name: str) -> bool:
    return table.kinds[name] == "int"
