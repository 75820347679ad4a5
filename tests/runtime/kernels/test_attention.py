import pytest
import torch

from inference_runtime.kernels.attention import attention, twin

# (images, tokens, heads, width of a head): fewer tokens than a block, one more than a block, many blocks.
SHAPES = [(2, 9, 2, 32), (1, 33, 1, 64), (1, 70, 2, 32)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_attention_turns_as_it_reads(shape, dtype, numbers, poisoned, close) -> None:
    images, tokens, heads, width = shape
    packed = numbers(images, tokens, 3 * heads * width, dtype=dtype)
    angles = numbers(tokens, width // 2)
    cosine, sine = angles.cos(), angles.sin()
    out = poisoned(images, tokens, heads * width, dtype=dtype)
    attention(packed, cosine, sine, heads, out, queries=32, keys=32)
    close(out, twin(packed, cosine, sine, heads))


def test_scores_too_large_for_an_exponential_do_no_harm(numbers, poisoned, close) -> None:
    packed, angles = numbers(1, 40, 96) * 40, numbers(40, 16)
    out = attention(packed, angles.cos(), angles.sin(), 1, poisoned(1, 40, 32), queries=32, keys=32)
    close(out, twin(packed, angles.cos(), angles.sin(), 1), torch.float16)


def test_a_head_that_no_block_fits_is_refused(numbers) -> None:
    packed, angles = numbers(1, 4, 3 * 48), numbers(4, 24)
    with pytest.raises(AssertionError, match="heads of 48"):
        attention(packed, angles, angles, 1, numbers(1, 4, 48))
