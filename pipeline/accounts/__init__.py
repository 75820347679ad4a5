"""What each run of a stage took, and what that cost."""
