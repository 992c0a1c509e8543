# Everything a newcomer or CI needs. The environment makes itself; nothing but Python 3.11+, make and a package
# registry has to be there.

SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.PHONY: help demo dev test prove nightly browser lint format bench drawing reference sample lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(RUN) ## Watch 200 journeys live six months in two minutes (ARGS="--leads 50 --keep")
	@$(BIN)/python starter.py demo $(ARGS)

dev: $(RUN) ## Start everything embedded: Temporal server with its UI, database, worker (ARGS="--speed 1d/s")
	@$(BIN)/python starter.py dev $(ARGS)

test: $(DEV) ## Run the tests (ARGS="-k gate")
	$(BIN)/python -m pytest -m "not slow and not browser" -n 2 --dist loadfile $(ARGS)

prove: $(DEV) ## Run the slower proofs: kills, storms, long property runs
	$(BIN)/python -m pytest -m slow $(ARGS)

nightly: $(DEV) ## Search with fresh seeds: random edits (ARGS="--minutes 60"), 20 times the examples, then the slow proofs
	$(BIN)/python -m tests.laws --edits 10000 --lives 5000 --seed $$(date +%Y%m%d)000 $(ARGS)
	$(BIN)/python -m pytest -m "hypothesis and not slow" -n 2 --hypothesis-profile=nightly
	$(MAKE) prove

browser: $(DEV) ## Run the whole way of a person, in dev, through headless Chromium (two minutes)
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

lint: $(DEV) ## Check style, types, and that imports run one way
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## Measure what a journey costs, beside the same journey on the bare SDK
	$(BIN)/python -m benchmarks $(ARGS)

drawing: $(DEV) ## Draw the rooms and a track (docs/rooms.svg, docs/new-lead.svg), and list every module in docs/architecture.md
	$(BIN)/python -m docs.draw_rooms
	$(BIN)/python -m docs.list_modules
	$(BIN)/python starter.py draw new-lead --out docs/new-lead.svg

reference: $(DEV) ## Write docs/commands.md from the command line itself
	$(BIN)/python -m perennial.cli.reference > docs/commands.md

sample: $(DEV) ## Write the sample leads anew (the same bytes each time)
	$(BIN)/python sample/generate.py

lock: $(DEV) ## Resolve the dependencies anew into the two hashed lock files
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev -c requirements.lock --universal --python-version 3.11 \
		--generate-hashes --upgrade --quiet --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		-o requirements-dev.lock

clean: ## Remove the environment and the caches; data folders stay
	rm -rf $(VENV) .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Perennial needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN): requirements.lock | $(VENV)/bin/python
	@echo "Installing (once, a minute or so) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(DEV): requirements-dev.lock $(RUN)
	@echo "Installing the test tools ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
