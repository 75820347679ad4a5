"""FiftyOne is where people look and label: what we show there, and what they say."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.fiftyone_view import schema
from pipeline.fiftyone_view.view import View
from pipeline.services import mongo

__all__ = ["View", "opened"]


@contextmanager
def opened(name: str) -> Iterator[View]:
    """The dataset of that name, made when absent; mongod is started for the while when none runs."""
    with mongo.running():
        import fiftyone
        from fiftyone.core.odm import database

        fiftyone.config.show_progress_bars = False
        try:
            yield View(schema.dataset(fiftyone, name))
        finally:
            # At exit FiftyOne would look for throw-away datasets, which we never make, and wait half a minute
            # for a server that has gone by then.
            atexit.unregister(database._delete_non_persistent_datasets_if_allowed)
