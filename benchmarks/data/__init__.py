"""What a night costs as the data grows."""
