"""Copies of the house, kept elsewhere: each new block of bytes once, and brought back whole."""
