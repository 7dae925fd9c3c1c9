"""What the package promises as a whole."""

from __future__ import annotations

import doctest
import importlib
import inspect
import subprocess
import sys

import numpy as np
import pytest

import quaver

OPTIONAL = ["torch", "sklearn", "pandas", "polars", "pyarrow", "matplotlib", "ray", "dask", "captum", "tqdm", "onnx", "skl2onnx"]


def test_importing_imports_nothing_optional():
    code = f"import sys, quaver, quaver.batches; print([m for m in {OPTIONAL} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_parts_are_there_once_they_are_named():
    parts = ["quaver.ray.score", "quaver.captum.Influence", "quaver.dask.score", "quaver.batches.Scorer", "quaver.frameworks.from_torch"]
    code = f"import sys, quaver; print([{', '.join(f'{part}.__name__' for part in parts)}], hasattr(quaver, 'nothing'), [m for m in {OPTIONAL} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['score', 'Influence', 'score', 'Scorer', 'from_torch'] False []"


def test_what_is_missing_is_named():
    code = "import sys; sys.modules['polars'] = None\nimport quaver\nt = quaver.demo.model().blocks()\ntry: t.to_polars()\nexcept quaver.MissingDependencyError as e: print(e)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'quaver[polars]'" in out.stdout


def documented():
    modules = ["quaver", "quaver.demo", "quaver.ranker", "quaver.simulate", "quaver.batches", "quaver.frameworks", "quaver.captum"]
    for name in modules:
        module = importlib.import_module(name)
        yield name, module
        for member, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == name:
                yield f"{name}.{member}", value
            if inspect.isclass(value) and value.__module__ == name:
                yield f"{name}.{member}", value
                for method, function in vars(value).items():
                    if callable(function) and getattr(function, "__doc__", None) and not method.startswith("__"):
                        yield f"{name}.{member}.{method}", function
    for kind in (quaver.Table, quaver.Dataset):
        for method, function in vars(kind).items():
            if callable(function) and not method.startswith("__"):
                yield f"{kind.__name__}.{method}", function


def examples():
    parser = doctest.DocTestParser()
    for name, thing in documented():
        test = parser.get_doctest(thing.__doc__ or "", {}, name, name, 0)
        if test.examples:
            yield pytest.param(test, id=name)


@pytest.mark.parametrize("test", list(examples()))
def test_examples(test):
    for module in ("torch", "sklearn", "captum", "skl2onnx"):
        if any(f"import {module}" in e.source or f", {module}" in e.source for e in test.examples):
            pytest.importorskip(module)
    out: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=out.append)
    assert result.failed == 0, "".join(out)


def test_everything_public_is_documented():
    for name in quaver.__all__:
        thing = getattr(quaver, name)
        if name != "__version__":
            assert thing.__doc__, name
    for kind in (quaver.Model, quaver.Table):
        for name, member in vars(kind).items():
            assert name.startswith("__") or name == "_repr_html_" or member.__doc__, f"{kind.__name__}.{name}"


def test_the_demo_finds_outliers():
    demo = quaver.demo.run()
    assert len(demo.table) == 4000
    for measure, found in demo.detection.items():
        assert found["roc_auc"] > 0.95, measure


def test_outliers_in_the_manner_of_scikit_learn(model, glyphs):
    ranker = quaver.OutlierRanker(model, measure="grad_norm", contamination=0.05)
    signs = ranker.fit_predict(glyphs.x, glyphs.y)
    assert (signs == -1).sum() == 6 and set(signs) == {-1, 1}
    order = np.argsort(-model.score(glyphs.x, glyphs.y)["grad_norm"], kind="stable")
    assert np.array_equal(ranker.ranking_, order) and np.array_equal(np.flatnonzero(signs == -1), np.sort(order[:6]))
    for bad, text in (({"measure": "fo"}, "fo"), ({"measure": "block"}, "text"), ({"wrt": "layers"}, "one block")):
        with pytest.raises(quaver.OptionError, match=text):
            quaver.OutlierRanker(model, **bad).fit(glyphs.x, glyphs.y)
    with pytest.raises(quaver.OptionError, match="contamination"):
        quaver.OutlierRanker(model, contamination=0)


def test_a_sample_that_cannot_be_scored_is_no_outlier(model, glyphs):
    x = glyphs.x[:60].copy()
    x[5, 0, 3, 3] = np.nan
    ranker = quaver.OutlierRanker(model, contamination=0.05)
    signs = ranker.fit_predict(x, glyphs.y[:60])
    assert signs.shape == (60,) and (signs == -1).sum() == 3 and signs[5] == 1
    assert np.isnan(ranker.scores_[5]) and ranker.ranking_[-1] == 5 and np.isfinite(ranker.threshold_)


def test_outlier_rankers_are_estimators(model, glyphs):
    base = pytest.importorskip("sklearn.base")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    ranker = quaver.OutlierRanker(model, measure="fi_lambda", contamination=0.1, lambda_=10.0)
    twin = base.clone(ranker)
    assert twin is not ranker and twin.model is model and twin.get_params() == ranker.get_params()
    assert repr(twin) == repr(ranker) and "lambda_=10.0" in repr(ranker)
    twin.set_params(contamination=0.2, lambda_=1.0)
    assert ranker.contamination == 0.1 and ranker.score_options == {"lambda_": 10.0}
    assert base.is_outlier_detector(ranker)
    steps = pipeline.Pipeline([("scale", preprocessing.FunctionTransformer(lambda x: x / 255)), ("rank", ranker)])
    signs = steps.fit_predict(glyphs.x * 255, glyphs.y)
    assert np.array_equal(signs, ranker.fit_predict(glyphs.x * 255 / 255, glyphs.y))
    assert "OutlierRanker" in repr(base.clone(steps))
    with pytest.raises(quaver.OptionError, match="contamination"):
        ranker.set_params(contamination=2).fit(glyphs.x, glyphs.y)
