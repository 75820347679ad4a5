"""The card on Home: how it is, in ten seconds."""

from html import escape

from gate_page import page, words
from gate_page.airflow_state import NIGHT, State
from gate_page.house import Facts


def drawn(facts: Facts, state: State) -> str:
    body = f"{_line(facts, state)}{words.questions(state.questions, NIGHT)}"
    # The class tells the style that this is no page of its own.
    return words.document(body).replace("<main>", '<main class="home">')


def _line(facts: Facts, state: State) -> str:
    one = facts.champion
    if one is None:
        return words.article("Roadwork", "no champion yet", _night(facts, state))
    told = ", ".join(part for part in (f"{page.age_of(one)} old", page.reward(one)) if part)
    return words.article("Roadwork", f"champion v{one.version}, {told}", _night(facts, state))


def _night(facts: Facts, state: State) -> str:
    coming = page.coming(state)
    parts = [f"next run {coming}"]
    if facts.verdict:
        parts.append(f"the gate's last word: {escape(facts.verdict['value'])}")
    if state.last and state.last.state == "failed":
        parts.append("the last night failed: " + words.run_link(state.last))
    parts.append(words.link("plugin/gate", "more"))
    return " · ".join(parts)
