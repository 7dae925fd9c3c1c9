"""Tables in every form that others have."""

from __future__ import annotations

import numpy as np
import pytest

import quaver


@pytest.fixture(scope="module")
def table(model, glyphs):
    return model.score(glyphs.x, glyphs.y, wrt=["input", "layers"])


def same(column, values):
    values = np.asarray(values)
    if column.dtype == object:
        return [c for c in column] == [None if v is None or v != v else v for v in values]
    return np.array_equal(column.astype(float), values.astype(float), equal_nan=True)


def test_pandas(table):
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert list(frame.columns) == table.columns and len(frame) == len(table)
    for name in table.columns:
        assert same(table[name], frame[name].to_numpy(dtype=object if table.kinds[name] == "text" else float)), name
    assert frame.attrs["columns"]["fi"] == table.docs["fi"]


def test_polars_and_arrow(table):
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    frame = table.to_polars()
    assert frame.equals(polars.DataFrame(table))
    arrow = table.to_arrow()
    for name in table.columns:
        assert same(table[name], frame[name].to_numpy()), name
        assert same(table[name], arrow[name].to_pylist() if table.kinds[name] == "text" else arrow[name].to_numpy()), name
        assert arrow.schema.field(name).metadata[b"description"].decode() == table.docs[name]
    # The stream can be taken more than once.
    assert pyarrow.table(table).equals(arrow)


def test_saved(table, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table.save(tmp_path / "scores.parquet")
    assert parquet.read_table(tmp_path / "scores.parquet")["fi"].to_pylist() == list(table["fi"])
    table.save(tmp_path / "scores.csv")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == len(table) + 1
    with pytest.raises(quaver.QuaverError, match=".xls"):
        table.save(tmp_path / "scores.xls")


def test_top_is_sorted(table):
    top = table.top(5, by="fi_lambda")
    expected = np.sort(table["fi_lambda"])[::-1][:5]
    assert np.array_equal(top["fi_lambda"], expected)
    with pytest.raises(quaver.OptionError, match="no column"):
        table.top(by="fo")
    with pytest.raises(quaver.OptionError, match="text"):
        table.top(by="block")
    with pytest.raises(KeyError, match="no column"):
        table["fo"]


def test_shown(table, model, glyphs):
    text = repr(table)
    assert "saturation" in text and f"and {len(table) - 10} more rows" in text
    html = table._repr_html_()
    assert html.count("<tr>") == 11 and "<th title=" in html
    assert "FI is saturated" in repr(model.score(glyphs.x, glyphs.y))


def test_figures(table, model, glyphs, tmp_path):
    pytest.importorskip("matplotlib")
    for some in (table, model.score(glyphs.x, glyphs.y)):
        figure = some.plot()
        figure.savefig(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 5000
    one = model.score(glyphs.x, glyphs.y).plot()
    drawn = one.axes[0].collections[0].get_offsets()
    assert np.allclose(drawn[:, 0], table["p_label"][table["block"] == "input"])
    with pytest.raises(quaver.OptionError, match="no column"):
        model.blocks().plot()
