"""One table; a family stands on one side of the split for ever."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_runtime.errors import Fixable
from pipeline import assemble, samples
from pipeline.assemble import frozen, leaks, mixing, pseudo, review, splits
from pipeline.params import Assemble, Backbone, Fresh, Kin, Mix, People, Proof, Pseudo, Quality
from pipeline.pull.journal import PREDICTIONS
from pipeline.quality import suspects

SILENT = Pseudo(sources=(), teacher=None, precision=0.98, least=10, weight=0.5)
PARAMS = Assemble(
    dev=0.3,
    synthetic_weight=0.5,
    mistake_weight=1.5,
    mix=Mix(hard=None, synthetic=None, pseudo=None),
    pseudo=SILENT,
    proof=Proof(rows=200, slice_rows=40),
)
KIN = Kin(looked=60, near=0.3, likeness=0.66)
NO_PAIRS = pl.DataFrame(schema={"one": pl.String, "other": pl.String, "likeness": pl.Float64})
NONE = Backbone(name="none is asked", revision=None, width=32, height=32, batch=1)
FRESH = Fresh(share=0.5, days=14)
NOBODY = People(dataset=None, labels="labels")


def row(image: str, **given: object) -> dict[str, object]:
    return {"image": image, "source": "base", "family": image, "label": 0, "tags": []} | given


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch, quality: Quality) -> None:
    """The names below are no pictures; who is whose kin is asked in test_kin.py, and their faults
    elsewhere."""
    monkeypatch.setattr(assemble.search, "pairs", lambda *_: NO_PAIRS)
    nothing = review.Found(
        pl.DataFrame(schema=suspects.FOUND),
        pl.DataFrame(schema={"image": pl.String, "faults": pl.List(pl.String)}),
        (),
        (),
    )
    monkeypatch.setattr(review, "looked_at", lambda *_: nothing)
    monkeypatch.setattr(assemble, "run", partial(assemble.run, PARAMS, KIN, quality, FRESH, NOBODY, NONE))


def write(home: Path, pulled: list[dict[str, object]], painted: list[dict[str, object]]) -> pl.DataFrame:
    for name, rows, schema in (
        ("pull", pulled, samples.PULLED),
        ("mine", [], samples.MINED),
        ("synthesize", painted, samples.PAINTED),
        ("out", [], samples.PULLED),
    ):
        (home / name).mkdir(exist_ok=True)
        samples.write(samples.frame(rows, schema), home / name)
    samples.write(samples.frame([], PREDICTIONS), home / "pull", "predictions.parquet")
    assemble.run(home / "pull", home / "mine", home / "synthesize", home / "out")
    return samples.read(home / "out")


def test_only_what_has_a_label_is_learned_from(home: Path) -> None:
    table = write(home, [row("a"), row("b", label=None)], [])
    assert table["image"].to_list() == ["a"]


def test_gold_is_the_holdout_and_nothing_else_is(home: Path) -> None:
    pulled = [row(f"b{i}") for i in range(50)] + [row(f"g{i}", source="gold") for i in range(9)]
    held = write(home, pulled, []).filter(pl.col("split") == "holdout")
    assert set(held["source"]) == {"gold"}
    assert held.height == 9


def test_a_picture_keeps_its_side_whatever_joins_it(home: Path) -> None:
    few = write(home, [row(f"b{i}") for i in range(20)], [])
    many = write(home, [row(f"b{i}") for i in range(200)], [])
    sides = dict(many.select("image", "split").iter_rows())
    assert all(sides[image] == split for image, split in few.select("image", "split").iter_rows())


def test_the_dev_share_is_about_what_was_asked() -> None:
    shares = [samples.share(f"family-{i}", "split") for i in range(5000)]
    assert abs(sum(s < 0.3 for s in shares) / 5000 - 0.3) < 0.03


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["base", "gold", "painted"])), max_size=40))
def test_no_family_ever_stands_on_two_sides(kinds: list[tuple[int, str]]) -> None:
    rows = [
        row(f"i{n}", family=f"f{f}", source=kind, parent="p" if kind == "painted" else None)
        for n, (f, kind) in enumerate(kinds)
    ]
    table = samples.conform(samples.frame([], samples.ASSEMBLED), samples.ASSEMBLED)
    if rows:
        painted = samples.frame(
            [{k: v for k, v in r.items() if k in samples.PAINTED} for r in rows], samples.PAINTED
        )
        table = samples.conform(painted, samples.ASSEMBLED)
    done = splits.without_tests_kin(splits.divided(table.with_columns(kind=mixing.kind()), 0.3, FRESH))
    leaks.refuse(done, NO_PAIRS)
    assert not done.filter(pl.col("parent").is_not_null() & (pl.col("split") != "train")).height


def labelled(image: str, days_ago: int, **given: object) -> dict[str, object]:
    at = datetime(2026, 11, 20, tzinfo=UTC) - timedelta(days=days_ago)
    return row(image, source="challenge", labelled_at=at) | given


def test_young_labels_of_what_is_set_aside_test_and_train_later(home: Path) -> None:
    young = write(home, [labelled(f"i{i}", 3) for i in range(40)] + [labelled("now", 0)], [])
    old = write(home, [labelled(f"i{i}", 20) for i in range(40)] + [labelled("now", 0)], [])
    rolling = set(young.filter(split="rolling")["image"])
    assert 8 < len(rolling) < 32
    assert rolling == set(young.filter(samples.aside(young, 0.5))["image"])
    assert set(old.filter(split="rolling")["image"]) <= {"now"}
    assert old.height == 41  # all that has left the window trains


def test_an_incident_is_a_regression_case_and_its_kin_never_trains(home: Path) -> None:
    incident = labelled("i", 30, tags=["incident", "night"])
    painted = row("p", source="procedural", family="i", parent="i")
    table = write(home, [incident, row("a")], [painted])
    assert dict(table.select("image", "split").iter_rows())["i"] == "regression"
    assert "p" not in table["image"]


def test_a_leak_is_refused_by_name() -> None:
    rows = [row("a", family="f", split="train"), row("b", family="f", split="holdout")]
    with pytest.raises(Fixable, match="family f stands in holdout and train"):
        leaks.refuse(samples.frame(rows, samples.ASSEMBLED), NO_PAIRS)


def test_a_pair_across_a_split_is_refused_by_name_whatever_its_families_say() -> None:
    rows = [row("a", split="train"), row("b", split="dev"), row("c", split="holdout")]
    pairs = NO_PAIRS.vstack(pl.DataFrame([("a", "c", 0.9)], schema=NO_PAIRS.schema, orient="row"))
    with pytest.raises(Fixable, match=r"pictures a \(train\) and c \(holdout\) show the same street"):
        leaks.refuse(samples.frame(rows, samples.ASSEMBLED), pairs)


def test_pictures_that_judge_may_be_kin_of_each_other() -> None:
    rows = [row("a", family="f", split="rolling"), row("b", family="f", split="holdout")]
    leaks.refuse(samples.frame(rows, samples.ASSEMBLED), NO_PAIRS)


def test_what_was_gold_once_is_never_taught(home: Path) -> None:
    write(home, [row("a"), row("g", source="gold")], [])
    with pytest.raises(Fixable, match="picture g was gold once and is base now"):
        write(home, [row("a"), row("g")], [])


def test_gold_may_grow_and_what_it_lacks_is_told(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    gold = [row(f"g{n}", source="gold") for n in range(4)]
    write(home, [row("a"), *gold[:3]], [])
    write(home, [row("a"), *gold[1:]], [])
    assert "gold lacks 1 of its pictures" in capfd.readouterr().err
    assert frozen.keep(samples.frame(gold, samples.ASSEMBLED)) == 0


def test_a_kind_is_held_to_its_share_of_the_weight_and_loses_no_row() -> None:
    rows = [row(f"r{n}", kind="real", split="train", weight=1.0) for n in range(10)]
    rows += [row(f"s{n}", kind="synthetic", split="train", weight=0.5) for n in range(40)]
    table = mixing.mixed(samples.frame(rows, samples.ASSEMBLED), Mix(hard=None, synthetic=0.5, pseudo=None))
    total = dict(table.group_by("kind").agg(pl.col("weight").sum()).iter_rows())
    assert total == {"real": 10.0, "synthetic": pytest.approx(5.0)}
    assert table.height == 50


def test_painted_pictures_weigh_less_and_mistakes_more() -> None:
    rows = [row("a"), row("b", reason="mistake"), row("c", parent="a")]
    table = samples.frame(rows, samples.ASSEMBLED).with_columns(kind=mixing.kind())
    weights = mixing.weighted(table, PARAMS)["weight"].to_list()
    assert weights == [1.0, 1.5, 0.5]


AGREED = Pseudo(sources=("champion", "shadow"), teacher=None, precision=0.9, least=10, weight=0.5)
RIGHT = datetime(2026, 11, 1, tzinfo=UTC)


def answered(image: str, p: float, **given: object) -> dict[str, object]:
    told = {
        "source": "challenge",
        "p": p,
        "at": RIGHT,
        "bundle": "champion",
        "label": None,
        "profile": "native",
    }
    return row(image, **told) | given


def shadowed(image: str, p: float, bundle: str = "another") -> dict[str, object]:
    return {
        "id": f"{image}-{bundle}",
        "image": image,
        "p": p,
        "role": "shadow",
        "bundle": bundle,
        "at": RIGHT,
    }


def judged(count: int = 60) -> list[dict[str, object]]:
    """Labelled after they were answered, and always answered rightly."""
    later = RIGHT + timedelta(days=1)
    return [answered(f"k{n}", 0.95 if n % 2 else 0.05, label=n % 2, labelled_at=later) for n in range(count)]


def agreed(
    rows: list[dict[str, object]],
    shadows: list[dict[str, object]],
    params: Pseudo = AGREED,
    share: float = 0.0,
) -> pl.DataFrame:
    known = judged()
    said = [shadowed(str(one["image"]), float(str(one["p"]))) for one in known]
    return pseudo.agreed(
        samples.frame(known + rows, samples.PULLED),
        samples.frame(said + shadows, PREDICTIONS),
        params,
        Fresh(share=share, days=14),
    )


def test_sources_that_agree_and_have_proved_right_give_a_label_that_says_so() -> None:
    rows = [answered("sure", 0.97), answered("torn", 0.97), answered("shy", 0.7), answered("alone", 0.97)]
    found = agreed(rows, [shadowed("sure", 0.96), shadowed("torn", 0.04), shadowed("shy", 0.96)])
    assert found.select("image", "label", "labeler").rows() == [
        ("sure", 1, "agreement of champion and shadow")
    ]


def test_a_champion_is_no_second_opinion_on_itself() -> None:
    assert not agreed([answered("sure", 0.97)], [shadowed("sure", 0.97, bundle="champion")]).height


def test_a_source_that_has_not_proved_right_has_no_say() -> None:
    wrong = [one | {"label": 1 - int(str(one["label"]))} for one in judged(30)]
    rows = [one | {"image": f"w{n}"} for n, one in enumerate(wrong)]
    shadows = [shadowed(str(one["image"]), float(str(one["p"]))) for one in rows] + [shadowed("sure", 0.97)]
    assert not agreed([*rows, answered("sure", 0.97)], shadows).height


def test_what_a_champion_may_have_learned_from_proves_nothing() -> None:
    known = [one | {"labelled_at": RIGHT - timedelta(days=1)} for one in judged()]
    said = [shadowed(str(one["image"]), float(str(one["p"]))) for one in known] + [shadowed("sure", 0.97)]
    pulled = samples.frame([*known, answered("sure", 0.97)], samples.PULLED)
    found = pseudo.agreed(pulled, samples.frame(said, PREDICTIONS), AGREED, Fresh(share=0, days=14))
    assert not found.height


def test_wilson_by_hand() -> None:
    # 95 of 100 at z = 1.645: (0.95 + 0.01353 - 1.645 sqrt(0.000475 + 0.0000677)) / 1.02706
    assert pseudo.lower(np.array([95]), np.array([100]))[0] == pytest.approx(0.9008, abs=2e-3)


def test_a_teacher_that_is_not_there_is_named() -> None:
    params = AGREED.model_copy(update={"sources": ("champion", "teacher"), "teacher": "nowhere.parquet"})
    with pytest.raises(Fixable, match=r"assemble\.pseudo\.teacher: nowhere\.parquet"):
        agreed([answered("sure", 0.97)], [], params)


KINDS = st.sampled_from(["base", "gold", "challenge", "incident", "pseudo", "pseudo", "painted"])


@given(st.lists(st.tuples(st.integers(0, 9), KINDS, st.booleans()), max_size=40), st.floats(0, 1))
def test_a_pseudo_label_never_judges_nor_stands_beside_kin_that_does(
    drawn: list[tuple[int, str, bool]], share: float
) -> None:
    rows = [
        row(f"i{n}", family=f"f{family}")
        | {
            "source": kind if kind in ("base", "gold", "painted") else "challenge",
            "parent": "p" if kind == "painted" else None,
            "kind": {"pseudo": "pseudo", "painted": "synthetic"}.get(kind, "real"),
            "tags": ["incident"] if kind == "incident" else [],
            "labelled_at": RIGHT if young else RIGHT - timedelta(days=99),
        }
        for n, (family, kind, young) in enumerate(drawn)
    ]
    table = samples.frame(rows, samples.ASSEMBLED)
    done = splits.without_tests_kin(splits.divided(table, 0.3, Fresh(share=share, days=14)))
    leaks.refuse(done, NO_PAIRS)
    unseen = done.filter(kind="pseudo")
    assert set(unseen["split"]) <= {"train"} and "gold" not in unseen["source"]
    assert not unseen.join(done.filter(pl.col("split") != "train"), on="family", how="semi").height


@given(st.floats(0, 1))
def test_no_pseudo_label_for_what_is_set_aside_for_the_gate(share: float) -> None:
    rows = [answered(f"n{n}", 0.97) for n in range(20)]
    found = agreed(rows, [shadowed(f"n{n}", 0.97) for n in range(20)], share=share)
    assert not samples.aside(found, share).any()
