"""A folder of class folders: .../roadwork/*.jpg and .../clear/*.jpg, at any depth."""

from pathlib import Path

from pipeline.pull.base.offer import PICTURES, Offers, of_file
from pipeline.pull.classes import WORDS


def offers(folder: Path) -> Offers:
    for classes in found(folder):
        pictures = sorted(file for file in classes.rglob("*") if file.suffix.lower() in PICTURES)
        for number, file in enumerate(pictures, 1):
            name = file.relative_to(folder).as_posix()
            yield of_file(file, (str(classes), number), name, classes.name, [])


def found(folder: Path) -> list[Path]:
    """Folders named like a class, the outermost of each branch."""
    named = sorted(one for one in folder.rglob("*") if one.name.lower() in WORDS and one.is_dir())
    return [one for one in named if not any(other in one.parents for other in named)]
