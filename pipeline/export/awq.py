"""A vision-language model in four bits, for a cascade's second stage; made in an environment of its own."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, assert_never

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import drafts, features, images
from pipeline.diversity import farthest_first
from pipeline.params import Awq, Backbone
from pipeline.progress import say

FOLDER = "vlm"
CONFIG = "config.json"
# What belongs to a model beside its weights: words, and how pictures are cut up.
PAPERS = ("*.json", "*.txt", "*.jinja", "LICENSE*")
# The picture's own network by both of its names: transformers 5 put `model.` before what was saved without.
VISION = ["lm_head", "re:.*visual.*"]
VISION_OF_AUTOAWQ = ["visual", "model.visual"]


def build(params: Awq, backbone: Backbone, table: pl.DataFrame, out: Path) -> dict[str, Any]:
    """The quantised model in `out`/vlm, and its entry; made once per model and settings, then kept."""
    kept = _home() / _key(params)
    if not kept.is_dir():
        with drafts.folder(kept) as draft:
            _quantise(params, cases(table, backbone, params.cases), draft)
    shutil.copytree(kept, out / FOLDER)
    return {
        "file": f"{FOLDER}/{CONFIG}",
        "precision": "int4",
        "tool": params.tool,
        "model": params.model,
        "group": params.group,
    }


def cases(table: pl.DataFrame, backbone: Backbone, count: int) -> list[Path]:
    """Pictures of the split train, each unlike the others."""
    learned = table.filter(split="train").sort("image")
    if not learned.height:
        raise Fixable("artifacts/assemble: split train is empty, so AWQ has nothing to be calibrated on")
    vectors, index = features.embed(learned, 1, backbone)
    picked = index[farthest_first(vectors, min(count, len(vectors)))]
    return [images.path(image) for image in picked["image"].unique(maintain_order=True)]


def _quantise(params: Awq, pictures: list[Path], out: Path) -> None:
    python, module = environment(params)
    job = {
        **{"model": params.model, "out": str(out.absolute()), "question": params.question},
        **{"images": [str(picture.absolute()) for picture in pictures]},
        **{"group": params.group, "grid": params.grid},
    }
    say(f"export: {params.tool} quantises {params.model} on {len(pictures)} cases")
    run(python, module, job)
    for pattern in PAPERS:
        for paper in Path(params.model).glob(pattern):
            if not (out / paper.name).exists() and "safetensors" not in paper.name:
                shutil.copyfile(paper, out / paper.name)
    mend(out / CONFIG)


def environment(params: Awq) -> tuple[Path, ModuleType]:
    module: ModuleType
    match params.tool:
        case "llmcompressor":
            from pipeline.awq import with_llmcompressor

            name, module = "awq", with_llmcompressor
        case "autoawq":
            from pipeline.awq import with_autoawq

            name, module = "autoawq", with_autoawq
        case _:
            assert_never(params.tool)
    python = Path(".envs", name, "bin", "python")
    if not python.exists():
        raise Fixable(
            f"params.yaml: export.awq.tool: {params.tool} has no environment here; `make env-{name}`"
        )
    return python, module


def run(python: Path, module: ModuleType, job: dict[str, Any]) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [str(python), "-m", module.__name__, json.dumps(job)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        lines = done.stderr.strip().splitlines() or [f"the quantiser ended with {done.returncode}"]
        raise Fixable(f"params.yaml: export.awq: {job['model']}: {lines[-1]}")


def mend(config: Path) -> None:
    """Both tools write the vision tower down by a name that transformers 5 does not know.

    It would then be taken for quantised: filled with random numbers by one loader, refused by another.
    """
    told = json.loads(config.read_text())
    quantisation = told["quantization_config"]
    if quantisation["quant_method"] == "awq":
        quantisation["modules_to_not_convert"] = VISION_OF_AUTOAWQ
    else:
        quantisation["ignore"] = VISION
    config.write_text(json.dumps(told, indent=2) + "\n")


def _key(params: Awq) -> str:
    told = json.dumps(params.model_dump(), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _home() -> Path:
    return Path(os.environ.get("QUANTISED", "var/quantised"))
