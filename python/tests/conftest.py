"""Where the shared test data are; without them tests are skipped, and in CI fail."""

from __future__ import annotations

import os
import pathlib
import signal

import numpy as np
import pytest

import quaver

# Started in the background, a process ignores Ctrl-C, and so would what is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data() -> pathlib.Path:
    beside = pathlib.Path(__file__).parents[3] / "shared" / "data"
    folder = pathlib.Path(os.environ.get("QUAVER_TEST_DATA", beside))
    if not folder.is_dir():
        assert "CI" not in os.environ, f"test data not found at {folder}"
        pytest.skip(f"no test data at {folder} (set QUAVER_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def model() -> quaver.Model:
    return quaver.demo.model()


@pytest.fixture(scope="session")
def glyphs() -> quaver.demo.Glyphs:
    return quaver.demo.glyphs(120, seed=3)


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    """Pictures without ties, so that the network is differentiable there."""
    return np.random.default_rng(0).random((4, 1, 28, 28))
