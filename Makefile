# Two commands do everything on a machine that has only Python 3.11 or newer:
#   make demo    runs the main experiment on the bundled digits
#   make test    passes the tests
# Each makes its own environment in .venv first, if there is none.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint format docs benchmark clean

demo: $(VENV)/installed
	$(BIN)/mconn run configs/digits_mlp.py

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: $(VENV)/installed-test
	$(BIN)/python -m pytest -m slow -n auto

lint: $(VENV)/installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright

format: $(VENV)/installed-lint
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build --strict

benchmark: $(VENV)/installed
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.normalisers
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.fitting
	$(BIN)/python -m benchmarks.band
	$(BIN)/python -m benchmarks.discovery
	$(BIN)/python -m benchmarks.alignment
	$(BIN)/python -m benchmarks.similarity
	$(BIN)/python -m benchmarks.curvature
	$(BIN)/python -m benchmarks.tangent

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mconn needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# An environment is made anew only when the dependencies change.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build site *.egg-info .pytest_cache .ruff_cache
