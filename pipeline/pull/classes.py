"""What people call the two classes: names of folders, choices of a labelling tool, numbers in a table."""

WORDS = {
    **dict.fromkeys(("0", "clear", "none", "negative", "no", "no_roadwork", "no-roadwork"), 0),
    **dict.fromkeys(("1", "roadwork", "roadworks", "positive", "yes", "work_zone", "workzone"), 1),
}


def word(said: object) -> int | None:
    """The class that somebody means; None where that is not clear."""
    if isinstance(said, bool | int | float):
        return int(said) if said in (0, 1) else None
    return WORDS.get(said.strip().lower()) if isinstance(said, str) else None
