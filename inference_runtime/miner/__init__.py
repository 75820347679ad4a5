"""`python -m inference_runtime miner`: a bittensor axon in front of the predictor, or of a running server.

Only `axon`, `chain` and `synapse` need bittensor; everything that decides is plain Python.
"""
