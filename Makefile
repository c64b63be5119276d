# Everything runs in .venv, which the first target that needs it makes from a bare Python 3.11-3.13.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: quickstart test test-all check audit fuzz install clean
.DEFAULT_GOAL := quickstart

quickstart: .venv/installed
	$(BIN)/latentgrid run grids/quickstart.yaml --out runs

# In two processes, of which one has all tests that need Ray (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -q --numprocesses 2 --dist loadgroup

test: .venv/installed
	$(PYTEST) -m "not slow and not gpu"

test-all: .venv/installed
	$(PYTEST)

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) --no-print-directory audit

# Known weaknesses of what is pinned; where nobody says what is known, a note and no failure.
audit: .venv/installed
	$(BIN)/python .ci/audit.py constraints.txt

# Readers of files and the dashboard, with damaged bytes, led by coverage too.
fuzz: .venv/installed
	$(BIN)/python -m pytest -q tests/fuzz

install: .venv/installed

# The stamp is written last, so a half-finished installation is made again.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"latentgrid needs Python 3.11 to 3.13; $(PYTHON) is {v[0]}.{v[1]}. Set PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
