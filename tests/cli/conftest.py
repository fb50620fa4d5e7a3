from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data set; tests only read it."""
    root = tmp_path_factory.mktemp("synthetic")
    generate(root, SyntheticConfig(videos=5, width=160, height=120, workers=1))
    return root
