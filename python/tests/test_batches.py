"""Batches by other hands: the rows are those of one machine."""

from __future__ import annotations

import os
import pathlib
import pickle
import signal

import numpy as np
import pytest

import quaver
from quaver.batches import Scorer

N = 400


@pytest.fixture(scope="module")
def samples():
    glyphs = quaver.demo.glyphs(N, seed=5)
    return {"id": np.arange(N) * 7, "x": glyphs.x, "y": glyphs.y}


@pytest.fixture(scope="module")
def alone(samples):
    return quaver.demo.model().score(samples["x"], samples["y"], wrt=["input", "params"])


def check(rows, alone):
    """`rows` (a pandas frame in any order) against the single machine's table."""
    expected = alone.to_pandas()
    expected["id"] = expected["index"] * 7
    rows = rows.sort_values(["id", "block"], kind="stable").reset_index(drop=True)
    expected = expected.sort_values(["id", "block"], kind="stable").reset_index(drop=True)
    assert len(rows) == len(expected) == 2 * N
    for name in expected.columns:
        if name in ("index", "error"):
            continue
        # Bit for bit: how the data were cut does not enter.
        if expected[name].dtype.kind in "if":
            assert np.array_equal(rows[name].to_numpy(float), expected[name].to_numpy(float), equal_nan=True), name
        else:
            assert list(rows[name]) == list(expected[name]), name


def test_batches_of_any_size(samples, alone):
    pandas = pytest.importorskip("pandas")
    scorer = pickle.loads(pickle.dumps(Scorer(quaver.demo.model(), wrt=["input", "params"])))
    for size in (1, 7, N):
        parts = [scorer({name: column[at : at + size] for name, column in samples.items()}) for at in range(0, N, size)]
        check(pandas.concat([pandas.DataFrame(part) for part in parts]), alone)


def test_frames(samples, alone):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": samples["id"], "y": samples["y"], "x": list(samples["x"].reshape(N, -1))})
    scorer = Scorer(quaver.demo.model(), wrt=["input", "params"])
    parts = list(scorer.map_in_pandas(frame.iloc[at : at + 90] for at in range(0, N, 90)))
    check(pandas.concat(parts), alone)
    empty = scorer(frame.iloc[:0])
    assert len(empty) == 0 and set(empty.columns) - {"index"} == set(parts[0].columns)


def test_columns_of_numbers():
    sklearn = pytest.importorskip("sklearn.datasets")
    linear = pytest.importorskip("sklearn.linear_model")
    pytest.importorskip("skl2onnx")
    iris = sklearn.load_iris(as_frame=True)
    m = quaver.from_sklearn(linear.LogisticRegression(max_iter=1000).fit(iris.data.to_numpy(), iris.target), example=iris.data.to_numpy())
    scores = Scorer(m, x=list(iris.data.columns), y="target", keep=[])(iris.frame)
    expected = m.score(iris.data.to_numpy(), iris.target.to_numpy())
    assert np.array_equal(scores["fi"].to_numpy(), expected["fi"])


def test_a_batch_of_errors_is_no_end(samples):
    bad = {name: column[:3] for name, column in samples.items()}
    bad["x"] = np.full_like(bad["x"], np.inf)
    scores = Scorer(quaver.demo.model())(bad)
    assert list(scores["id"]) == [0, 7, 14] and all(scores["error"]) and np.isnan(scores["fi"]).all()
    assert Scorer(quaver.demo.model()).arrays({**bad, "x": samples["x"][:3]})["error"].tolist() == [None] * 3


def test_options_are_refused_early():
    for options, text in (({"y": None}, "labels"), ({"strict": True}, "strict"), ({"wrap": 1}, "'wrap'"), ({"wrt": "nothing"}, "nothing")):
        with pytest.raises(quaver.OptionError, match=text):
            Scorer(quaver.demo.model(), **options)
    with pytest.raises(quaver.DataError, match="no column 'x'"):
        Scorer(quaver.demo.model())({"y": [1]})
    with pytest.raises(quaver.DataError, match="convert-string"):
        Scorer(quaver.demo.model())({"x": np.array(["[0.1, 0.2]"], dtype=object), "y": [1]})


def test_dask(samples, alone, tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    import dask

    import quaver.dask

    frame = pandas.DataFrame({"id": samples["id"], "y": samples["y"], "x": list(samples["x"].reshape(N, -1))})
    with dask.config.set({"dataframe.convert-string": False, "scheduler": "processes", "num_workers": 2}):
        lazy = quaver.dask.score(
            frames.from_pandas(frame, npartitions=5), quaver.demo.model(), wrt=["input", "params"]
        )
        rows = lazy.compute()
    assert list(lazy.columns) == list(rows.columns)
    check(rows, alone)
    # From files into files, with what Dask does unasked.
    pytest.importorskip("pyarrow")
    (tmp_path / "samples").mkdir()
    frame.to_parquet(tmp_path / "samples" / "a.parquet")
    files = quaver.dask.score(frames.read_parquet(tmp_path / "samples"), quaver.demo.model(), wrt=["input", "params"])
    files.to_parquet(tmp_path / "scores")
    check(pandas.read_parquet(tmp_path / "scores"), alone)


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_ray(cluster, samples, alone, tmp_path):
    import quaver.ray

    dataset = cluster.data.from_items(
        [{name: column[i] for name, column in samples.items()} for i in range(N)]
    ).repartition(8)
    options = {"wrt": ["input", "params"], "batch_size": 32, "concurrency": 2}
    rows = quaver.ray.score(dataset, quaver.demo.model(), **options).to_pandas()
    check(rows, alone)

    # A run that ended early goes on: the first half is there.
    half = dataset.filter(lambda row: row["id"] < 7 * N // 2)
    first = quaver.ray.score(half, quaver.demo.model(), **options)
    first.write_parquet(str(tmp_path / "scores"))
    rest = quaver.ray.score(dataset, quaver.demo.model(), id="id", done=tmp_path / "scores", **options)
    rest.write_parquet(str(tmp_path / "scores"))
    check(cluster.data.read_parquet(str(tmp_path / "scores")).to_pandas(), alone)


def test_a_killed_worker_loses_nothing(cluster, samples, alone, tmp_path):
    import quaver.ray

    marker = tmp_path / "killed"

    class Mortal(quaver.ray.Actor):
        """Dies once, as a machine does, in the middle of a batch."""

        def __init__(self, model, options, marker):
            super().__init__(model, options)
            self.marker = pathlib.Path(marker)

        def __call__(self, batch):
            if 7 * (N // 2) in batch["id"] and not self.marker.exists():
                self.marker.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    dataset = cluster.data.from_items(
        [{name: column[i] for name, column in samples.items()} for i in range(N)]
    ).repartition(8)
    rows = quaver.ray.score(
        dataset, quaver.demo.model(), wrt=["input", "params"], batch_size=16, concurrency=2,
        actor=Mortal, actor_args=(str(marker),),
    ).to_pandas()
    assert marker.exists()
    check(rows, alone)
