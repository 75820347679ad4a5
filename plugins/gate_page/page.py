"""The page: tonight's verdict, the champion and those before it, its age, and what waits for a label."""

from html import escape
from typing import Any

from gate_page import drawings, words
from gate_page.airflow_state import NIGHT, State
from gate_page.house import Case, Facts, Reign

REPORTS = {"gate": "the gate's report", "dataset": "the dataset's report"}
HISTORY = 12
# The saved views of the dataset in FiftyOne.
VIEWS = {
    "case": "tonight's cases",
    "queue": "all that waits for a person",
    "suspects": "labels in doubt",
    "faults": "broken pictures",
}


def drawn(facts: Facts, state: State) -> str:
    parts = (
        words.questions(state.questions, NIGHT),
        _verdict(facts),
        _links(facts),
        _cards(facts, state),
        f'<div class="row">{_history(facts)}{_age(facts)}</div>',
        _cases(facts),
    )
    return words.document("".join(parts))


def _verdict(facts: Facts) -> str:
    if facts.verdict is None:
        return (
            '<header><p class="value">no verdict yet</p><h1>Before the first night</h1>'
            f"<p>The night runs at its time, or when you trigger {words.link(f'dags/{NIGHT}', NIGHT)}.</p>"
            "</header>"
        )
    said = facts.verdict
    value = escape(said["value"])
    judged = f"judged {words.ago(facts.judged)}, " if facts.judged else ""
    against = f" against {_code(said['champion'])}" if said.get("champion") else ""
    return (
        f'<header class="{value}"><p class="value">{value}</p><h1>{words.TITLES[said["value"]]}</h1>'
        f"{words.items(said['reasons'])}"
        f'<p class="soft">{judged}challenger {_code(said["challenger"])}{against}</p>'
        f"{_changes(said)}</header>"
    )


def _changes(said: dict[str, Any]) -> str:
    if not said.get("changes"):
        return ""
    return f"<details><summary>What would have changed it</summary>{words.items(said['changes'])}</details>"


def _links(facts: Facts) -> str:
    links = [words.link(f"gate/reports/{name}", REPORTS[name], elsewhere=True) for name in facts.reports]
    if facts.fiftyone:
        views = {f"{facts.fiftyone}?view={view}": told for view, told in VIEWS.items()}
        links += [words.link(address, f"FiftyOne: {told}", elsewhere=True) for address, told in views.items()]
    return f"<nav>{''.join(links)}</nav>" if links else ""


def _cards(facts: Facts, state: State) -> str:
    return f'<div class="cards">{champion(facts)}{_last(facts, state)}{_next(state)}</div>'


def champion(facts: Facts) -> str:
    one = facts.champion
    if one is None:
        return words.article("Champion", "none yet", "the first bundle that passes becomes it")
    lines = [f"{age_of(one)} old", reward(one)]
    return words.article("Champion", f"v{one.version}", *(line for line in lines if line))


def age_of(one: Reign) -> str:
    days = words.days(one.since)
    return f"{days:.0f} days" if days >= 2 else words.span(days * 86400)


def reward(one: Reign) -> str:
    if one.reward is None:
        return ""
    return f"reward {words.figure(one.reward)}" + (f" {words.bracket(one.bounds)}" if one.bounds else "")


def _last(facts: Facts, state: State) -> str:
    if state.last is None:
        return words.article("Last night", "none yet")
    lines = [words.run_link(state.last), words.ago(state.last.at), escape(facts.cost)]
    return words.article("Last night", state.last.state, *filter(None, lines))


def _next(state: State) -> str:
    return words.article(
        "Next night", coming(state), *([f"{state.next:%d %b %H:%M} UTC"] if state.next else [])
    )


def coming(state: State) -> str:
    if state.paused:
        return "paused"
    return words.ahead(state.next) if state.next else "not planned"


def _history(facts: Facts) -> str:
    if not facts.reigns:
        return words.section("Champions", '<p class="empty">Nobody has been champion yet.</p>')
    told = '<p class="soft">Reward on gold at the promotion, with its 95 % interval.</p>'
    gone = [one for one in facts.reigns if one.withdrawn]
    why = words.items([f"{one.version} was taken back: {one.withdrawn}" for one in gone[-3:]]) if gone else ""
    return words.section("Champions", told + drawings.reigns(facts.reigns[-HISTORY:], facts.champion) + why)


def _age(facts: Facts) -> str:
    if not facts.age:
        return ""
    rule, one = facts.age, facts.champion
    told = (
        "<p class=soft>What the network leaves of the reward, by the champion's age in days."
        f" At {rule['retrain_by']} train a newer one, at {rule['upload_by']} people are alerted.</p>"
    )
    return words.section("Age", told + drawings.age(rule, words.days(one.since) if one else None))


def _cases(facts: Facts) -> str:
    if not facts.cases:
        return words.section("Tonight's cases", '<p class="empty">No picture waits for a label.</p>')
    shown = f"the {len(facts.cases)} most uncertain of " if facts.waiting > len(facts.cases) else ""
    told = f'<p class="soft">{shown}{facts.waiting:,} that wait for a label. {_label(facts)}</p>'
    pictures = "".join(map(_case, facts.cases))
    return words.section("Tonight's cases", f'{told}<div class="items">{pictures}</div>')


def _label(facts: Facts) -> str:
    if facts.fiftyone is None:
        return "FiftyOne is not up."
    return words.link(f"{facts.fiftyone}?view=case", "Label them in FiftyOne", elsewhere=True)


def _case(one: Case) -> str:
    said = "not answered" if one.p is None else f"p {words.figure(one.p)}"
    picture = f'<img loading="lazy" alt="a case" src="gate/images/{escape(one.image)}">'
    return f"<figure>{picture}<figcaption>{escape(one.reason)}, {said}</figcaption></figure>"


def _code(bundle: str) -> str:
    return f"<code>{escape(bundle[:12])}</code>"
