"""Every task against the command line on the same files: the same tables byte for byte, the same numbers on the same pages.

The command is the one that QUAVER names, or the one built in this checkout; in CI it must be there.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

import quaver

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def command():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = pathlib.Path(os.environ.get("QUAVER", target / "release" / "quaver"))
    if not command.is_file():
        assert "CI" not in os.environ, f"no command at {command}: cargo build --release --workspace --bin quaver"
        pytest.skip(f"no command at {command} (set QUAVER)")

    def run(folder, *arguments, status=0):
        result = subprocess.run([command, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
        assert result.returncode == status, result.stderr
        return result

    return run


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """A model and two sets of data, in files; the first has known outliers."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "m.onnx").write_bytes(model.__reduce__()[1][0])
    for name, seed in (("a", 1), ("b", 2)):
        glyphs = quaver.demo.glyphs(90, seed=seed, mislabelled=8, overlaid=5)
        np.savez(folder / f"{name}.npz", x=glyphs.x.astype(np.float32), y=glyphs.y, truth=(glyphs.truth != "clean").astype(np.uint8))
    return folder


@pytest.fixture
def here(files, monkeypatch):
    """Both say paths as they are given, and are given them alike."""
    monkeypatch.chdir(files)
    return files


def opened(name):
    model = quaver.load("m.onnx")
    return model, quaver.open(name, model=model)


def same_page(first, second, *, without=()):
    """Pages with the same numbers: their JSON, apart from entries of the run that one of the two cannot have."""
    pages = [json.loads(pathlib.Path(path).with_suffix(".json").read_text()) for path in (first, second)]
    runs = [page.pop("run") for page in pages]
    assert pages[0] == pages[1]
    for run in runs:
        for key in without:
            run.pop(key, None)
    assert runs[0] == runs[1] and runs[0]["command"]


def test_score(command, here):
    command(here, "score", "m.onnx", "a.npz", "--wrt", "input,layers", "-o", "cli.csv")
    model, data = opened("a.npz")
    model.score(data, wrt=["input", "layers"]).save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()


def test_outliers(command, here):
    command(here, "outliers", "m.onnx", "a.npz", "-o", "cli.csv", "--report", "cli.html", "--rank-by", "fi_lambda")
    model, data = opened("a.npz")
    truth = np.load("a.npz")["truth"]
    found = quaver.outliers(model, data, truth=truth, rank_by="fi_lambda")
    found.save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    found.report("py.html")
    # The command line says which file its rows are in, below the ranking.
    cli, py = (pathlib.Path(name).read_text().replace('"all_in": "cli.csv"', '"all_in": ""') for name in ("cli.json", "py.json"))
    assert json.loads(cli)["sections"][0] == json.loads(py)["sections"][0]
    assert found.n_outliers == 13 and len(found) == 90


def test_outliers_are_found_as_scikit_learn_counts(model):
    metrics = pytest.importorskip("sklearn.metrics")
    glyphs = quaver.demo.glyphs(300, seed=4)
    truth = glyphs.truth != "clean"
    found = quaver.outliers(model, glyphs.x, glyphs.y, truth=truth)
    areas = dict(zip(found.detection["measure"], found.detection["roc_auc"]))
    precisions = dict(zip(found.detection["measure"], found.detection["average_precision"]))
    for measure, sign in (("fi", 1), ("fi_lambda", 1), ("p_label", -1), ("margin_radius", -1)):
        suspicion = sign * found[measure]
        assert np.isclose(areas[measure], metrics.roc_auc_score(truth, suspicion), rtol=1e-12), measure
        assert np.isclose(precisions[measure], metrics.average_precision_score(truth, suspicion), rtol=1e-12), measure
        x, y = found.roc(measure).T
        assert np.isclose(np.trapezoid(y, x) if hasattr(np, "trapezoid") else np.trapz(y, x), areas[measure])
    ranking = found.ranking(5, by="p_label")
    assert list(ranking["p_label"]) == sorted(found["p_label"])[:5]


