"""The gate as a stage: real bundles, the real runtime, a verdict with its evidence and a page to read."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest

from inference_runtime import bundle, preprocess
from inference_runtime.preprocess import Preprocess
from pipeline import classifier, export, features, gate, hub, images, params, samples
from pipeline.classifier import Head
from pipeline.gate import contest, replica
from pipeline.params import Age, Backbone, Gate

SHIPPED = params.load(Path(__file__).parents[2] / "params.yaml")

PARAMS = Gate(
    bar=0.01,
    alpha=0.05,
    gold_share=0.2,
    floor=0.5,
    screen=0.05,
    margin=0.02,
    slice_items=100,
    aged_loss=0.005,
    parity_views=12,
    parity_logit=0.001,
    replica=4,
    painted=3,
    bootstrap=50,
    latency_ms=10_000.0,
    memory_mb=100_000.0,
    size_mb=1000.0,
    seed=1,
)
AGE = Age(full_days=45, zero_day=90, retrain_by=30, upload_by=40, promote=False)


@pytest.fixture
def assemble(snap: Callable[[int, int], str], rooms: Path) -> Path:
    """Pictures of which those with label 1 are redder, as the fixture paints them."""
    splits = ["train"] * 4 + ["dev"] * 4 + ["holdout"] * 24 + ["rolling"] * 5
    rows = [
        {"image": snap(seed, seed % 2), "label": seed % 2, "split": split}
        for seed, split in enumerate(splits)
    ]
    table = pl.DataFrame(rows).with_columns(
        family=pl.col("image"),
        labelled_at=pl.lit(datetime(2026, 11, 20, tzinfo=UTC)),
        profile=pl.lit("native"),
        tags=pl.lit(["night"]),
        source=pl.lit("gold"),
    )
    (rooms / "assemble").mkdir()
    samples.write(samples.conform(table, samples.ASSEMBLED), rooms / "assemble")
    return rooms / "assemble"


def learned(assemble: Path, tiny: Backbone) -> Head:
    """The direction from the mean clear to the mean roadwork picture, fence in the middle."""
    table = samples.read(assemble)
    vectors, _ = features.embed(table, 1, tiny)
    labels = table["label"].to_numpy()
    clear, works = vectors[labels == 0].mean(0), vectors[labels == 1].mean(0)
    weight = (works - clear) / np.square(works - clear).sum() * 8
    return Head(weight.astype(np.float32), float(-weight @ (clear + works) / 2), 1.0, 0.0)


def sealed(head: Head, tiny: Backbone, assemble: Path, folder: Path) -> Path:
    train = folder.with_name(f"{folder.name}-train")
    for made in (train, folder):
        made.mkdir(parents=True)
    classifier.write(head, train, tiny)
    export.run(SHIPPED.export.model_copy(update={"parity_views": 2}), tiny, train, assemble, folder)
    return folder


def judged(
    rooms: Path,
    tiny: Backbone,
    challenger: Path,
    champion: Path | None,
    others: Sequence[hub.Attempt] = (),
    numbers: Gate = PARAMS,
) -> dict[str, object]:
    met = rooms / "champion"
    met.mkdir(exist_ok=True)
    if champion:  # the one of the call before stays otherwise
        champion.rename(met / "bundle")
    (met / "summary.json").write_text(json.dumps({"since": None, "due": False}))
    (met / "ledger.json").write_text(json.dumps([asdict(one) for one in others]))
    (rooms / "out").mkdir(exist_ok=True)
    gate.run(numbers, tiny, AGE, challenger, met, rooms / "assemble", rooms / "out")
    return dict(json.loads((rooms / "out" / "verdict.json").read_text()))


def opposite(head: Head) -> Head:
    return Head(-head.weight, -head.bias, 1.0, 0.0)


def test_a_first_champion_needs_no_opponent(rooms: Path, tiny: Backbone, assemble: Path) -> None:
    said = judged(rooms, tiny, sealed(learned(assemble, tiny), tiny, assemble, rooms / "export"), None)
    assert (said["value"], said["champion"]) == ("PASS", None)
    assert said["parity"]["flips"] == 0 and said["parity"]["max_logit"] < 1e-3  # type: ignore[index]
    assert {"table", "head", "backbone", "judged_by"} <= set(said["lineage"])  # type: ignore[call-overload]
    scores = said["scores"]["challenger"]  # type: ignore[index]
    low, high = scores["reward_interval"]
    assert low <= scores["reward"] <= high


def test_the_better_one_passes_and_the_page_shows_what_it_won(
    rooms: Path, tiny: Backbone, assemble: Path
) -> None:
    head = learned(assemble, tiny)
    champion = sealed(opposite(head), tiny, assemble, rooms / "old")
    # A street says nothing to a random network that was shown noise.
    numbers = PARAMS.model_copy(update={"painted": 0})
    challenger = sealed(head, tiny, assemble, rooms / "export")
    said = judged(rooms, tiny, challenger, champion, numbers=numbers)
    assert said["value"] == "PASS"
    assert said["scores"]["challenger"]["accuracy"] > 0.9  # type: ignore[index]
    page = (rooms / "out" / "report.html").read_text()
    assert ">PASS<" in page and "Won (" in page and "data:image/jpeg;base64," in page
    assert "http://" not in page and "https://" not in page  # it needs nothing else


def test_the_worse_one_fails(rooms: Path, tiny: Backbone, assemble: Path) -> None:
    head = learned(assemble, tiny)
    champion = sealed(head, tiny, assemble, rooms / "old")
    assert (
        judged(rooms, tiny, sealed(opposite(head), tiny, assemble, rooms / "export"), champion)["value"]
        == "FAIL"
    )


def test_an_engine_that_normalises_wrongly_fails_on_parity(
    rooms: Path, tiny: Backbone, assemble: Path
) -> None:
    folder = sealed(learned(assemble, tiny), tiny, assemble, rooms / "export")
    model = onnx.load(folder / "model.onnx")
    shifted = onnx.helper.make_node("Add", [f"{model.graph.output[0].name}_right", "shift"], ["logit"])
    for node in model.graph.node:
        node.output[:] = [f"{name}_right" if name == "logit" else name for name in node.output]
    model.graph.node.append(shifted)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.5, np.float32), "shift"))
    onnx.save(model, folder / "model.onnx")
    (folder / bundle.MANIFEST).unlink()
    bundle.seal(
        folder,
        classes=samples.CLASSES,
        preprocess=Preprocess(32, 32),
        engines={"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 20}},
        calibration={},
        lineage={},
        holdout=None,
    )
    said = judged(rooms, tiny, folder, None)
    assert said["value"] == "FAIL"
    assert "differs from torch" in said["reasons"][0]  # type: ignore[index]
    assert "scores" not in said  # gold was not touched


def test_the_same_inputs_give_the_same_bytes(rooms: Path, tiny: Backbone, assemble: Path) -> None:
    folder = sealed(learned(assemble, tiny), tiny, assemble, rooms / "export")
    judged(rooms, tiny, folder, None)
    before = {file.name: file.read_bytes() for file in (rooms / "out").iterdir()}
    judged(rooms, tiny, folder, None)
    assert {file.name: file.read_bytes() for file in (rooms / "out").iterdir()} == before


def test_fresh_items_are_asked_once_and_the_ledger_says_which(
    rooms: Path, tiny: Backbone, assemble: Path
) -> None:
    head = learned(assemble, tiny)
    champion = sealed(opposite(head), tiny, assemble, rooms / "old")
    challenger = sealed(head, tiny, assemble, rooms / "export")
    told = judged(rooms, tiny, challenger, champion)["attempt"]
    assert told["gold"] and len(told["fresh"]) == 5  # type: ignore[index]
    assert {sign for _, sign in told["fresh"]} == {1}  # type: ignore[index]
    other = hub.Attempt(
        "other", "INCONCLUSIVE", "", told["kin"], True, (("spent", 1), *map(tuple, told["fresh"][:3]))
    )  # type: ignore[index]
    again = judged(rooms, tiny, challenger, None, [other])
    assert again["attempt"]["fresh"] == told["fresh"][3:]  # type: ignore[index]
    assert (again["fresh"]["n"], again["fresh"]["tonight"]) == (6, 2)  # type: ignore[index]
    assert again["gold"]["attempt"] == 2  # type: ignore[index]


def test_a_lost_incident_fails_whatever_else_is_won(rooms: Path, tiny: Backbone, assemble: Path) -> None:
    table = samples.read(assemble)
    turned = pl.col("image") == table.filter(split="rolling")["image"][0]
    wrong = table.with_columns(
        label=pl.when(turned).then(1 - pl.col("label")).otherwise("label"),
        split=pl.when(turned).then(pl.lit("regression")).otherwise("split"),
        tags=pl.when(turned).then(pl.lit(["incident"])).otherwise("tags"),
    )
    head = learned(assemble, tiny)
    samples.write(samples.conform(wrong, samples.ASSEMBLED), assemble)
    champion = sealed(opposite(head), tiny, assemble, rooms / "old")
    said = judged(rooms, tiny, sealed(head, tiny, assemble, rooms / "export"), champion)
    assert said["value"] == "FAIL" and "which went wrong before" in said["reasons"][0]  # type: ignore[index]


def test_a_bundle_over_its_budget_fails_before_gold_is_touched(
    rooms: Path, tiny: Backbone, assemble: Path
) -> None:
    folder = sealed(learned(assemble, tiny), tiny, assemble, rooms / "export")
    said = judged(rooms, tiny, folder, None, numbers=PARAMS.model_copy(update={"size_mb": 0.001}))
    assert said["value"] == "FAIL" and "gate.size_mb allows 0.001" in said["reasons"][0]  # type: ignore[index]
    assert "scores" not in said


def test_streets_are_other_ones_for_every_challenger_and_the_same_when_asked_again() -> None:
    gold = pl.DataFrame(schema=samples.ASSEMBLED)
    one, again, other = (replica.beside(gold, 4, 2, name) for name in ("a", "a", "b"))
    assert [view.sent() for view in one] == [view.sent() for view in again]
    assert one[0].sent() != other[0].sent()
    assert [view.label for view in one] == [0, 1]


def test_what_a_validator_sent_goes_back_as_it_came(snap: Callable[[int, int], str]) -> None:
    image = snap(1, 1)
    assert contest.as_sent(image, "native") == images.read(image)
    assert preprocess.decode(contest.as_sent(image, "2026-01")).shape == (224, 224, 3)
