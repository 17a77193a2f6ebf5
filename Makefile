# Needs python3 (3.11 or newer, with venv), make and git; everything else is fetched into .venv.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install run test lint format bench scores rollouts siege mutants chaos docs image clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with the locked dependencies (quick when nothing changed)

$(INSTALLED): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Parley needs Python 3.11 or newer: set PYTHON=/path/to/python3, this one is" && $(PYTHON) --version; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv || { echo "python3 has no venv here: install it (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --frozen --inexact --quiet --python $(BIN)/python
	@touch $@

run: install ## start everything and open the page; Ctrl-C stops it, the data stay in .parley (ARGS= for `parley up`)
	@exec $(BIN)/parley up $(ARGS)

test: install lint ## everything that must hold before a change lands: style, types, import walls, tests (ARGS= for pytest)
	$(BIN)/pytest -m "not long" --numprocesses=2 $(ARGS)

lint: install ## style, types, import walls, and one number for each step of the tables
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict shared services deploy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet --no-header tests/shared/storage/test_migrate.py -k one_number

format: install ## let ruff put the code into its form
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

scores: install ## how well mails are read, on the collections beside the project; writes the table of docs/email.md
	$(BIN)/python -m tests.scores

bench: install ## measure against bare baselines in one run; prints a table, writes JSON under tests/bench
	$(BIN)/python -m tests.bench $(ARGS)

rollouts: install ## how long partitions stand while routers come, go and are killed; prints a table (ARGS= words of what happens)
	$(BIN)/python -m tests.bench.rollouts $(ARGS)

siege: install ## what an ordinary sender notices while strangers attack; prints a table, within five minutes (ARGS= names of attacks)
	@timeout 300 $(BIN)/python -m tests.siege $(ARGS)

mutants: install ## break each rule of docs/architecture.md in a copy and look whether its tests see it (ARGS= words of rules)
	$(BIN)/python -m tests.mutants $(ARGS)

chaos: install ## the long runs that kill processes under traffic
	$(BIN)/pytest -m "chaos or long" --timeout=3600 $(ARGS)

docs: install ## write the generated pages of docs/ again
	$(BIN)/parley docs

image: ## build the container image (needs Docker)
	docker build --tag parley:0.1.0 .

clean: ## remove .venv and every cache; .parley, which holds data, stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
