"""What people do with the pictures they have selected."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from . import queue

NOTHING = "select pictures first"


def chosen(ctx: Any) -> Any:
    """The selected samples; None where there are none."""
    return ctx.dataset.select(ctx.selected) if ctx.selected else None


def told(ctx: Any, count: int, what: str) -> dict[str, Any]:
    """Says it in the App, shows the change, and gives it back to those who asked by program."""
    ctx.ops.clear_selected_samples()
    ctx.ops.reload_samples()
    ctx.ops.notify(f"{count} {what}", variant="success")
    return {"count": count}


class Say(foo.Operator):
    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name="say", label="Say what the selected pictures show", icon="label", dynamic=True
        )

    def resolve_input(self, ctx: Any) -> Any:
        inputs = types.Object()
        if chosen(ctx) is None:
            inputs.view("nothing", types.Warning(label=NOTHING))
            return types.Property(inputs)
        inputs.enum("label", queue.CLASSES, required=True, label="They show", view=types.RadioGroup())
        inputs.str("who", required=True, label="Your name", description="kept with the label")
        return types.Property(inputs, view=types.View(label=f"{len(ctx.selected)} pictures"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        samples, label = chosen(ctx), ctx.params.get("label")
        if samples is None or label not in queue.CLASSES:
            return {"count": 0, "refused": NOTHING if samples is None else f"no class {label!r}"}
        return told(ctx, queue.say(samples, label, ctx.params.get("who") or "fiftyone"), f"labelled {label}")

    def resolve_placement(self, ctx: Any) -> Any:
        button = types.Button(label="Say what they show", icon="label", prompt=True)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, button)


class Confirm(foo.Operator):
    @property
    def config(self) -> Any:
        return foo.OperatorConfig(name="confirm", label="The labels of the selected pictures are right")

    def execute(self, ctx: Any) -> dict[str, Any]:
        samples = chosen(ctx)
        if samples is None:
            return {"count": 0, "refused": NOTHING}
        return told(ctx, queue.confirm(samples), "confirmed")


class Ask(foo.Operator):
    @property
    def config(self) -> Any:
        return foo.OperatorConfig(name="ask", label="Queue the selected pictures for labelling")

    def execute(self, ctx: Any) -> dict[str, Any]:
        samples = chosen(ctx)
        if samples is None:
            return {"count": 0, "refused": NOTHING}
        return told(ctx, queue.ask(samples), "queued")
