"""FiftyOne Brain's functions on generated vectors, and ours on the same."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import neighbours, scores

ROOT = Path(__file__).parents[2]
WIDTH, CENTRES, NEAR = 384, 20, 0.05
Vectors = NDArray[np.float32]


def beside(folder: Path, pictures: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(72)
    vectors = rng.normal(size=(pictures, WIDTH)).astype(np.float32)
    vectors[1::20] = vectors[::20][: len(vectors[1::20])] + 0.05  # near copies, for both to find
    p = rng.random(pictures)
    theirs = dict(_brain(folder, vectors, p))
    for score, ours in _ours(vectors, p).items():
        yield {"pictures": pictures, "score": score, "brain": theirs[score], "ours": _timed(ours)}


def _ours(vectors: Vectors, p: NDArray[np.float64]) -> dict[str, Callable[[], Any]]:
    return {
        "uniqueness": lambda: scores.uniqueness(neighbours.others(vectors, 3)[1]),
        "near duplicates": lambda: neighbours.pairs(vectors, 1 - NEAR),
        "representativeness": lambda: scores.representativeness(vectors, _centres(vectors)),
        "hardness": lambda: scores.entropy(p),
    }


def _centres(vectors: Vectors) -> Vectors:
    """Found as Brain finds its own, so that what differs is the rest."""
    from sklearn.cluster import KMeans

    centres: Vectors = KMeans(n_clusters=CENTRES, random_state=1234).fit(vectors).cluster_centers_
    return centres


def _brain(folder: Path, vectors: Vectors, p: NDArray[np.float64]) -> Iterator[tuple[str, float]]:
    os.environ["RETRAIN_HOME"] = str(folder)
    (folder / ".mongod").symlink_to(ROOT / ".mongod")
    from pipeline.services import mongo

    with mongo.running():
        import fiftyone
        import fiftyone.brain

        fiftyone.config.show_progress_bars = False
        dataset = _dataset(fiftyone, folder, p)
        brain = fiftyone.brain
        yield "uniqueness", _timed(lambda: brain.compute_uniqueness(dataset, embeddings=vectors))
        yield (
            "near duplicates",
            _timed(lambda: brain.compute_near_duplicates(dataset, threshold=NEAR, embeddings=vectors)),
        )
        yield (
            "representativeness",
            _timed(lambda: brain.compute_representativeness(dataset, embeddings=vectors)),
        )
        yield "hardness", _timed(lambda: brain.compute_hardness(dataset, "prediction"))
        dataset.delete()


def _dataset(fiftyone: Any, folder: Path, p: NDArray[np.float64]) -> Any:
    dataset = fiftyone.Dataset("beside", persistent=True)
    dataset.add_samples(_samples(fiftyone, folder, p), progress=False)
    return dataset


def _samples(fiftyone: Any, folder: Path, p: NDArray[np.float64]) -> Iterator[Any]:
    for row, logit in enumerate(np.log(p / (1 - p))):
        said = fiftyone.Classification(label="roadwork", logits=[0.0, logit])
        yield fiftyone.Sample(filepath=f"{folder}/{row}.jpg", prediction=said)


def _timed(do: Callable[[], Any]) -> float:
    before = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    do()
    return round(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - before, 2)
