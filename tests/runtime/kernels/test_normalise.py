import pytest
import torch

from inference_runtime.kernels.normalise import normalise, twin

# One element beyond a power of two and one short of it, and a single row: where masks go wrong.
SHAPES = [(5, 64), (3, 33), (1, 127)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_are_shifted_and_normalised(shape, dtype, numbers, poisoned, close) -> None:
    stream, shift = numbers(*shape, dtype=dtype) * 5, numbers(shape[1])
    out = normalise(stream, shift, 1e-5, poisoned(*shape, dtype=dtype))
    close(out, twin(stream, shift, 1e-5))


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn], ids=str)
def test_a_quantised_row_is_what_it_stands_for(kind, numbers, poisoned, stands_for) -> None:
    stream, shift = numbers(6, 96, dtype=torch.float16), numbers(96)
    out, scales = poisoned(6, 96).to(kind), poisoned(6)
    normalise(stream, shift, 1e-5, out, scales)
    stands_for(out, scales, twin(stream, shift, 1e-5))


def test_what_the_kernel_could_not_stand_is_refused(numbers) -> None:
    with pytest.raises(AssertionError, match="gaps"):
        normalise(numbers(8, 4).T, numbers(8), 1e-5, numbers(4, 8))
    with pytest.raises(AssertionError, match="scales belong"):
        normalise(numbers(4, 8), numbers(8), 1e-5, numbers(4, 8), numbers(4))
