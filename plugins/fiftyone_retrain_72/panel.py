"""What the night picked, what waits, and the buttons to go through it."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from . import queue
from .operators import chosen, told

HELP = "What waits for a person. Select pictures in the grid, then say what they show."
ME = "fiftyone"  # by whom, where nobody typed a name
COLOURS = {"roadwork": "#ea580c", "clear": "#6b7280"}
QUIET = {"color": "#9ca3af"}


class Review(foo.Panel):
    @property
    def config(self) -> Any:
        return foo.PanelConfig(
            name="review", label="Review queue", icon="fact_check", help_markdown=HELP, surfaces="grid"
        )

    def on_load(self, ctx: Any) -> None:
        if ctx.dataset is None or not ctx.dataset.has_field("reason"):
            ctx.panel.set_state("waiting", None)
            return
        ctx.panel.set_state("waiting", queue.waiting(ctx.dataset))
        ctx.panel.set_state("progress", list(queue.progress(ctx.dataset)))
        picked = queue.picked(ctx.dataset)
        bars = {
            "type": "bar",
            "orientation": "h",
            "x": list(picked.values())[::-1],
            "y": list(picked)[::-1],
            "marker": {"color": COLOURS["roadwork"]},
        }
        ctx.panel.set_data("picked", [bars])

    def on_change_view(self, ctx: Any) -> None:
        self.on_load(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        self.on_load(ctx)

    def cases(self, ctx: Any) -> None:
        ctx.ops.set_view(name="case")

    def suspects(self, ctx: Any) -> None:
        ctx.ops.set_view(name="suspects")

    def faults(self, ctx: Any) -> None:
        ctx.ops.set_view(name="faults")

    def everything(self, ctx: Any) -> None:
        ctx.ops.set_view(name="queue")

    def roadwork(self, ctx: Any) -> None:
        self._said(ctx, "roadwork")

    def clear(self, ctx: Any) -> None:
        self._said(ctx, "clear")

    def confirm(self, ctx: Any) -> None:
        samples = chosen(ctx)
        if samples is not None:
            told(ctx, queue.confirm(samples), "confirmed")
            self.on_load(ctx)

    def _said(self, ctx: Any, label: str) -> None:
        samples = chosen(ctx)
        if samples is None:
            ctx.ops.notify("select pictures in the grid first", variant="warning")
            return
        told(ctx, queue.say(samples, label, ctx.user_id or ME), f"labelled {label}")
        self.on_load(ctx)

    def render(self, ctx: Any) -> Any:
        panel = types.Object()
        waiting = ctx.panel.get_state("waiting")
        if not waiting:
            panel.md("### Nothing here\nThis dataset is not one that `pull` fills.")
            return types.Property(panel)
        labelled, cases = ctx.panel.get_state("progress") or (0, 0)
        panel.md(
            f"##### {sum(waiting[tag] for tag in queue.QUEUE):,} pictures wait for a person", name="head"
        )
        panel.md(f"{labelled:,} of {cases:,} cases have a label by now.", name="so_far")
        self._ways(panel, waiting)
        panel.md("**The selected pictures show**", name="ask")
        row = panel.h_stack("say", gap=1)
        row.btn("roadwork", label="roadwork", on_click=self.roadwork, variant="contained")
        row.btn("clear", label="no roadwork", on_click=self.clear, variant="contained")
        row.btn("confirm", label="label is right", on_click=self.confirm, variant="outlined")
        panel.md("**Why they were picked**", name="why")
        panel.plot("picked", layout=self._layout(), config={"displayModeBar": False})
        return types.Property(panel, view=types.GridView(gap=2, pad=2))

    def _ways(self, panel: Any, waiting: dict[str, int]) -> None:
        row = panel.h_stack("ways", gap=1)
        for name, label, do in (
            ("cases", f"cases {waiting[queue.CASE]:,}", self.cases),
            ("suspects", f"labels in doubt {waiting[queue.SUSPECT]:,}", self.suspects),
            ("faults", f"faults {waiting[queue.FAULT]:,}", self.faults),
            ("everything", "the whole queue", self.everything),
        ):
            row.btn(name, label=label, on_click=do, variant="outlined")

    def _layout(self) -> dict[str, Any]:
        return {
            "height": 240,
            "margin": {"l": 130, "r": 20, "t": 10, "b": 30},
            "xaxis": {"gridcolor": "#37415155", "tickfont": QUIET},
            "yaxis": {"tickfont": QUIET},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        }