def test_a_store_merges_classes(command, here):
    command(here, "score", "m.onnx", "a.npz", "--store", "apart", "--quiet")
    command(here, "analyze", "apart", "--classes", "3", "-o", "cli.csv")
    quaver.analyze("apart", classes=3).save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    for decided in ({"precision": "f64"}, {"winograd": False}):
        with pytest.raises(quaver.OptionError, match=next(iter(decided))):
            quaver.outliers("apart", **decided)


def test_several_files_are_one_dataset(command, here):
    command(here, "score", "m.onnx", "{a,b}.npz", "-o", "cli.csv")
    model, data = opened("{a,b}.npz")
    assert len(data) == 180
    model.score(data).save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()


def test_comparison(command, here):
    command(here, "compare", "m.onnx", "--train", "a.npz", "--test", "b.npz", "--resamples", 100, "-o", "cli.csv", "--report", "cli.html")
    model, train = opened("a.npz")
    found = quaver.compare(model, train, quaver.open("b.npz", model=model), resamples=100)
    found.save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    found.report("py.html")
    same_page("cli.html", "py.html")
    for values, name in zip(found.values("fi_lambda"), ("a.npz", "b.npz")):
        alone = model.score(quaver.open(name, model=model), label="predicted")["fi_lambda"]
        assert np.array_equal(values, np.sort(alone))


def test_comparison_of_networks(command, here):
    (here / "n.onnx").write_bytes((here / "m.onnx").read_bytes())
    command(here, "compare", "m.onnx", "--model", "n.onnx", "--train", "a.npz", "--test", "b.npz", "--resamples", 10, "-o", "cli.csv")
    arrays = [np.load(name) for name in ("a.npz", "b.npz")]
    sets = [(data["x"], data["y"]) for data in arrays]
    found = quaver.compare({"m.onnx": "m.onnx", "n.onnx": quaver.load("n.onnx")}, *sets, resamples=10)
    found.save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    assert list(found.overview["model"]) == ["m.onnx", "n.onnx"]
    # The same set twice: no measure tells them apart.
    alike = quaver.compare(quaver.load("m.onnx"), sets[0], sets[0], resamples=10)
    assert (alike["superiority"] == 0.5).all() and (alike["ks"] == 0).all()


def test_layers(command, here):
    options = ["--verify", "noise", "--strengths", "0.03,0.1", "--draws", 2, "--seed", 5]
    command(here, "layers", "m.onnx", "a.npz", *options, "-o", "cli.csv", "--report", "cli.html", "--json")
    model, data = opened("a.npz")
    found = quaver.layers(model, data, verify="noise", strengths=[0.03, 0.1], draws=2, seed=5)
    found.save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    found.report("py.html")
    same_page("cli.html", "py.html")
    # A network from memory is disturbed alike.
    arrays = np.load("a.npz")
    again = quaver.layers(quaver.demo.model(), arrays["x"], arrays["y"], verify="noise", strengths=[0.03, 0.1], draws=2, seed=5)
    for column in ("strength", "mean_kl", "predicted_kl", "agreement", "accuracy"):
        assert np.array_equal(again.disturbed[column], found.disturbed[column], equal_nan=True), column
    assert set(found.agreement["measure"]) >= {"noise_kl", "rel_fi_lambda", "fi"}
    for at, layer in enumerate(found["layer"]):
        assert np.isclose(np.median(found.values(layer)), found["noise_kl"][at], equal_nan=True) or layer == "params"
    assert quaver.layers(model, data).disturbed is None
    with pytest.raises(quaver.OptionError, match="measure 'fo'"):
        found.report("py.html", rank_by="fo")


def test_units_knocked_out(command, here):
    options = ["--verify", "knockout-units", "--strengths", "0.5,1", "--draws", 2, "--rank-by", "rel_fi_lambda"]
    json_text = command(here, "layers", "m.onnx", "a.npz", *options, "--report", "cli.html", "--json").stdout
    model, data = opened("a.npz")
    found = quaver.layers(model, data, verify="knockout-units", strengths=[0.5, 1.0], draws=2)
    found.report("py.html", rank_by="rel_fi_lambda")
    same_page("cli.html", "py.html")
    expected = json.loads(json_text)["networks"][0]["verification"]
    assert [row["layer"] for row in expected["layers"]] == list(found.disturbed["layer"])
    assert [row["mean_kl"] for row in expected["layers"]] == list(found.disturbed["mean_kl"])
    # Without any unit of its last layer the network answers alike to every sample: as often right as its one answer is.
    y = np.load("a.npz")["y"]
    gone = found.disturbed["accuracy"][found.disturbed["strength"] == 1.0]
    assert np.isclose(gone, (y == np.arange(10)[:, None]).mean(axis=1)[:, None]).any()


