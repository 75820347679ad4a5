"""Brings the fleet onto the hub's champion: unseen first, then a share, then all; and back by itself."""

import time
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline.hub import known
from pipeline.params import Params
from pipeline.progress import say
from pipeline.rollout import fleet, health, story
from pipeline.rollout.drive import Drive, Outcome
from pipeline.services import runtime

PULL = Path("artifacts/pull")


def run(params: Params) -> None:
    """Until it is promoted or taken back, or the patience is at its end; then the watch goes on."""
    _drive(params, params.rollout.patience)
    known.note(hubs.at(params.hub))


def watch(params: Params) -> None:
    """One look at the fleet, at what people said of its answers, and at its age."""
    _drive(params, 0.0)
    shelf = hubs.at(params.hub)
    known.note(shelf)
    release = hubs.reigning(shelf)
    if release is None:
        return
    if line := health.stale(release, params.age, health.now()):
        health.once_a_day("age", line, health.now())
    if line := health.fallen(release, shelf.place(release.bundle), PULL, params.fresh, params.rollout):
        _act_on_labels(params, shelf, release, line)


def _act_on_labels(params: Params, shelf: hubs.Shelf, release: hubs.Release, line: str) -> None:
    """While it is still being watched it goes back; later it may be the traffic that has changed."""
    watched = story.remembered(release.bundle).watched or release.beat is None
    if watched or runtime.url() is None:
        health.once_a_day(
            "labels", f"{release.version}: {line}; look whether the traffic has changed", health.now()
        )
    else:
        Drive(params.rollout, shelf, release, time.time).take_back(line)


def back(params: Params, why: str) -> None:
    """A person takes the champion back; it waits for no roll-out that is under way."""
    shelf = hubs.at(params.hub)
    release = _on_the_way(shelf)
    if release is None:
        raise Fixable("rollback: no release is served or on trial that could be taken back")
    Drive(params.rollout, shelf, release, time.time).take_back(why)
    known.note(shelf)


def history() -> None:
    for entry in story.told():
        print(f"{entry['at']}  {entry['version']:<8} {entry['step']:<11} {entry['says']}")


def _drive(params: Params, patience: float) -> None:
    if runtime.url() is None:
        say("rollout: no runtime is up; the next one to start serves the champion")
        return
    try:
        with story.alone():
            _steps(params, patience)
    except story.Busy:
        say("rollout: one is under way in another process; it goes on")


def _steps(params: Params, patience: float) -> None:
    until = time.monotonic() + patience
    shelf = hubs.at(params.hub)
    release = hubs.reigning(shelf)
    while release is not None:
        outcome = _stepped(Drive(params.rollout, shelf, release, time.time), until)
        if outcome != "taken back":
            say(f"rollout: {release.version}: {_word(outcome)}")
            return
        release = hubs.reigning(shelf)
    say("rollout: no champion yet, nothing to bring out")


def _stepped(drive: Drive, until: float) -> Outcome:
    while True:
        outcome = drive.step()
        if outcome in ("done", "taken back"):
            return outcome
        if outcome == "wait":
            # What serves already is watched by the watch; a night does not wait for that.
            if time.monotonic() >= until or fleet.stand(drive.release.bundle).phase == "settling":
                return outcome
            time.sleep(drive.params.poll)


def _word(outcome: Outcome) -> str:
    return {"done": "serves", "wait": "the next look goes on from here"}.get(outcome, outcome)


def _on_the_way(shelf: hubs.Shelf) -> hubs.Release | None:
    """The newest release that has any role in the runtime."""
    for release in reversed(hubs.reigns(shelf)):
        if fleet.stand(release.bundle).phase != "new":
            return release
    return None
