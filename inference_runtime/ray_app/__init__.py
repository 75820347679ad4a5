"""The same predictor as a Ray Serve application: `python -m inference_runtime.ray_app`."""
