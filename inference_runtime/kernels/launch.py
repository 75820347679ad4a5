"""What every launcher asks of its tensors and of the machine."""

import torch
import triton
from torch import Tensor

# Kernels count elements in 32 bits.
MOST = 2**31
TOP = {torch.float8_e4m3fn: 448.0, torch.int8: 127.0}


def check(*tensors: Tensor, at: Tensor) -> None:
    """All on one device, rows without gaps, and few enough elements to count."""
    for tensor in tensors:
        assert tensor.device == at.device, f"{tensor.device} is not {at.device}"
        assert tensor.is_contiguous(), f"gaps in {tuple(tensor.shape)} {tensor.stride()}"
        assert tensor.numel() < MOST, f"{tuple(tensor.shape)} is too large"


def block(size: int) -> int:
    return int(triton.next_power_of_2(size))


def wide(tensor: Tensor) -> bool:
    """Whether products must be taken in float32: Triton's interpreter gets those of bfloat16 wrong."""
    return tensor.dtype == torch.bfloat16 and not tensor.is_cuda
