"""A DINOv3 vision transformer with its head, as the bundle's engine `torch` describes it."""
