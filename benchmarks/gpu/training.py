"""`python -m benchmarks.gpu.training`: trains transformer layers until its input ends; prints steps per s."""

import sys
import threading
import time

import torch
from torch import nn


def main() -> None:
    layer = nn.TransformerEncoderLayer(1024, 16, 4096, batch_first=True, norm_first=True)
    model = nn.TransformerEncoder(layer, 2 if "--quick" in sys.argv else 8, enable_nested_tensor=False).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    batch = torch.randn(32, 201, 1024, device="cuda")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(batch).square().mean()
        loss.backward()
        optimizer.step()
        torch.cuda.synchronize()

    for _ in range(3):
        step()
    print("warm", flush=True)
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    begin, steps = time.perf_counter(), 0
    while not ended.is_set():
        step()
        steps += 1
    print(steps / (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
