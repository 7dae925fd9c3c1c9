"""`mapInPandas` on a real Spark session of this machine: two workers, many partitions, rows of a single machine."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

import quaver
from quaver.batches import Scorer

pyspark = pytest.importorskip("pyspark")
pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is no java on the path")
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as environment:
        # Workers are to be of this environment, and not whatever python3 is.
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        environment.chdir(tmp_path_factory.mktemp("spark"))
        options = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "4",
            # Batches that end in the middle of a partition.
            "spark.sql.execution.arrow.maxRecordsPerBatch": "7",
        }
        builder = SparkSession.builder.master("local[2]").appName("quaver")
        for name, value in options.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


def test_rows_are_those_of_a_single_machine(spark, model):
    import pandas

    glyphs = quaver.demo.glyphs(60, seed=8)
    x = glyphs.x.copy()
    x[11, 0, 3, 3] = np.nan
    frame = pandas.DataFrame({"id": np.arange(60) + 1000, "x": [list(one.ravel()) for one in x], "y": glyphs.y})
    scorer = Scorer(model, keep=["id"], wrt=["input", "layers"])
    # As docs/scale.md says: the schema of a few rows.
    few = scorer(frame.head(2).astype({"y": np.int64}))
    schema = spark.createDataFrame(few.assign(error=few["error"].astype(object).where(few["error"].notna(), ""))).schema
    scores = spark.createDataFrame(frame).repartition(6).mapInPandas(scorer.map_in_pandas, schema).toPandas()
    expected = scorer(frame)
    n_blocks = len(model.blocks(["input", "layers"]))
    assert len(scores) == len(expected) == 59 * n_blocks + 1
    for one in (scores, expected):
        one["block"] = one["block"].fillna("")
        one.sort_values(["id", "block"], inplace=True, ignore_index=True)
    assert scores["id"].tolist() == expected["id"].tolist()
    for name in ("fi", "rank", "fi_lambda", "grad_norm", "predicted"):
        assert np.array_equal(scores[name].astype(float), expected[name].astype(float), equal_nan=True), name
    failed = scores[scores["id"] == 1011]
    assert len(failed) == 1 and "NaN" in failed["error"].iloc[0]
