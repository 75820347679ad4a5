"""`python -m inference_runtime bench`: how fast each engine is here, and how much of the machine that is."""
