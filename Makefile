# `make` alone lists the recipes.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SOURCES := client docs workflows activities api dashboard imagemill cli sandbox tests benchmarks worker.py

.DEFAULT_GOAL := help
.PHONY: help demo dev test check format lint types contracts docs screenshots chaos bench lock

help: ## list the recipes
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is built once, and again whenever the lock changes.
$(VENV)/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready ## run the main job on this machine: a catalog in, its images out
	@$(BIN)/imagemill demo

dev: $(VENV)/ready ## start the whole service on this machine, until Ctrl-C
	@$(BIN)/imagemill dev

test: $(VENV)/ready ## every test, two files at a time: [ARGS=…]
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: format lint types contracts docs test ## everything CI runs

format: $(VENV)/ready ## is the code formatted?
	$(BIN)/ruff format --check $(SOURCES)

lint: $(VENV)/ready ## ruff
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/ready ## mypy, strict
	$(BIN)/mypy

contracts: $(VENV)/ready ## do imports point one way?
	$(BIN)/lint-imports

docs: $(VENV)/ready ## are the generated pages up to date, and do all links lead somewhere?
	$(BIN)/python -m docs.build --check

screenshots: $(VENV)/ready ## make the tutorials' pictures, by following them in a browser
	$(BIN)/pytest tests/browser/test_tutorials.py --screenshots docs/tutorial/images

chaos: $(VENV)/ready ## break things while jobs run: [ONLY=…] [SEEDS=n] [FIRST=seed] [AT_ONCE=n] [MINUTES=of the soak] [VERDICTS=folder] [EVIDENCE=folder]
	$(BIN)/pytest tests/chaos --chaos -n $(or $(AT_ONCE),2) --dist loadgroup $(if $(ONLY),-k $(ONLY)) --seeds $(or $(SEEDS),3) $(if $(FIRST),--first-seed $(FIRST)) $(if $(MINUTES),--minutes $(MINUTES)) --verdicts $(or $(VERDICTS),$(shell mktemp -d)) $(if $(EVIDENCE),--evidence $(EVIDENCE))

bench: $(VENV)/ready ## measure: [ONLY=…] [RESULTS=folder]
	$(BIN)/python -m benchmarks $(ONLY) $(if $(RESULTS),--results $(RESULTS))

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --extra dev pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --constraint requirements.lock benchmarks/peers/requirements.in -o benchmarks/peers/requirements.txt
