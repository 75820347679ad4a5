"""A folder to be at home in: no test writes into the checkout."""

from pathlib import Path

import pytest
from hypothesis import settings

# A machine that stands still for a moment has found no fault, and a fault is found by everybody who looks.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with the content-addressed pictures inside it."""
    for name in (
        "UNTIL",
        "IMAGES",
        "FEATURES",
        "PAINTINGS",
        "PULLED",
        "KIN",
        "GOLD",
        "FACTS",
        "FIFTYONE_DATABASE_URI",
        "RETRAIN_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
