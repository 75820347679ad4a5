"""The routes behind the admin door: which bundle has which role."""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args

from inference_runtime.bodies import object_of
from inference_runtime.door import Routes, answered
from inference_runtime.errors import Fixable
from inference_runtime.exchange import Exchange
from inference_runtime.roles import Placed, Role, Roles, Roster, Trial
from inference_runtime.wire import Refusal, Response

log = logging.getLogger("inference_runtime")


def routes(roles: Roles) -> Routes:
    admin = Admin(roles)
    return {
        "/admin/bundles": {"GET": admin.bundles, "POST": admin.place},
        "/admin/promote": {"POST": admin.promote},
        "/admin/rollback": {"POST": admin.rollback},
        "/admin/end": {"POST": admin.end},
        "/admin/comparison": {"GET": admin.comparison},
    }


class Admin:
    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def bundles(self, exchange: Exchange) -> Response:
        return Response(HTTPStatus.OK, shown(self._roles.roster))

    def place(self, exchange: Exchange) -> None:
        asked = object_of(exchange.body)
        folder, role, share = _folder(asked), _role(asked), _share(asked)

        def place() -> None:
            exchange.reply(answered(lambda: _changed(lambda: self._roles.place(folder, role, share))))

        # Loading takes seconds, and the loop answers others meanwhile.
        threading.Thread(target=place, name="loading", daemon=True).start()

    def promote(self, exchange: Exchange) -> Response:
        id = object_of(exchange.body).get("bundle")
        if not isinstance(id, str):
            raise Refusal(HTTPStatus.BAD_REQUEST, "bundle: missing, or no string")
        return _changed(lambda: self._roles.promote(id))

    def rollback(self, exchange: Exchange) -> Response:
        return _changed(self._roles.rollback)

    def end(self, exchange: Exchange) -> Response:
        match object_of(exchange.body).get("role"):
            case "shadow" | "canary" as role:
                trial: Trial = role
                return _changed(lambda: self._roles.end(trial))
        raise Refusal(HTTPStatus.BAD_REQUEST, f"role: name one of {', '.join(get_args(Trial))}")

    def comparison(self, exchange: Exchange) -> Response:
        challenger = self._roles.roster.challenger
        if challenger is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "comparison: there is neither shadow nor canary")
        return Response(HTTPStatus.OK, challenger.comparison.shown())


def shown(roster: Roster) -> dict[str, Any]:
    trial = roster.challenger
    of = {trial.role: _placed(trial.placed)} if trial else {}
    if trial and trial.role == "canary":
        of["canary"]["share"] = trial.share
    return {
        "serving": _placed(roster.serving),
        "previous": roster.previous and _placed(roster.previous),
        "shadow": of.get("shadow"),
        "canary": of.get("canary"),
    }


def _placed(placed: Placed) -> dict[str, Any]:
    bundle = placed.predictor.bundle
    return {
        "bundle": bundle.id,
        "version": bundle.version,
        "path": str(bundle.folder),
        "since": placed.since,
    }


def _changed(change: Callable[[], Roster]) -> Response:
    try:
        roster = change()
    except Fixable as error:
        raise Refusal(HTTPStatus.CONFLICT, str(error)) from error
    now = shown(roster)
    named = [f"{role} {placed['bundle']}" for role, placed in now.items() if placed]
    log.info("roles: %s", ", ".join(named))
    return Response(HTTPStatus.OK, now)


def _folder(asked: dict[str, Any]) -> Path:
    folder = asked.get("path")
    if not isinstance(folder, str) or not folder or "\0" in folder:
        raise Refusal(HTTPStatus.BAD_REQUEST, "path: missing, or not the name of a folder")
    return Path(folder)


def _role(asked: dict[str, Any]) -> Role:
    match asked.get("role", "serve"):
        case "serve" | "shadow" | "canary" as named:
            role: Role = named
            return role
    raise Refusal(HTTPStatus.BAD_REQUEST, f"role: name one of {', '.join(get_args(Role))}")


def _share(asked: dict[str, Any]) -> float:
    share = asked.get("share", 0.1)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise Refusal(HTTPStatus.BAD_REQUEST, "share: a number over 0, up to 1")
    return float(share)
