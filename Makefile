# `make demo` and `make test` need Python 3.11 or newer and nothing else; both set up .venv by themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint format types docs clean

demo: $(VENV)/.installed  ## Audit the reward model that ships
	$(BIN)/rmaudit scan demo

test: $(VENV)/.dev-installed  ## Run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/.dev-installed  ## Style, docstrings, format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev-installed  ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.dev-installed  ## Write the generated pages anew
	$(BIN)/python -m builders.reference
	$(BIN)/python -m builders.formats
	$(BIN)/python -m builders.head_spec

format: $(VENV)/.dev-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("rmaudit needs Python 3.11 or newer; run: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/.dev-installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache
