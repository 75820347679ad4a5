import pytest
import torch

from inference_runtime.kernels.patches import patches, twin

# (images, height, width, patch, prefix): oblong both ways, and a patch that is no power of two.
SHAPES = [(2, 32, 48, 16, 5), (1, 48, 16, 16, 1), (1, 28, 42, 14, 5)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_patches_are_normalised_and_prefixes_are_zero(shape, dtype, numbers, poisoned, close, device) -> None:
    images, height, width, patch, prefix = shape
    pixels = torch.randint(0, 256, (images, height, width, 3), dtype=torch.uint8).to(device)
    scale, shift = numbers(3).abs() / 50, numbers(3)
    tokens = prefix + height // patch * (width // patch)
    out = poisoned(images, tokens, 3 * patch * patch, dtype=dtype)
    patches(pixels, scale, shift, patch, prefix, out)
    close(out, twin(pixels, scale, shift, patch, prefix))
    assert not out[:, :prefix].any()


def test_a_picture_of_half_patches_is_refused(numbers) -> None:
    with pytest.raises(AssertionError, match="20x32 is no whole number of patches of 16"):
        pixels = torch.zeros(1, 32, 20, 3, dtype=torch.uint8)
        patches(pixels, numbers(3), numbers(3), 16, 5, numbers(1, 7, 768))
