import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
from onnx import helper

from inference_runtime import bundle as bundles
from inference_runtime.bundle import Bundle
from inference_runtime.engines import engine_for
from inference_runtime.errors import BundleError, ImageError
from inference_runtime.predictor import Answer, Predictor, sigmoid
from inference_runtime.probe import prove

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def resealed(bundle: Bundle, model: bytes, engines: dict[str, dict[str, str]] | None = None) -> Bundle:
    (bundle.folder / "model.onnx").write_bytes(model)
    return bundles.seal(
        bundle.folder,
        classes=bundle.classes,
        preprocess=bundle.preprocess,
        engines=engines or {"onnx": {"file": "model.onnx"}},
        calibration={},
        lineage={},
        holdout=None,
    )


def test_an_answer_says_what_was_seen_and_by_whom(make_bundle: Make, make_picture: Picture) -> None:
    bundle, data = make_bundle(), make_picture(grey=200, size=(100, 60))
    (answer,) = Predictor(bundle).predict([data])
    assert isinstance(answer, Answer)
    assert answer.image == hashlib.sha256(data).hexdigest()
    assert (answer.bundle, answer.width, answer.height) == (bundle.id, 100, 60)
    assert answer.logit == pytest.approx(8 * (200 / 255 - 0.5), abs=0.1)
    assert answer.p == pytest.approx(1 / (1 + np.exp(-answer.logit)), abs=1e-9)


def test_broken_images_fail_alone_and_in_place(make_bundle: Make, make_picture: Picture) -> None:
    good = [make_picture(grey=40 * n, seed=n) for n in range(1, 6)]
    predictor = Predictor(make_bundle())
    alone = predictor.predict(good)
    mixed = predictor.predict([b"", good[0], good[1], good[1][:200], good[2], b"no", good[3], good[4]])
    assert [isinstance(one, ImageError) for one in mixed] == [
        True,
        False,
        False,
        True,
        False,
        True,
        False,
        False,
    ]
    assert [one for one in mixed if isinstance(one, Answer)] == alone


def test_an_answer_never_depends_on_its_neighbours(make_bundle: Make) -> None:
    predictor = Predictor(make_bundle())
    pixels = np.random.default_rng(0).integers(0, 255, (9, 32, 32, 3), dtype=np.uint8)
    together = predictor.probabilities(pixels)
    apart: Sequence[float] = [predictor.probabilities(pixels[n : n + 1])[0] for n in range(9)]
    assert together.tolist() == list(apart)
    assert predictor.probabilities(pixels[:0]).shape == (0,)
    assert predictor.predict([]) == []


def test_probabilities_stay_within_their_bounds() -> None:
    logits = np.array([-1e30, -100, -1, 0, 1, 100, 1e30, np.inf], np.float32)
    p = sigmoid(logits)
    assert p.min() >= 0 and p.max() <= 1 and p[3] == 0.5
    assert np.all(np.diff(p) >= 0)


def test_a_model_without_a_number_is_found_when_warming(make_bundle: Make, make_picture: Picture) -> None:
    predictor = Predictor(make_bundle(gain=float("nan")))
    with pytest.raises(BundleError, match="plain picture"):
        prove(predictor)
    (answer,) = predictor.predict([make_picture()])
    assert isinstance(answer, ImageError)


def test_a_model_that_is_none_is_refused_in_one_line(make_bundle: Make) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime refuses it") as caught:
        Predictor(resealed(make_bundle(), b"not a model"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "renamed"), [("pixels", "image"), ("logit", "p")])
def test_a_model_of_another_shape_is_refused(make_bundle: Make, name: str, renamed: str) -> None:
    bundle = make_bundle()
    model = onnx.load(bundle.folder / "model.onnx")
    for node in model.graph.node:
        node.input[:] = [renamed if one == name else one for one in node.input]
        node.output[:] = [renamed if one == name else one for one in node.output]
    for value in [*model.graph.input, *model.graph.output]:
        value.name = renamed if value.name == name else value.name
    with pytest.raises(BundleError, match=rf"model\.onnx: takes .*{renamed}"):
        Predictor(resealed(bundle, model.SerializeToString()))


def test_a_model_of_another_size_is_refused(make_bundle: Make) -> None:
    bundle = make_bundle()
    model = onnx.load(bundle.folder / "model.onnx")
    pixels = helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, ["n", 64, 64, 3])
    model.graph.input[0].CopyFrom(pixels)
    with pytest.raises(BundleError, match="64, 64, 3"):
        Predictor(resealed(bundle, model.SerializeToString()))


def test_an_engine_that_the_bundle_lacks_is_named(make_bundle: Make) -> None:
    with pytest.raises(BundleError, match="engines has no 'tensorrt', only onnx"):
        engine_for(make_bundle(), "tensorrt")
    model = (make_bundle("other").folder / "model.onnx").read_bytes()
    unknown = resealed(make_bundle("third"), model, {"abacus": {"file": "model.onnx"}})
    with pytest.raises(BundleError, match=r"engines\.abacus is unknown"):
        engine_for(unknown, "abacus")
