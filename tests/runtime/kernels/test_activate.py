import pytest
import torch

from inference_runtime.kernels.activate import activate, twin

SHAPES = [(4, 64), (3, 33), (1, 127)]


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bias_and_gelu_or_swiglu(shape, gated, dtype, numbers, poisoned, close) -> None:
    rows, width = shape
    into = numbers(rows, width * (1 + gated), dtype=dtype) * 3
    bias = numbers(into.shape[1])
    out = activate(into, bias, poisoned(rows, width, dtype=dtype))
    close(out, twin(into, bias, width))


def test_gelu_may_be_taken_in_place(numbers) -> None:
    into, bias = numbers(5, 48), numbers(48)
    apart = activate(into, bias, torch.empty_like(into))
    assert torch.equal(activate(into, bias, into), apart)


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn], ids=str)
def test_a_quantised_row_is_what_it_stands_for(kind, numbers, poisoned, stands_for) -> None:
    into, bias = numbers(6, 96, dtype=torch.float16), numbers(96)
    out, scales = poisoned(6, 96).to(kind), poisoned(6)
    activate(into, bias, out, scales)
    stands_for(out, scales, twin(into, bias, 96))
