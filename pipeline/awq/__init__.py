"""Four-bit weights for a vision-language model; its modules run in environments of their own.

Nothing here may import more than the base installation before `main` is called.
"""