def test_maps(command, here):
    command(here, "map", "m.onnx", "a.npz", "--indices", "3,7", "--scales", "1,5", "-o", "maps", "--report", "cli.html")
    model = quaver.load("m.onnx")
    found = quaver.map(model, quaver.open("a.npz", model=model, indices=[3, 7]), scales=[1, 5])
    assert len(found) == 2 and [one.index for one in found] == [3, 7]
    for one in found:
        expected = np.load(here / "maps" / f"a-{one.index:05}.npz")
        arrays = one.arrays()
        assert set(arrays) == set(expected.files)
        for name in expected.files:
            assert np.array_equal(arrays[name], expected[name]), name
        one.save("map.npz")
        assert pathlib.Path("map.npz").read_bytes() == (here / "maps" / f"a-{one.index:05}.npz").read_bytes()
    found.report("py.html")
    pages = [json.loads(pathlib.Path(name).read_text()) for name in ("cli.json", "py.json")]
    # The command calls images by the files that it writes of them.
    for page, images in zip(pages, (["a-00003", "a-00007"], ["image 3", "image 7"])):
        assert [section["heading"] for section in page["sections"]] == ["How to read the maps", *images, "All numbers"]
    assert pages[0]["title"] == pages[1]["title"] == "Maps of a.npz" and pages[0]["lead"] == pages[1]["lead"]
    blocks = [[section["blocks"] for section in page["sections"][:-1]] for page in pages]
    assert blocks[0] == blocks[1]
    assert pages[0]["run"] == pages[1]["run"]
    planes = found.planes("fi_lambda", 5)
    assert planes.shape == (2, 28, 28) and np.array_equal(planes[1], found[-1].plane("fi_lambda", 5))
    said = json.loads((here / "maps" / "maps.json").read_text())["images"]
    shares = [one["saturated_share"] for image in said for one in image["maps"]]
    assert np.allclose(found.table["saturated"], shares)
    # A window larger than the picture is the picture.
    whole = quaver.map(model, quaver.open("a.npz", model=model, indices=[3]), scales=[55])[0]
    score = model.score(quaver.open("a.npz", model=model, indices=[3]), label="predicted")
    assert np.allclose(whole.plane("fi_lambda", 55), score["fi_lambda"][0], rtol=1e-5)


def test_attacks(command, here):
    attacks = ["fgsm", "deepfool", "fi-pixel", "random-pixel"]
    options = ["--bounds", "0,1", "--attack", ",".join(attacks), "--pixels", 2, "--limit", 20]
    command(here, "attack", "m.onnx", "a.npz", *options, "-o", "cli.csv", "--save", "cli.npz", "--report", "cli.html")
    model = quaver.load("m.onnx")
    data = quaver.open("a.npz", model=model, indices=list(range(20)))
    found = quaver.attack(model, data, bounds=(0, 1), attacks=attacks, pixels=2)
    found.save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    arrays, expected = found.adversarial(), np.load("cli.npz")
    assert set(arrays) == set(expected.files)
    for name in expected.files:
        assert np.array_equal(arrays[name], expected[name], equal_nan=name == "epsilon"), name
    found.report("py.html")
    # "--limit 20" and the indices 0 to 19 are the same samples.
    same_page("cli.html", "py.html", without=["indices", "limit"])
    # What is said to be a success is one, by a forward pass of its own.
    flipped = arrays["success"] == 1
    assert flipped.any() and arrays["x_adv"].min() >= 0 and arrays["x_adv"].max() <= 1
    assert (model.predict(arrays["x_adv"][flipped]) == arrays["predicted"][flipped]).all()
    assert (arrays["predicted"][flipped] != arrays["y"][flipped]).all()
    rates = {name: arrays["success"][arrays["attacks"][arrays["attack"]] == name].mean() for name in attacks}
    assert dict(zip(found.summary["attack"], found.summary["success"])) == pytest.approx(rates)
    # Pixels chosen in the published program's arithmetic.
    command(here, "attack", "m.onnx", "a.npz", "--bounds", "0,1", "--attack", "fi-pixel", "--compat", 0.01, "--limit", 20, "-o", "cli.csv")
    published = quaver.attack(model, data, bounds=(0, 1), attacks="fi-pixel", compat=0.01)
    published.save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    exact = quaver.attack(model, data, bounds=(0, 1), attacks="fi-pixel")
    assert published.summary["queries"][0] != exact.summary["queries"][0]


