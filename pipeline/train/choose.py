"""Which candidate is shipped, by what all of them cost on families they had not seen."""

from collections.abc import Sequence

import numpy as np

from pipeline.train.candidates import Setting
from pipeline.train.lesson import Lesson
from pipeline.train.views import Numbers


def costs(logits: Numbers, lesson: Lesson) -> Numbers:
    """Each family's share of each candidate's log loss, out of its own fold: [families, candidates].

    `logits` are those of the rows to be judged on: [N, candidates, folds].
    """
    signs = np.where(lesson.labels > 0, 1.0, -1.0)[:, None, None]
    rows = (np.logaddexp(0.0, -signs * logits) * lesson.judged[:, None, :]).sum(2)
    total = np.zeros((int(lesson.families.max()) + 1, rows.shape[1]))
    np.add.at(total, lesson.families, rows)
    return total


def chosen(costs: Numbers, settings: Sequence[Setting], simplest: bool) -> int:
    """The cheapest; or the simplest whose cost is no more than one standard error above the cheapest's."""
    totals = costs.sum(0)
    best = int(totals.argmin())
    if not simplest:
        return best
    behind = costs - costs[:, [best]]
    error = np.sqrt(len(costs)) * behind.std(0)
    near = [place for place in range(len(settings)) if totals[place] - totals[best] <= error[place]]
    return min(near, key=lambda place: settings[place].simplicity)
