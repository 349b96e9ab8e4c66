# Two commands do everything on a bare machine: `make demo` and `make test`.
#
# PYTHON   the interpreter to start from (3.11 or newer)
# TORCH    what to install as torch: `make test TORCH=torch==2.13.0` where a CPU wheel is at hand
PYTHON ?= python3
TORCH ?= torch
VENV ?= .venv

BIN := $(VENV)/bin
READY := $(VENV)/.ready
LIGHT ?= .venv-demo
SPREAD := -n auto # tests/conftest.py says how many processes that are, and what stays together

.PHONY: demo draw test test-all browser bench lint format docs docs-serve figures clean

# In an environment of its own: without torch it is there in seconds, and it shows that drawing needs none.
demo: $(LIGHT)/.ready ## ten variations of a public-domain photo, by the bundled model
	$(LIGHT)/bin/facette demo

draw: $(LIGHT)/.ready ## every way to draw, where there is no torch: half a minute
	scripts/ci/drawing.sh $(LIGHT)

test: $(READY) browser ## the test suite, a few minutes on two cores
	$(BIN)/pytest -m "not slow" $(SPREAD)

test-all: $(READY) browser ## the suite and the slow proofs
	$(BIN)/pytest $(SPREAD)

browser: ## the studio and the pages are tried in Chromium; where it is missing and may be installed, it is
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null \
	  || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	    && { apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null 2>&1 \
	      || apt-get install -y -qq --no-install-recommends chromium >/dev/null; }; } \
	  || echo "no chromium: the tests in a browser are skipped"

bench: $(READY) ## training beside its peers, inference beside the classic script: a quiet machine, a quarter of an hour
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/inference.py

lint: $(READY) ## style, formatting and types
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/basedpyright

format: $(READY) ## put the code in its form
	$(BIN)/ruff check --fix src tests benchmarks scripts
	$(BIN)/ruff format src tests benchmarks scripts

docs: $(READY) ## the site, strictly, into site/: open site/index.html
	$(BIN)/python scripts/docs/reference.py
	$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md docs src scripts notebooks
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

docs-serve: $(READY) ## the site as you write it, on this machine
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

figures: $(READY) ## draw the pictures of the README and the docs again
	$(BIN)/python scripts/docs/figures.py
	$(BIN)/python scripts/docs/studio_pages.py

$(LIGHT)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Facette needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	test -x $(LIGHT)/bin/python || $(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/python -m pip install --quiet --editable .
	@touch $@

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Facette needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

clean: ## remove the environment and what tests and builds left
	rm -rf $(VENV) $(LIGHT) build dist site .pytest_cache .ruff_cache .hypothesis
