"""The tab of a run: what each task came to, and which bytes it made of which."""

from html import escape
from typing import Any

from gate_page import words
from gate_page.airflow_state import Made, RunFacts


def drawn(found: RunFacts) -> str:
    parts = (
        words.questions(found.questions, found.run.dag),
        _verdict(found),
        _origin(found),
        _table(found.made),
    )
    return words.document("".join(parts))


def _verdict(found: RunFacts) -> str:
    said = next((one.record["verdict"] for one in found.made if one.record and "verdict" in one.record), None)
    if said is None:
        over = found.run.state in ("success", "failed")
        told = "This run asked the gate nothing." if over else "The gate has not spoken yet."
        return f'<header><p class="value">{escape(found.run.state)}</p><h1>{told}</h1></header>'
    value = escape(said["value"])
    return (
        f'<header class="{value}"><p class="value">{value}</p><h1>{words.TITLES[said["value"]]}</h1>'
        f"{words.items(said['reasons'])}</header>"
    )


def _origin(found: RunFacts) -> str:
    """Where all records of a run agree, it is said once."""
    record = next((one.record for one in found.made if one.record), None)
    if record is None:
        return ""
    told = [(key, record.get(key)) for key in ("commit", "params", "until")]
    return '<p class="soft">' + ", ".join(f"{key} {_code(value)}" for key, value in told if value) + "</p>"


def _table(made: list[Made]) -> str:
    rows = "".join(map(_row, made))
    head = "<tr><th>task</th><th>state</th><th>took</th><th>what came out</th><th>bytes</th></tr>"
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def _row(one: Made) -> str:
    record = one.record or {}
    took = words.span(one.seconds) if one.seconds is not None else ""
    came = ", ".join(
        f"{key.replace('_', ' ')} {_figure(value)}" for key, value in record.get("summary", {}).items()
    )
    state = f'<td class="state {escape(one.state)}">{escape(one.state)}</td>'
    return (
        f"<tr><td>{escape(one.task)}</td>{state}<td>{took}</td><td>{escape(came)}</td>"
        f"<td>{_code(record.get('hash'))}</td></tr>"
    )


def _code(digest: Any) -> str:
    return f'<code title="{escape(str(digest))}">{escape(str(digest)[:12])}</code>' if digest else ""


def _figure(value: Any) -> str:
    match value:
        case None:
            return "none"
        case float():
            return f"{value:,.3g}"
        case _:
            return str(value)