def test_bounds_of_attacks(model, glyphs):
    x = glyphs.x[:8]
    with pytest.raises(quaver.OptionError, match="range of the data"):
        quaver.attack(model, x, glyphs.y[:8], attacks="fgsm")
    seen = quaver.attack(model, x, glyphs.y[:8], attacks="fgsm", bounds="auto").adversarial()["x_adv"]
    assert seen.min() >= x.min() and seen.max() <= x.max()
    # Bytes say their range themselves.
    quaver.attack(model, (255 * x).astype(np.uint8), glyphs.y[:8], attacks="fgsm", label="predicted")
    for bad in ((1, 0), "seen"):
        with pytest.raises(quaver.OptionError, match="bounds"):
            quaver.attack(model, x, glyphs.y[:8], bounds=bad)


def test_simulated(command, here):
    for kind, options in (("overlay", {"max_shift": 3}), ("mislabel", {})):
        flags = ["--max-shift", 3] if options else []
        command(here, "simulate", kind, "a.npz", "--outliers", 9, "--seed", 7, *flags, "-o", "cli.npz")
        data = np.load("a.npz")
        made = getattr(quaver.simulate, kind)(data["x"], data["y"], n_outliers=9, seed=7, **options)
        expected = np.load("cli.npz")
        assert set(made._fields) == set(expected.files)
        made.save("py.npz")
        for name in expected.files:
            for array in (getattr(made, name), np.load("py.npz")[name]):
                assert array.dtype == expected[name].dtype and np.array_equal(array, expected[name]), (kind, name)
    assert quaver.simulate.mislabel((255 * data["x"]).astype(np.uint8), data["y"]).x.dtype == np.uint8
    with pytest.raises(quaver.OutputError, match="nowhere"):
        made.save("nowhere/py.npz")


def test_stores_are_those_of_the_command_line(command, here):
    command(here, "score", "m.onnx", "a.npz", "--wrt", "input,layers", "--store", "cli-store")
    model, data = opened("a.npz")
    store = quaver.fill("py-store", model, data, wrt=["input", "layers"])
    assert len(store) == 90 and store.made_from["data"]["name"] == "a.npz"
    for file in sorted((here / "cli-store").iterdir()):
        assert (here / "py-store" / file.name).read_bytes() == file.read_bytes(), file.name
    # Each goes on with what the other began.
    quaver.fill("cli-store", model, data, wrt=["input", "layers"])
    command(here, "analyze", "py-store", "--objective", "margin", "--wrt", "params,input", "-o", "cli.csv")
    quaver.analyze(store, objective="margin", wrt=["params", "input"]).save("py.csv")
    assert pathlib.Path("py.csv").read_bytes() == pathlib.Path("cli.csv").read_bytes()
    # Every task reads scores, and does not know from where.
    truth = np.load("a.npz")["truth"]
    whole = quaver.outliers(model, data, truth=truth).detection
    stored = quaver.outliers(store, truth=truth, wrt="input").detection
    assert stored.to_dict().keys() == whole.to_dict().keys()
    assert np.array_equal(stored["roc_auc"], whole["roc_auc"])
    assert np.array_equal(quaver.layers("py-store", wrt="layers")["rel_fi_lambda"], quaver.layers(model, data, wrt="layers")["rel_fi_lambda"])
    compared = quaver.compare(None, store, "cli-store", wrt="input", resamples=10)
    assert (compared["superiority"] == 0.5).all()
    for result, name in ((quaver.outliers(store), "o.html"), (quaver.layers(store), "l.html"), (compared, "c.html")):
        result.report(name)
        assert pathlib.Path(name).stat().st_size > 10_000


