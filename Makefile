# Everything is set up by the target that needs it; nothing here needs root but `system-packages`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
EXTRAS ?= dev
PIP    := $(BIN)/python -m pip --disable-pip-version-check
TORCH  := $(shell grep '^torch==' constraints.txt)
TORCH_VERSION := $(TORCH:torch==%=%)
export PIP_QUIET ?= 2
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: readmes help install demo test test-slow bench app bundled diagram-models diagram-writer lint format system-packages clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

# torch goes first. Without an NVIDIA driver its CPU build is taken where the index has one; beside
# a driver the ordinary build is. A Colab or a Space keeps its own: it uses `pip install -e .`.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once, about 2-7 minutes)"
	@echo "  1/2 torch, the largest part …"
	@if [ -e /proc/driver/nvidia/version ]; then \
	  $(PIP) install '$(TORCH),!=$(TORCH_VERSION)+cpu'; \
	else \
	  $(PIP) install '$(TORCH)+cpu' 2>/dev/null || $(PIP) install '$(TORCH)'; \
	fi
	@echo "  2/2 the other libraries …"
	@$(PIP) install -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

# Ray is for sweeps over machines: their tests need it, nothing else here does.
$(VENV)/.ray: $(VENV)/.installed
	@$(PIP) install -c constraints.txt -e '.[ray]'
	@touch $@

install: $(VENV)/.installed  ## set up .venv

demo: install  ## a whole selection over the bundled models, from measuring to the report
	$(BIN)/ohlora run korean-small --weights bundled --out reports/demo-$$(date +%Y%m%d-%H%M%S)

test: install  ## the quick tests
	$(BIN)/python -m pytest -m "not slow"

test-slow: install $(VENV)/.ray  ## the slow tests, two at a time, then those that need the machine to themselves
	$(BIN)/python -m pytest -m "slow and not alone" -n 2 --dist loadscope
	$(BIN)/python -m pytest -m "slow and alone"

bench: install  ## the pytest-benchmark suites
	$(BIN)/python -m pytest benchmarks/ --benchmark-json=reports/bench.json

app: install  ## the page
	$(BIN)/python ohlora_app.py

bundled: install  ## train the bundled models again
	$(BIN)/python -m model_registry.bundled.train_bundled

diagram-models: install  ## train what judges diagrams again
	$(BIN)/python -m diagrams.training.train_networks

diagram-writer: install  ## train the bundled model that writes diagrams again
	$(BIN)/python -m benchmarks.training.train_diagram_writer

lint: install  ## style, types and static security checks (ruff with bandit's rules, mypy)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

readmes: install  ## write what lies where into the folders' READMEs
	$(BIN)/python -m tests.folder_readmes

format: install  ## put the code in the house's form
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

system-packages:  ## optional, as root: a browser and Korean fonts for the browser tests
	apt-get update && apt-get install -y --no-install-recommends chromium fonts-nanum postgresql

clean:  ## remove what the other targets made, but no results
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache *.egg-info build dist
