"""Tells Airflow of the page "Gate": where it hangs in the UI, and what answers for it.

They are apps of the UI and not framed pages: a frame may neither open a link nor, on a run, load a picture.
"""

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

SCRIPT = "gate/gate.js"  # relative to the UI's own address, wherever that is mounted
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='{}'"
    " stroke-width='2' stroke-linecap='round' stroke-linejoin='round'%3E"
    "%3Cpath d='M4 21V8l8-5 8 5v13M4 13h16M9 21v-8M15 21v-8'/%3E%3C/svg%3E"
)


def _app(name: str, destination: str, route: str) -> dict[str, Any]:
    icons = {"icon": ICON.format("%237b8fb3"), "icon_dark_mode": ICON.format("%23b8c4d6")}
    return {
        "name": name,
        "destination": destination,
        "url_route": route,
        "bundle_url": SCRIPT,
        "nav_top_level": destination == "nav",
        **icons,
    }


class GatePlugin(AirflowPlugin):  # type: ignore[misc]  # airflow is not followed by mypy
    name = "gate"
    # Airflow finds a component by its app's name; the first two are one component, with and without a run.
    react_apps = [  # noqa: RUF012
        _app("Gate", "nav", "gate"),
        _app("Gate", "dag_run", "gate-of-run"),
        _app("Champion", "dashboard", "champion"),
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """Only the API server asks for it: every other process of Airflow imports this file for nothing."""
        from gate_page.application import application

        return [{"app": application(), "url_prefix": "/gate", "name": "gate"}]