def test_maps_and_attacks_open_what_a_store_was_made_from(command, here):
    model, data = opened("a.npz")
    store = quaver.fill("grams", model, data, store_as="f32")
    for task, options in ((quaver.map, {"scales": [1, 3]}), (quaver.attack, {"attacks": "fgsm", "bounds": (0, 1)})):
        name = task.__name__
        chosen = quaver.open("a.npz", model=model, indices=[3, 50])
        pages = []
        for found in (task(model, chosen, **options), task(store, indices=[3, 50], **options)):
            found.report("page.html")
            pages.append(pathlib.Path("page.html").read_bytes())
        assert pages[0] == pages[1], name
        assert task("grams", indices=[7], **options) is not None
        for call, message in (
            (lambda: task(store, data), "already"),
            (lambda: task(store, y=[0] * 90), "y: .*grams"),
            (lambda: task(store, indices=[90]), "sample 90"),
            (lambda: task(model, data, indices=[1]), "indices"),
        ):
            with pytest.raises((quaver.OptionError, quaver.DataError), match=message):
                call()
    before = (here / "a.npz").read_bytes()
    (here / "a.npz").write_bytes(before + b"more")
    with pytest.raises(quaver.StoreError, match="a.npz, has changed"):
        quaver.map(store)
    (here / "a.npz").unlink()
    with pytest.raises(quaver.StoreError, match="a.npz, does not exist"):
        quaver.attack(store)
    (here / "a.npz").write_bytes(before)


def test_arrays_that_a_store_was_made_from_are_given_again(here):
    model, glyphs = quaver.load("m.onnx"), quaver.demo.glyphs(200)
    store = quaver.fill("arrays", model, glyphs.x, glyphs.y, wrt=["input", "layers"])
    attack = {"attacks": "fgsm", "bounds": (0, 1)}
    chosen = quaver.attack(store, glyphs.x, glyphs.y, indices=[3, 150], **attack)
    assert list(chosen["index"]) == [3, 150]
    alone = quaver.attack(model, glyphs.x[[3, 150]], glyphs.y[[3, 150]], **attack)
    for name in ("adv_p_label", "linf", "p_label"):
        assert np.array_equal(chosen[name], alone[name], equal_nan=True), name
    maps = quaver.map(store, glyphs.x, indices=[150], scales=[3])
    assert maps[0].index == 150
    assert np.array_equal(maps[0].plane("fi", 3), quaver.map(model, glyphs.x[150:151], scales=[3])[0].plane("fi", 3))
    chosen.report("arrays.html")
    assert json.loads(pathlib.Path("arrays.json").read_text())["run"]["indices"] == "3,150"
    verify = {"verify": "noise", "draws": 1, "wrt": "layers"}
    again = quaver.layers(store, glyphs.x, glyphs.y, **verify)
    whole = quaver.layers(model, glyphs.x, glyphs.y, **verify)
    for name in ("layer", "mean_kl", "predicted_kl"):
        assert list(again.disturbed[name]) == list(whole.disturbed[name]), name
    # A shard has the samples of its part.
    shard = quaver.fill("array-shard", model, glyphs.x, glyphs.y, shard="2/2")
    assert list(quaver.attack(shard, glyphs.x, glyphs.y, **attack)["index"])[::63][:2] == [128, 191]
    memory = quaver.Model(pathlib.Path("m.onnx").read_bytes())
    other = glyphs.x.copy()
    other[7] += 1
    for call, message in (
        (lambda: quaver.map(store), "came from memory.* give them again"),
        (lambda: quaver.layers(store, **verify), "came from memory.* give them again"),
        (lambda: quaver.map(store, other), "x is not what it was made from"),
        (lambda: quaver.map(store, glyphs.x.astype(np.float32)), "x is not what it was made from: float64 .* not float32"),
        (lambda: quaver.attack(store, glyphs.x, glyphs.y[::-1], **attack), "y is not what it was made from"),
        (lambda: quaver.attack(store, glyphs.x[:9], **attack), "x is not what it was made from"),
        (lambda: quaver.attack(store, glyphs.x, indices=[200], **attack), "sample 200"),
        (lambda: quaver.attack(shard, glyphs.x, glyphs.y, indices=[3], **attack), "sample 3"),
        (lambda: quaver.map(quaver.fill("bytes", memory, glyphs.x, glyphs.y), glyphs.x), "model came from memory"),
        (lambda: quaver.outliers(store, y=glyphs.y), "y: .*arrays"),
    ):
        with pytest.raises((quaver.OptionError, quaver.DataError, quaver.StoreError), match=message):
            call()


