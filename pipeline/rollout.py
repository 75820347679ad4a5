"""Brings the running fleet onto the hub's champion, without a restart."""

from pipeline import hub as hubs
from pipeline.params import Params
from pipeline.progress import say
from pipeline.services import runtime


def run(params: Params) -> None:
    shelf = hubs.at(params.hub)
    champion = hubs.reigning(shelf)
    if champion is None:
        say("rollout: no champion yet, nothing to bring out")
        return
    serving = runtime.models()
    if serving is None:
        say(f"rollout: no runtime is up; the next one to start serves {champion.version}")
    elif serving["bundle"] == champion.bundle:
        say(f"rollout: {champion.version} is served already")
    else:
        runtime.swap(shelf.place(champion.bundle))
        say(f"rollout: {serving['version']} -> {champion.version}, without a restart")
