"""`python -m inference_runtime ship`: closed segments and their images, from a journal to the store."""