def test_a_store_of_files_is_read_once(command, here):
    """Records of runs on a store say of its files what was seen when they were found."""
    command(here, "score", "m.onnx", "a.npz", "--store", "once", "--wrt", "input,layers")
    attacked = quaver.attack("once", indices=[3], attacks="fgsm", bounds=(0, 1))
    layers = quaver.layers("once", wrt="layers", verify="noise", draws=1)
    command(here, "layers", "once", "--wrt", "layers", "--verify", "noise", "--draws", "1", "--report", "cli.html")
    layers.report("py.html")
    same_page("cli.html", "py.html")
    command(here, "attack", "once", "--indices", "3", "--attack", "fgsm", "--bounds", "0,1", "--report", "cli.html")
    before = (here / "a.npz").read_bytes()
    (here / "a.npz").rename(here / "moved.npz")
    attacked.report("py.html")
    (here / "moved.npz").rename(here / "a.npz")
    assert (here / "a.npz").read_bytes() == before
    same_page("cli.html", "py.html")


def test_arrays_in_fortran_order_are_read_as_numpy_reads_them(model, tmp_path):
    x = np.random.default_rng(3).random((70, 1, 28, 28)).astype(np.float32)
    np.save(tmp_path / "c.npy", x)
    np.save(tmp_path / "f.npy", np.asfortranarray(x))
    np.savez(tmp_path / "f.npz", x=np.asfortranarray(x), y=np.arange(70) % 10)
    assert np.load(tmp_path / "f.npy").flags.f_contiguous
    for name in ("f.npy", "f.npz"):
        data = quaver.open(tmp_path / name, model=model)
        assert all(np.array_equal(data[i][0], x[i].astype(np.float64)) for i in (69, 0, 33)), name


def test_shards_are_merged(here, model):
    glyphs = quaver.demo.glyphs(200, seed=9)
    for part in ("2/2", "1/2"):
        quaver.fill(f"part-{part[0]}", model, glyphs.x, glyphs.y, shard=part)
    merged = quaver.merge("merged", ["part-2", "part-1"])
    whole = quaver.fill("whole", model, glyphs.x, glyphs.y)
    assert len(merged) == len(whole) == 200
    names = sorted(file.name for file in (here / "whole").iterdir())
    assert names == sorted(file.name for file in (here / "merged").iterdir())
    for name in names:
        assert (here / "whole" / name).read_bytes() == (here / "merged" / name).read_bytes()
    scores, stored = model.score(glyphs.x, glyphs.y), quaver.analyze("merged")
    for name in scores.columns:
        if scores.kinds[name] != "text":
            assert np.array_equal(scores[name], stored[name], equal_nan=True), name
    with pytest.raises(quaver.StoreError, match="holds another run"):
        quaver.fill("whole", model, glyphs.x[:100], glyphs.y[:100])
    with pytest.raises(quaver.StoreError, match="not a store"):
        quaver.Store("nowhere")
    with pytest.raises(quaver.OptionError, match="shard"):
        quaver.fill("other", model, glyphs.x, glyphs.y, shard="3/2")


