"""What people and the subnet read about a release: model_card.json, README.md and the licence."""

import json
from collections.abc import Iterator, Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import yaml

from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable

DINOV3 = "dinov3-license"


def papers(
    card: Mapping[str, object], bundle: Bundle, verdict: dict[str, Any], data: dict[str, Any]
) -> dict[str, bytes]:
    notice = _notice(bundle.folder)
    found = {
        "model_card.json": json.dumps(card, indent=2) + "\n",
        "README.md": readme(card, bundle, verdict, data, notice),
    }
    if notice:
        found["LICENSE.md"] = notice
    return {name: text.encode() for name, text in found.items()}


def readme(
    card: Mapping[str, object], bundle: Bundle, verdict: dict[str, Any], data: dict[str, Any], notice: str
) -> str:
    sections = (
        ("", [str(card["description"]), "", *_facts(card, bundle, verdict)]),
        ("Data", _data(bundle, data)),
        ("Metrics", _metrics(verdict)),
        ("Slices", _slices(verdict)),
        ("Limits", _limits(bundle)),
        ("Use", _use(bundle)),
        ("Licence", [notice.strip() or "Whose weights it holds is not known; ask who published it."]),
    )
    lines = [
        "---",
        yaml.safe_dump(_front(notice), sort_keys=False).strip(),
        "---",
        "",
        f"# {card['model_name']}",
    ]
    for title, body in sections:
        lines += ["", *([f"## {title}", ""] if title else []), *body]
    return "\n".join(lines) + "\n"


def _front(notice: str) -> dict[str, Any]:
    """The hub's own block of facts. What holds DINOv3 weights carries their licence on."""
    tags = {"tags": ["onnx", "roadwork", "street-view"], "pipeline_tag": "image-classification"}
    if DINOV3 in notice:
        return {"license": "other", "license_name": DINOV3, "license_link": "LICENSE.md"} | tags
    return {"license": "apache-2.0" if "Apache" in notice else "unknown"} | tags


def _notice(folder: Path) -> str:
    file = folder / "NOTICE"
    text = file.read_text() if file.exists() else ""
    if DINOV3 in text and "agreement" not in text.lower():
        raise Fixable(
            f"{file}: names the DINOv3 licence and holds no copy of it; put the LICENSE.md of the backbone's"
            " repository beside its weights, and export again"
        )
    return text


def _facts(card: Mapping[str, object], bundle: Bundle, verdict: dict[str, Any]) -> list[str]:
    return [
        f"* version {card['version']}, bundle `{bundle.id}`, classes {' and '.join(bundle.classes)}",
        f"* the gate said {verdict['value']}: {verdict['reasons'][0]}",
        f"* beat `{verdict['champion']}`" if verdict["champion"] else "* the first champion",
    ]


def _data(bundle: Bundle, data: dict[str, Any]) -> list[str]:
    backbone = bundle.lineage.get("backbone", {})
    counted = ", ".join(f"{value:,} {name}" for name, value in data.items() if isinstance(value, int))
    return [
        f"Pictures: {counted or 'not counted'}. No family of pictures stands in two splits, and what the",
        "gate judges on, nothing else reads.",
        "",
        f"* training table sha256 `{bundle.lineage.get('table', 'not told')}`",
        f"* frozen backbone {backbone.get('name', 'not told')},"
        f" weights `{backbone.get('weights', 'not told')}`",
    ]


def _metrics(verdict: dict[str, Any]) -> list[str]:
    scores = verdict.get("scores", {})
    sides = [side for side in ("challenger", "champion") if side in scores]
    names = [name for name, value in scores.get("challenger", {}).items() if isinstance(value, float)]
    if not names:
        return ["The gate gave none."]
    head = ["| on gold | " + " | ".join(sides) + " |", "|---" * (1 + len(sides)) + "|"]
    rows = [f"| {name.replace('_', ' ')} | {_cells(name, scores, sides)} |" for name in names]
    return [*head, *rows, "", *_differences(verdict)]


def _cells(name: str, scores: dict[str, dict[str, Any]], sides: list[str]) -> str:
    return " | ".join(_cell(name, scores[side]) for side in sides)


def _cell(name: str, side: dict[str, Any]) -> str:
    value, counted = side.get(name), side.get("confusion")
    if not isinstance(value, float):
        return "-"
    if name != "accuracy" or not counted:
        return f"{value:.3f}"
    low, high = wilson(value, sum(counted.values()))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _differences(verdict: dict[str, Any]) -> Iterator[str]:
    """Against the champion, each with its 95 % interval."""
    for name in ("gold", "fresh"):
        found = verdict.get(name, {})
        if found.get("n"):
            yield (
                f"* {name}: won {found['won']} and lost {found['lost']} of {found['n']:,},"
                f" gain {found['gain']:+.3f} {_interval(found['interval'])}"
            )
    replica = verdict.get("replica", {})
    for name in ("mcc", "reward"):
        if name in replica:
            yield f"* {name} on the challenge replica, {replica['views']:,} views: {_interval(replica[name])}"


def _interval(bounds: list[float]) -> str:
    return f"[{bounds[0]:+.3f}, {bounds[1]:+.3f}]"


def _slices(verdict: dict[str, Any]) -> list[str]:
    slices = verdict.get("slices")
    if not slices:
        return ["None were compared."]
    rows = ["| slice | items | won | lost | gain | says |", "|---|---|---|---|---|---|"]
    return rows + [
        f"| {name} | {found['n']} | {found['won']} | {found['lost']} |"
        f" {found['gain']:+.3f} {_interval(found['interval'])} | {found['says']} |"
        for name, found in sorted(slices.items())
    ]


def _limits(bundle: Bundle) -> list[str]:
    return [
        f"One question, two answers: {' or '.join(bundle.classes)}. It was judged on pictures like those it",
        "was trained for, as a validator of the network would crop them; elsewhere nobody has looked. Its",
        "probability is calibrated on those alone. Let a person decide where somebody could be hurt.",
    ]


def _use(bundle: Bundle) -> list[str]:
    engines = ", ".join(f"{name} (`{engine['file']}`)" for name, engine in sorted(bundle.engines.items()))
    return [
        f"Engines: {engines}. `bundle.json` holds the sha256 of every file, and",
        "`python -m inference_runtime serve --bundle DIR` verifies them before it answers.",
    ]


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share seen on n items; never outside 0 to 1."""
    middle, half = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
