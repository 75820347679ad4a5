"""What FiftyOne Brain says of the data in FOLDER/data.npz, as JSON in FOLDER/said.json; a mongod of its own.

In a process of its own, since FiftyOne connects once per process.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.services import mongo

ROOT = Path(__file__).parents[2]
NEAR = 0.05


def main(folder: Path) -> None:
    os.environ["RETRAIN_HOME"] = str(folder)
    (folder / ".mongod").symlink_to(ROOT / ".mongod")
    with mongo.running():
        import fiftyone
        import fiftyone.brain

        fiftyone.config.show_progress_bars = False
        data = dict(np.load(folder / "data.npz"))
        (folder / "said.json").write_text(json.dumps(said(fiftyone, shown(fiftyone, data), data)))


def shown(fiftyone: Any, data: dict[str, Any]) -> Any:
    dataset = fiftyone.Dataset("brain")
    words = ("clear", "roadwork")
    samples = []
    for row, (p, label, split) in enumerate(zip(data["p"], data["label"], data["split"], strict=True)):
        sample = fiftyone.Sample(filepath=f"/nowhere/{row}.jpg", tags=[str(split)])
        logits = [0.0, float(np.log(p / (1 - p)))]
        sample["prediction"] = fiftyone.Classification(label=words[int(p > 0.5)], logits=logits)
        sample["truth"] = None if np.isnan(label) else fiftyone.Classification(label=words[int(label)])
        samples.append(sample)
    dataset.add_samples(samples, progress=False)
    return dataset


def said(fiftyone: Any, dataset: Any, data: dict[str, Any]) -> dict[str, Any]:
    brain, vectors = fiftyone.brain, data["vectors"]
    brain.compute_uniqueness(dataset, embeddings=vectors.copy())
    brain.compute_hardness(dataset, "prediction")
    brain.compute_mistakenness(dataset, "prediction", "truth", use_logits=True)
    brain.compute_representativeness(dataset, embeddings=vectors.copy())
    near = brain.compute_near_duplicates(dataset, threshold=NEAR, embeddings=vectors.copy())
    leaks = brain.compute_leaky_splits(
        dataset, splits=["train", "test"], threshold=NEAR, embeddings=vectors.copy()
    )
    row = {name: number for number, name in enumerate(dataset.values("id"))}
    fields = ("uniqueness", "hardness", "mistakenness", "representativeness")
    return {field: dataset.values(field) for field in fields} | {
        "duplicates": sorted(row[name] for name in near.duplicate_ids),
        "distances": [
            (row[one], row[other], float(distance))
            for one, found in near.neighbors_map.items()
            for other, distance in found
        ],
        "leaks": sorted(row[name] for name in leaks.leak_ids),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