def test_a_run_that_was_interrupted_goes_on(here, model):
    """Interrupted by Ctrl-C in the middle; what is there is not computed again, and the bytes are those of one go."""
    import _thread
    import threading

    x = np.repeat(quaver.demo.glyphs(100, seed=6).x, 60, axis=0)
    options = {"label": "predicted", "wrt": ["input", "layers"], "precision": "f64", "threads": 1}
    timer = threading.Timer(1.0, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        quaver.fill("again", model, x, **options)
    timer.join()
    with pytest.raises(quaver.StoreError, match="not complete"):
        quaver.Store("again")
    there = {file.name: file.stat().st_mtime_ns for file in (here / "again").glob("part-*.parquet")}
    quaver.fill("again", model, x, **{**options, "threads": 2})
    assert all((here / "again" / name).stat().st_mtime_ns == time for name, time in there.items())
    assert len(quaver.Store("again")) == len(x)


def test_pages_are_gathered(command, here, model, glyphs):
    quaver.outliers(model, glyphs.x, glyphs.y).report("outliers.html")
    quaver.attack(model, glyphs.x[:9], glyphs.y[:9], bounds=(0, 1), attacks="fgsm").report("attacks.html")
    quaver.map(model, glyphs.x[:2], scales=[1, 3]).report("maps.html")
    pages = ["outliers.json", "attacks.json", "maps.json"]
    quaver.report(pages, "py.html", title="All")
    command(here, "report", *pages, "-o", "cli.html", "--title", "All")
    # A page links to its numbers by name.
    assert pathlib.Path("py.html").read_text().replace("py.json", "cli.json") == pathlib.Path("cli.html").read_text()
    with pytest.raises(quaver.DataError, match="nowhere.json"):
        quaver.report(["nowhere.json"], "py.html")
    with pytest.raises(quaver.OutputError):
        quaver.report(pages, "nowhere/py.html")


def test_figures(model, glyphs, tmp_path):
    pytest.importorskip("matplotlib")
    x, y = glyphs.x, glyphs.y
    found = quaver.outliers(model, x, y, truth=glyphs.truth != "clean")
    compared = quaver.compare(model, (x[:60], y[:60]), (x[60:], y[60:]), resamples=10)
    layers = quaver.layers(model, x, y)
    maps = quaver.map(model, x[:2], scales=[1, 5])
    attacks = quaver.attack(model, x[:20], y[:20], bounds=(0, 1), attacks=["fgsm", "deepfool", "random-pixel"])
    figures = {
        "outliers": found.plot(),
        "unknown": quaver.outliers(model, x, y).plot(),
        "compared": compared.plot(),
        "layers": layers.plot(),
        "maps": maps.plot(n=2),
        "attacks": attacks.plot(),
        "queries": attacks.plot("queries"),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000, name
    # What is drawn is what was found.
    line = figures["outliers"].axes[0].lines[0]
    assert np.array_equal(line.get_xydata(), found.roc("fi"))
    assert np.array_equal(figures["compared"].axes[0].lines[0].get_xdata(), compared.values("fi_lambda")[0])
    assert np.array_equal(figures["maps"].axes[1].images[0].get_array(), maps[0].plane("fi_lambda", 1))
    lines = {line.get_label(): line.get_xydata() for line in figures["attacks"].axes[0].lines}
    assert set(lines) == {"fgsm", "deepfool", "random-pixel"}
    for name, points in attacks.curves("l2").items():
        assert np.array_equal(lines[name][1:], points), name


def test_what_is_said_in_notebooks(model, glyphs):
    x, y = glyphs.x[:40], glyphs.y[:40]
    results = [
        quaver.outliers(model, x, y),
        quaver.compare(model, (x, y), (x, y), resamples=10),
        quaver.layers(model, x, y),
        quaver.map(model, x[:1], scales=[3]),
        quaver.attack(model, x[:5], y[:5], bounds=(0, 1), attacks="fgsm"),
    ]
    for result in results:
        assert "<table>" in result._repr_html_() and len(repr(result)) > 40
    assert results[3][0]._repr_png_().startswith(b"\x89PNG")
    # Tables of results go where every table goes.
    polars = pytest.importorskip("polars")
    for result in results[:3] + results[4:]:
        assert isinstance(result, quaver.Table)
        assert polars.DataFrame(result).columns == result.columns
    assert results[3].to_polars().columns == results[3].table.columns


def test_errors(model, glyphs, tmp_path):
    x, y = glyphs.x[:20], glyphs.y[:20]
    cases = [
        (lambda: quaver.outliers(model, x, y, rank_by="fo"), quaver.OptionError, "there are fi, saturation"),
        (lambda: quaver.outliers(model, x, y, truth=np.zeros(20, int)), quaver.OptionError, "none of the scored samples is an outlier"),
        (lambda: quaver.outliers(model, x, y, truth=[1, 0]), quaver.DataError, "truth is known of 2 samples"),
        (lambda: quaver.outliers(model, x, y, truth=2 * np.ones(20, int)), quaver.DataError, "must be 0 or 1"),
        (lambda: quaver.outliers(model, x), quaver.DataError, "no labels"),
        (lambda: quaver.outliers(model), quaver.DataError, "samples"),
        (lambda: quaver.outliers(tmp_path / "nowhere.onnx", x, y), quaver.ModelError, "nowhere.onnx"),
        (lambda: quaver.outliers(model, x, y).roc(), quaver.OptionError, "truth"),
        (lambda: quaver.compare(model, x, x, confidence=1), quaver.OptionError, "between 0 and 1"),
        (lambda: quaver.compare(None, x, x), quaver.OptionError, "two stores"),
        (lambda: quaver.compare({}, x, x), quaver.OptionError, "at least one"),
        (lambda: quaver.layers(model, x, y, verify="magic"), quaver.OptionError, "noise, knockout or knockout-units"),
        (lambda: quaver.layers(model, x, y, verify="noise", draws=0), quaver.OptionError, "draws"),
        (lambda: quaver.layers(model, x, y).values("fo"), quaver.OptionError, "layer 'fo'"),
        (lambda: quaver.map(model, x, scales=[2]), quaver.OptionError, "odd"),
        (lambda: quaver.map(model, x, scales=[3])[0].plane("fi", 5), quaver.OptionError, "scales"),
        (lambda: quaver.map(model, x, scales=[3])[20], IndexError, "20"),
        (lambda: quaver.attack(model, x, y, bounds=(0, 1), attacks="magic"), quaver.OptionError, "magic"),
        (lambda: quaver.attack(model, x, y, bounds=(0, 0.5)), quaver.DataError, "none of the 20"),
        (lambda: quaver.simulate.overlay(x, y, max_shift=99), quaver.DataError, "99"),
    ]
    for call, kind, text in cases:
        with pytest.raises(kind, match=text) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_samples_that_are_left_out_are_told_of(model, glyphs):
    x = glyphs.x[:10].copy()
    x[3, 0, 5, 5] = np.nan
    with pytest.warns(UserWarning, match="1 of 10 samples are left out; sample 3"):
        assert len(quaver.outliers(model, x, glyphs.y[:10])) == 9
    with pytest.raises(quaver.QuaverError, match="sample 3"):
        quaver.outliers(model, x, glyphs.y[:10], strict=True)


def test_ctrl_c_and_the_interpreter(model):
    import _thread
    import threading
    import time

    glyphs = quaver.demo.glyphs(100)
    x, y = np.repeat(glyphs.x, 100, axis=0), np.repeat(glyphs.y, 100)
    tasks = [
        lambda: quaver.outliers(model, x, y, wrt=["input", "layers"], precision="f64", threads=1),
        lambda: quaver.map(model, x, threads=1),
        lambda: quaver.attack(model, x, y, bounds=(0, 1), attacks="all", threads=1),
        lambda: quaver.layers(model, x[:2000], y[:2000], wrt="layers", verify="noise", draws=200, threads=1),
    ]
    for task in tasks:
        turns = []
        timer = threading.Timer(0.5, _thread.interrupt_main)
        beside = threading.Thread(target=lambda: [time.sleep(0.01) or turns.append(1) for _ in range(20)])
        timer.start()
        beside.start()
        with pytest.raises(KeyboardInterrupt):
            task()
        beside.join()
        timer.join()
        assert len(turns) == 20
