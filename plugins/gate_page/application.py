"""What answers under /gate. Every route asks for Airflow's own login."""

from functools import cache
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, Response

from gate_page import airflow_state, card, house, page, pictures, run

# A picture never changes under its name; it is nobody else's to keep.
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
AT_ONCE = {"Cache-Control": "no-store"}


@cache
def application() -> FastAPI:
    # No documentation routes: they would answer anybody.
    app = FastAPI(
        title="Gate",
        dependencies=[Depends(requires_authenticated())],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _add_pages(app)
    _add_files(app)
    return app


def _add_pages(app: FastAPI) -> None:
    @app.get("/page")
    def whole_page() -> Response:
        return _html(page.drawn(house.facts(), airflow_state.now()))

    @app.get("/card")
    def home_card() -> Response:
        return _html(card.drawn(house.facts(), airflow_state.now()))

    @app.get("/run")
    def one_run(dag: Annotated[str, Query()], run_id: Annotated[str, Query(alias="run")]) -> Response:
        found = airflow_state.of_run(dag, run_id)
        if found is None:
            raise HTTPException(404, f"no run {run_id!r} of {dag!r}")
        return _html(run.drawn(found))


def _add_files(app: FastAPI) -> None:
    @app.get("/gate.js")
    def script() -> Response:
        code = (Path(__file__).parent / "gate.js").read_text()
        return Response(code, media_type="text/javascript", headers=AT_ONCE)

    @app.get("/images/{image}")
    def picture(image: str) -> Response:
        data = pictures.thumbnail(image)
        if data is None:
            raise HTTPException(404, "no such picture")
        return Response(data, media_type="image/jpeg", headers=FOR_EVER)

    @app.get("/reports/{name}")
    def report(name: str) -> Response:
        file = house.reports().get(name)
        if file is None:
            raise HTTPException(404, "no such report yet")
        # On the disk the night's cost lies two folders up; here it has a route of its own.
        return _html(file.read_text().replace("../../var/night_cost.js", "../night_cost.js"))

    @app.get("/night_cost.js")
    def cost() -> Response:
        return Response(house.cost(), media_type="text/javascript", headers=AT_ONCE)


def _html(text: str) -> Response:
    return HTMLResponse(text, headers=AT_ONCE)
