import pytest
import torch

from inference_runtime.kernels.rope import rope, twin


@pytest.mark.parametrize("shape", [(2, 5, 3, 32), (1, 9, 1, 16)], ids=str)
def test_queries_and_keys_turn_and_values_stay(shape, dtype, numbers, close) -> None:
    images, tokens, heads, width = shape
    packed = numbers(images, tokens, 3 * heads * width, dtype=dtype)
    angles, before = numbers(tokens, width // 2), packed.clone()
    rope(packed, angles.cos(), angles.sin(), heads)
    close(packed, twin(before, angles.cos(), angles.sin(), heads))
    values = slice(2 * heads * width, None)
    assert torch.equal(packed[..., values], before[..., values])
