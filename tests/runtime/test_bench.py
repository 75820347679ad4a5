"""The command that says how fast a bundle's engines are here; that they are fast is no test's business."""

import json
from collections.abc import Callable

import pytest

from inference_runtime.__main__ import main
from inference_runtime.bench import rows
from inference_runtime.bench.ceilings import Ceilings
from inference_runtime.bundle import Bundle
from inference_runtime.vit.shape import known

Make = Callable[..., Bundle]


def test_a_table_of_every_engine_and_batch(make_bundle: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(make_bundle().folder)
    assert main(["bench", "--bundle", folder, "--batch", "1", "--batch", "3", "--seconds", "0.01"]) == 0
    head, *table, ceilings = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["engine", "batch", "images/s"]
    # Nobody can say how much work a model is whose sizes are unknown.
    assert [line.split()[:2] + line.split()[-1:] for line in table] == [
        ["onnx", "1", "-"],
        ["onnx", "3", "-"],
    ]
    assert "ceilings, measured" in ceilings


def test_the_same_as_json(make_bundle: Make, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make_bundle()
    main(["bench", "--bundle", str(bundle.folder), "--engine", "onnx", "--seconds", "0.01", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["bundle"] == bundle.id and said["ceilings"]["tflops"] > 0
    assert [row["batch"] for row in said["rows"]] == [1, 8]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in said["rows"])


def test_an_engine_or_a_batch_that_is_none_is_one_line(
    make_bundle: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(make_bundle().folder)
    assert main(["bench", "--bundle", folder, "--engine", "abacus"]) == 1
    assert main(["bench", "--bundle", folder, "--batch", "0"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "engines has no 'abacus'" in said[0] and "--batch: 0" in said[1] and len(said) == 2


def test_rates_and_shares_are_of_the_work_that_the_model_is() -> None:
    shape, ceilings = known("vitl16"), Ceilings("gpu", tflops=500.0, gbps=4000.0)
    # 125.7 GFLOP an image is what its layers add up to by hand.
    assert shape.flops() / 1e9 == pytest.approx(125.68, abs=0.01)
    row = rows.row("ours", 128, [0.05] * 10, shape, ceilings)
    assert row.images_per_s == pytest.approx(2560) and row.tflops == pytest.approx(321.7, abs=0.1)
    assert row.share_of_tflops == pytest.approx(row.tflops / 500)
    assert row.gbps == pytest.approx(shape.bytes(128) / 0.05 / 1e9)
