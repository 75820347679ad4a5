"""The roll-out of one release, a step at a time: shadow, canary, promote, watch; or all of it taken back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from inference_runtime import bundle as bundles
from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline.alerts import alert
from pipeline.params import Rollout
from pipeline.rollout import fleet, looks, signals, story
from pipeline.rollout.fleet import Phase, Stand
from pipeline.rollout.looks import Look
from pipeline.rollout.signals import Expected, Seen
from pipeline.rollout.story import State
from pipeline.services import runtime

Outcome = Literal["go on", "wait", "promoted", "taken back", "done"]


@dataclass(frozen=True)
class Drive:
    """One release against the runtime. Every step asks the runtime first where it stands."""

    params: Rollout
    shelf: hubs.Shelf
    release: hubs.Release
    clock: Callable[[], float]

    def step(self) -> Outcome:
        bundle = self.release.bundle
        if bundle in story.taken_back():
            self.take_back(story.taken_back()[bundle])
            return "taken back"
        where, state = fleet.stand(bundle), story.remembered(bundle)
        match where.phase:
            case "new":
                return self._begin(state)
            case "serving":
                return self._settle(where, state)
            case _:
                return self._compare(where, state)

    def take_back(self, why: str) -> None:
        """Told first, so that a kill on the way leaves what the next run must finish."""
        bundle = self.release.bundle
        where = fleet.stand(bundle)
        restored = self._restoring(where)
        if bundle not in story.taken_back():
            self._tell(story.TAKEN_BACK, why)
        restored()
        self.shelf.withdraw(bundle, why)
        alert(f"{self.release.version} ({bundle}) was taken back: {why}")

    def _restoring(self, where: Stand) -> Callable[[], object]:
        """What brings back what was before; refused here if there is nothing."""
        match where.phase:
            case "new":
                return lambda: None
            case "shadow" | "canary" as role:
                return lambda: runtime.end(role)
            case _ if where.previous:
                return runtime.rollback
        # A runtime that started with the new bundle holds no older one.
        older = [one for one in hubs.reigns(self.shelf) if one.bundle != self.release.bundle]
        if not older:
            raise Fixable(f"{self.release.version}: serves, and there is none before it to go back to")
        return lambda: runtime.place(self.shelf.place(older[-1].bundle), "serve")

    def _begin(self, state: State) -> Outcome:
        # Verified and warm in the runtime, or refused there with nothing changed.
        place = self.shelf.place(self.release.bundle)
        if self.params.shadow:
            self._place(
                place, "shadow", f"answers unseen beside the others until {self.params.shadow} of both"
            )
        elif self.params.canary:
            self._canary(place)
        else:
            return self._promote("shadow and canary are off", lambda: runtime.place(place, "serve"))
        self._phase_begins(state)
        return "go on"

    def _place(self, place: Path, role: Literal["shadow", "canary"], says: str) -> None:
        runtime.place(place, role, self.params.share)
        self._tell(role, says)

    def _canary(self, place: Path) -> None:
        share = self.params.share
        self._place(place, "canary", f"answers {share:.0%} of the images until {self.params.canary} of both")

    def _compare(self, where: Stand, state: State) -> Outcome:
        seen = fleet.seen(self.release.bundle)
        looked = looks.look(state.looks, seen, self.expected(), self.params)
        if looked:
            state = replace(state, looks=looked.looks)
            story.remember(state)
            self._tell_look(where.phase, seen, looked)
            if looked.alarm and looked.worst:
                self.take_back(f"{looked.worst.signal}: {looked.worst.says} (p = {looked.worst.p:.2g})")
                return "taken back"
        if seen.both >= self._wanted(where.phase):
            return self._advance(where.phase, f"{seen.both} answers of both, no signal", state)
        return self._listen(where.phase, seen, state)

    def _wanted(self, phase: Phase) -> int:
        wanted = {"shadow": self.params.shadow, "canary": self.params.canary, "settling": self.params.watch}
        return wanted[phase]

    def _advance(self, phase: Phase, why: str, state: State) -> Outcome:
        if phase == "shadow" and self.params.canary:
            self._canary(self.shelf.place(self.release.bundle))
            self._phase_begins(state)
            return "go on"
        if phase == "settling":
            runtime.end("shadow")
            story.remember(replace(state, watched=True))
            self._tell("watched", why)
            return "done"
        return self._promote(why, lambda: runtime.promote(self.release.bundle))

    def _listen(self, phase: Phase, seen: Seen, state: State) -> Outcome:
        """Nobody asks: there is nothing to compare, and nobody to hurt. Some asked: more will."""
        answers = sum(side.answers + side.errors + side.timeouts for side in (seen.old, seen.new))
        if answers != state.answers or not state.changed:
            story.remember(replace(state, answers=answers, changed=self.clock()))
            return "wait"
        silent = self.clock() - state.changed
        if phase == "settling" or answers or silent < self.params.quiet:
            return "wait"
        why = f"nobody asked for {silent:.0f} s, so the gate's word is enough"
        return self._promote(why, lambda: runtime.promote(self.release.bundle))

    def _promote(self, why: str, deed: Callable[[], object]) -> Outcome:
        deed()
        self._tell("promoted", why)
        return "promoted"

    def _settle(self, where: Stand, state: State) -> Outcome:
        """The old one becomes the shadow, so that the same questions can be asked the other way round."""
        before = self.release.beat
        if state.watched or before is None or not self.params.watch:
            return "done"
        runtime.place(self.shelf.place(before), "shadow")
        self._tell("watch", f"serves all, the old one unseen beside it until {self.params.watch} of both")
        self._phase_begins(state)
        return "go on"

    def _phase_begins(self, state: State) -> None:
        # Looks go on being counted: what they may spend is spent once per roll-out.
        story.remember(replace(state, looks=replace(state.looks, items=0), answers=0, changed=self.clock()))

    def expected(self) -> Expected:
        verdict = bundles.load(self.shelf.place(self.release.bundle)).verdict
        return signals.expected(verdict or {}, self.params)

    def _tell(self, step: str, says: str, **evidence: object) -> None:
        story.tell(step, self.release.bundle, self.release.version, says, **evidence)

    def _tell_look(self, phase: Phase, seen: Seen, looked: Look) -> None:
        worst = looked.worst
        says = f"look {looked.looks.done} at {seen.both} answers of both"
        if worst:
            says += f"; the worst of it: {worst.signal}, {worst.says} (p = {worst.p:.2g})"
        self._tell("look", says, phase=phase, budget=looks.budget(looked.looks.done, self.params))
