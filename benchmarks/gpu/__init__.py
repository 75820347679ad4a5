"""The worth of the GPU engine: needs this repository and a GPU machine's torch, Triton and numpy."""
