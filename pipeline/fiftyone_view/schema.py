"""What a dataset of ours looks like in FiftyOne: its fields, its one index, its saved views."""

from typing import Any

from pipeline.marks import CASE, FAULT, QUEUE, SUSPECT

TEXTS = ("image", "source", "reason", "split")
NUMBERS = ("score", "doubt")
WORKSPACE = "review"  # how the App opens for people who label
# Saved views: what they show by its tags, and what comes first.
VIEWS = {
    CASE: ((CASE,), "score", "What mine picked tonight, and nobody has labelled"),
    "suspects": ((SUSPECT,), "doubt", "Labels that are probably wrong: correct them, or tag them confirmed"),
    "faults": ((FAULT,), None, "Pictures that are dark, blurred, blank or tiny"),
    "queue": (
        QUEUE,
        "score",
        "All that waits for a person: cases, labels in doubt, and what somebody asked for",
    ),
}


def dataset(fiftyone: Any, name: str) -> Any:
    """The dataset of that name, made when absent, grown when it was made by an older house."""
    if fiftyone.dataset_exists(name):
        found = fiftyone.load_dataset(name)
    else:
        found = fiftyone.Dataset(name, persistent=True)
        _labels(fiftyone, found)
    _fields(fiftyone, found)
    if "image" not in found.get_index_information():
        found.create_index("image", unique=True)
    for view in VIEWS.keys() - set(found.list_saved_views()):
        _save(found, view)
    if WORKSPACE not in found.list_workspaces():
        _workspace(fiftyone, found)
    return found


def _workspace(fiftyone: Any, dataset: Any) -> None:
    """The grid, and beside it the panel of our plugin."""
    panels = (fiftyone.Panel(type="Samples", pinned=True), fiftyone.Panel(type="review"))
    # Without an active child a side stays empty until somebody clicks its tab.
    sides = [fiftyone.Space(children=[panel], active_child=panel.component_id) for panel in panels]
    room = fiftyone.Space(children=sides, orientation="horizontal", sizes=[0.62, 0.38])
    dataset.save_workspace(WORKSPACE, room, description="What waits for a person", overwrite=True)


def _labels(fiftyone: Any, dataset: Any) -> None:
    for key in ("ground_truth", "prediction"):
        dataset.add_sample_field(
            key, fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Classification
        )
    # `signed` is the label as we know it: when the App shows another one, a person has changed it.
    for key in ("labeler", "signed"):
        dataset.add_sample_field(f"ground_truth.{key}", fiftyone.StringField)
    dataset.add_sample_field("ground_truth.labelled_at", fiftyone.DateTimeField)


def _fields(fiftyone: Any, dataset: Any) -> None:
    kinds = dict.fromkeys(TEXTS, fiftyone.StringField) | dict.fromkeys(NUMBERS, fiftyone.FloatField)
    for key, kind in kinds.items():
        if not dataset.has_field(key):
            dataset.add_sample_field(key, kind)
    if not dataset.has_field("faults"):
        dataset.add_sample_field("faults", fiftyone.ListField, subfield=fiftyone.StringField)


def _save(dataset: Any, name: str) -> None:
    tags, first, about = VIEWS[name]
    view = dataset.match_tags(list(tags))
    view = view.sort_by(first, reverse=True) if first else view
    dataset.save_view(name, view, description=about, overwrite=True)
