import itertools

import pytest
import torch

from inference_runtime.kernels.product import Tiles, product, twin

SMALL = Tiles(32, 32, 32, 4, 2)
# Whole tiles, one over, and fewer than one tile in every direction.
SHAPES = [(32, 64, 64), (33, 65, 70), (7, 17, 24)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_of_odd_shapes(shape, dtype, numbers, poisoned, close) -> None:
    rows, columns, inner = shape
    left, right = numbers(rows, inner, dtype=dtype), numbers(columns, inner, dtype=dtype)
    close(product(left, right, poisoned(rows, columns, dtype=dtype), SMALL), twin(left, right))


@pytest.mark.parametrize(("bias", "gelu", "residual"), list(itertools.product([False, True], repeat=3)))
def test_every_ending(bias, gelu, residual, numbers, poisoned, close) -> None:
    left, right = numbers(9, 40), numbers(33, 40)
    along = numbers(33) if bias else None
    out = numbers(9, 33) if residual else poisoned(9, 33)
    wanted = twin(left, right, along, gelu, out.clone() if residual else None)
    close(product(left, right, out, SMALL, bias=along, activated=gelu, residual=residual), wanted)


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn], ids=str)
def test_quantised_products_are_exact_but_for_the_output(kind, numbers, poisoned, quantise, close) -> None:
    left, rows = quantise(numbers(9, 64), kind)
    right, columns = quantise(numbers(33, 64), kind)
    bias = numbers(33)
    out = poisoned(9, 33, dtype=torch.float16)
    product(left, right, out, SMALL, bias=bias, scales=(rows, columns))
    close(out, twin(left, right, bias, scales=(rows, columns)))
