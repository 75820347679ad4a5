import pytest
import torch

from inference_runtime.kernels.verdict import CLEAR, POSITIVE, UNSURE, parts, twin, verdict


# (images, tokens, prefix, width): one block of tokens, and one token more than a block.
@pytest.mark.parametrize("shape", [(3, 9, 5, 64), (2, 17, 1, 33)], ids=str)
def test_the_stream_becomes_one_logit(shape, dtype, numbers, poisoned, close) -> None:
    images, tokens, prefix, width = shape
    stream, shift = numbers(images, tokens, width, dtype=dtype) * 4, numbers(width)
    weight, limits = numbers(2, width), numbers(3)
    logits, routes = poisoned(images), poisoned(images, dtype=torch.int8)
    verdict(stream, shift, weight, limits, prefix, 1e-5, poisoned(images, parts(tokens)), logits, routes)
    close(logits, twin(stream, shift, weight, limits, prefix, 1e-5)[0], torch.float32)


def test_the_cascade_is_asked_between_its_limits(numbers, poisoned) -> None:
    weight = torch.zeros(2, 32)
    stream = numbers(1, 6, 32)
    # Three different constants stand for three different logits.
    for logit, route in ((-2.0, CLEAR), (0.0, UNSURE), (2.0, POSITIVE), (1.0, POSITIVE), (-1.0, CLEAR)):
        limits = torch.tensor([logit, -1.0, 1.0]).to(stream.device)
        logits, routes = poisoned(1), poisoned(1, dtype=torch.int8)
        weight = weight.to(stream.device)
        verdict(stream, stream[0, 0] * 0, weight, limits, 5, 1e-5, poisoned(1, parts(6)), logits, routes)
        assert (logits.item(), routes.item()) == (logit, route)
