"""Compiles every kernel for every GPU generation we name, with no GPU; a JSON line each of what ptxas says.

Shapes are those of a ViT-L/16 at 224. Runs in a process of its own, in which Triton does not interpret.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

ARCHITECTURES = (80, 86, 89, 90, 100)
FLOAT8_FROM = 89

Case = tuple[str, str, dict[str, str], dict[str, Any], dict[str, int]]


def cases() -> Iterator[Case]:
    """(name, module.kernel, types of what varies, constants, options)"""
    yield from _rows()
    yield from _products()
    half = {"packed": "*fp16", "cosine": "*fp32", "sine": "*fp32"}
    for queries, keys, warps, stages in ((64, 64, 4, 2), (128, 64, 8, 2), (64, 32, 4, 3), (128, 32, 4, 3)):
        sizes = {"SCALE": 0.18, "TOKENS": 201, "HEADS": 16, "HALF": 32, "QUERIES": queries, "KEYS": keys}
        options = {"num_warps": warps, "num_stages": stages}
        name = f"attention {queries}x{keys}"
        yield name, "attention.attention_kernel", half | {"out": "*fp16"}, sizes | {"WIDE": False}, options
    turn = {"TOKENS": 201, "HEADS": 16, "BLOCK": 32, "HALF": 32}
    yield "rope", "rope.rope_kernel", half, turn, {"num_warps": 4}


def _rows() -> Iterator[Case]:
    row = {"shift": "*fp32", "scales": "*fp32"}
    for kind in ("fp16", "bf16", "fp8e4nv", "i8"):
        low = kind in ("fp8e4nv", "i8")
        stream = "*bf16" if kind in ("bf16", "fp8e4nv") else "*fp16"
        wide = {"EPS": 1e-5, "TOP": 127.0, "WIDTH": 1024, "BLOCK": 1024, "QUANTISED": low}
        types = {"stream": stream, "out": f"*{kind}"} | row
        yield f"normalise {kind}", "normalise.normalise_kernel", types, wide, {"num_warps": 4}
        gelu = {"TOP": 127.0, "WIDTH": 4096, "BLOCK": 4096, "GATED": False, "QUANTISED": low}
        types = {"into": stream, "bias": "*fp32", "out": f"*{kind}", "scales": "*fp32"}
        yield f"activate {kind}", "activate.activate_kernel", types, gelu, {"num_warps": 8}
    yield from _ends()


def _ends() -> Iterator[Case]:
    types = {"pixels": "*u8", "scale": "*fp32", "shift": "*fp32", "out": "*fp16"}
    sizes = {"HEIGHT": 224, "WIDTH": 224, "PATCH": 16, "PREFIX": 5, "BLOCK": 1024}
    yield "patches", "patches.patches_kernel", types, sizes, {"num_warps": 4}
    types = {"stream": "*fp16", "shift": "*fp32", "weight": "*fp32", "partial": "*fp32"}
    sizes = {"EPS": 1e-5, "TOKENS": 201, "PREFIX": 5, "WIDTH": 1024, "BLOCK": 1024, "SHARE": 16}
    yield "pool", "verdict.pool_kernel", types, sizes, {"num_warps": 4}
    types = {"partial": "*fp32", "limits": "*fp32", "logits": "*fp32", "routes": "*i8"}
    yield "verdict", "verdict.verdict_kernel", types, {"PARTS": 13, "BLOCK": 16}, {"num_warps": 1}
    pixels = {"starts": "*i32", "weights": "*i32", "out": "*u8", "columns": "i32", "height": "i32"}
    types = pixels | {"frame": "*u8", "width": "i32", "low": "i32"}
    sizes = {"BOX_X": 4, "BOX_Y": 2, "TAPS": 7, "BLOCK": 128}
    yield "resize across", "resize.across_kernel", types, sizes, {"num_warps": 4}
    types, sizes = pixels | {"wide": "*u8"}, {"TAPS": 7, "BLOCK": 128}
    yield "resize down", "resize.down_kernel", types, sizes, {"num_warps": 4}


def _products() -> Iterator[Case]:
    from inference_runtime.kernels.product import CHOICES

    for tiles in CHOICES:
        yield _product(f"product {tiles} gelu", tiles, "fp16", "fp16", {"BIAS": True, "GELU": True})
    large = CHOICES[-1]
    yield _product(f"product {large} residual", large, "fp16", "fp16", {"RESIDUAL": True})
    for kind, stream in (("fp8e4nv", "bf16"), ("i8", "fp16")):
        yield _product(
            f"product {CHOICES[3]} {kind}", CHOICES[3], kind, stream, {"BIAS": True, "SCALED": True}
        )


def _product(name: str, tiles: Any, kind: str, stream: str, ending: dict[str, bool]) -> Case:
    vectors = dict.fromkeys(("bias", "row_scales", "column_scales"), "*fp32")
    types = {"left": f"*{kind}", "right": f"*{kind}", "out": f"*{stream}", "rows": "i32"} | vectors
    none = dict.fromkeys(("BIAS", "GELU", "RESIDUAL", "SCALED", "WIDE"), False)
    sides = {"TILE_ROWS": tiles.rows, "TILE_COLUMNS": tiles.columns, "TILE_INNER": tiles.inner, "GROUP": 8}
    sizes = {"COLUMNS": 4096, "INNER": 1024} | sides | none | ending
    return (
        name,
        "product.product_kernel",
        types,
        sizes,
        {"num_warps": tiles.warps, "num_stages": tiles.stages},
    )


def compiled(case: Case, architecture: int) -> dict[str, Any]:
    from importlib import import_module

    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    name, place, types, constants, options = case
    module, kernel = place.split(".")
    function = getattr(import_module(f"inference_runtime.kernels.{module}"), kernel)
    signature = {one: types.get(one, "constexpr") for one in function.arg_names}
    pointers = [n for n, one in enumerate(signature.values()) if one[0] == "*"]
    aligned = {(n,): [["tt.divisibility", 16]] for n in pointers}
    fixed = {(function.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(function, signature, fixed, aligned)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        made = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)
    log = said.getvalue()
    return {
        "kernel": name,
        "sm": architecture,
        "registers": int(_said(r"Used (\d+) registers", log)),
        "spilled": int(_said(r"(\d+) bytes spill stores", log)),
        "shared": made.metadata.shared,
        "cubin": len(made.asm["cubin"]),
    }


def _said(pattern: str, log: str) -> str:
    found = re.search(pattern, log)
    assert found, f"ptxas said nothing of {pattern}: {log!r}"
    return found[1]


def possible(case: Case, architecture: int) -> bool:
    """Older GPUs lack float8."""
    return "fp8" not in case[0] or architecture >= FLOAT8_FROM


def main() -> None:
    wanted = [(case, sm) for case in cases() for sm in ARCHITECTURES if possible(case, sm)]
    with ProcessPoolExecutor(2) as pool:
        for made in pool.map(compiled, *zip(*wanted, strict=True), chunksize=4):
            print(json.dumps(made), flush=True)


if __name__ == "__main__":
    assert "TRITON_INTERPRET" not in os.environ, "an interpreted kernel cannot be compiled"
    # What was compiled before is not compiled again, and then ptxas says nothing.
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"TRITON_CACHE_DIR": folder, "TRITON_DUMP_PTXAS_LOG": "1"}
        sys.exit(main())
