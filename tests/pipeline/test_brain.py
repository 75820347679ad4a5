"""FiftyOne Brain beside ours: equal where Brain is right, and where it is not, by what docs/brain.md says.

Each of its mistakes is shown here, so that a Brain without it fails the test, and the page can be corrected.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import neighbours, scores

ROOT = Path(__file__).parents[2]
NEAR = 0.05

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("fiftyone") is None or not (ROOT / ".mongod").exists(),
        reason="FiftyOne and its mongod are not here: make setup",
    ),
]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Off the origin, as real vectors are; bursts of five dealt to both splits; a fifth without a label."""
    rng = np.random.default_rng(72)
    bursts = np.repeat(rng.normal(size=(60, 16)), 5, axis=0) + 0.02 * rng.normal(size=(300, 16))
    vectors = np.concatenate([bursts, rng.normal(size=(200, 16))]) + 0.3
    label = np.where(np.arange(500) % 5 == 3, np.nan, rng.integers(0, 2, 500))
    split = np.where(rng.random(500) < 0.5, "train", "test")
    return {"vectors": vectors.astype(np.float32), "p": rng.random(500), "label": label, "split": split}


@pytest.fixture(scope="module")
def said(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("brain")
    np.savez(folder / "data.npz", **data)
    asked = [sys.executable, str(Path(__file__).with_name("brain_says.py")), str(folder)]
    own = {name: value for name, value in os.environ.items() if name != "FIFTYONE_DATABASE_URI"}
    done = subprocess.run(asked, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    return dict(json.loads((folder / "said.json").read_text()))


@pytest.fixture(scope="module")
def centred(data: dict[str, Any]) -> Any:
    """What Brain compares up to 15,000 samples: vectors less their mean."""
    return data["vectors"] - data["vectors"].mean(axis=0)


def true_pairs(vectors: Any) -> set[tuple[int, int]]:
    left, right = neighbours.pairs(vectors, 1 - NEAR)
    return set(zip(left.tolist(), right.tolist(), strict=True))


def test_hardness_is_entropy(data: dict[str, Any], said: dict[str, Any]) -> None:
    assert said["hardness"] == pytest.approx(scores.entropy(data["p"]), abs=1e-12)


def test_mistakenness_where_there_is_a_label(data: dict[str, Any], said: dict[str, Any]) -> None:
    ours, theirs = scores.mistakenness(data["p"], data["label"]), np.array(said["mistakenness"])
    known = ~np.isnan(data["label"])
    assert theirs[known] == pytest.approx(ours[known], abs=1e-12)


def test_brain_takes_a_missing_label_for_agreement(data: dict[str, Any], said: dict[str, Any]) -> None:
    without = np.isnan(data["label"])
    agreeing = scores.mistakenness(data["p"], (data["p"] > 0.5).astype(float))
    assert np.array(said["mistakenness"])[without] == pytest.approx(agreeing[without], abs=1e-12)


def test_brains_uniqueness_leaves_the_nearest_out(said: dict[str, Any], centred: Any) -> None:
    _, similarity = neighbours.others(centred, 4)
    left_out = scores.uniqueness(similarity[:, 1:])
    assert said["uniqueness"] == pytest.approx(left_out / left_out.max(), abs=1e-5)
    ours = scores.uniqueness(similarity)
    assert not np.allclose(said["uniqueness"], ours / ours.max(), atol=0.05)


def test_representativeness_is_inverted(data: dict[str, Any], said: dict[str, Any]) -> None:
    from sklearn.cluster import KMeans

    centres = KMeans(n_clusters=20, random_state=1234).fit(data["vectors"]).cluster_centers_
    ours = scores.representativeness(data["vectors"], centres)
    assert np.array(said["representativeness"]) == pytest.approx(1 - ours, abs=1e-4)


def test_near_duplicates_leave_one_of_each_group(said: dict[str, Any], centred: Any) -> None:
    pairs = true_pairs(centred)
    dropped = set(said["duplicates"])
    kept = set(range(len(centred))) - dropped
    assert not [pair for pair in pairs if kept.issuperset(pair)]
    assert dropped <= {row for pair in pairs for row in pair}
    ours = neighbours.alike(centred, 1 - NEAR)
    assert len(dropped) == len(centred) - len(np.unique(ours))


def test_the_distances_of_brains_near_duplicates_are_wrong(said: dict[str, Any], centred: Any) -> None:
    unit = neighbours.unit(centred)
    off = [abs(distance - (1 - float(unit[one] @ unit[other]))) for one, other, distance in said["distances"]]
    assert max(off) > NEAR


def test_brains_leaky_splits_miss_leaks(data: dict[str, Any], said: dict[str, Any], centred: Any) -> None:
    split = data["split"]
    across = [pair for pair in true_pairs(centred) if split[pair[0]] != split[pair[1]]]
    leaking, found = {row for pair in across for row in pair}, set(said["leaks"])
    assert found < leaking
    assert len(found) / len(leaking) < 0.9
