"""The lean runtime: a bundle comes in by one door, answers and the journal go out by the other."""
