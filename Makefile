# The two commands are `make demo` and `make test`; each brings all the set-up it needs. `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak retrain format clean

# Extra dependencies, for example EXTRAS=tensorrt or EXTRAS=tensorrt,rtx; once asked for, they stay in the venv.
EXTRAS ?=

# The tests try everything that takes no GPU: TensorRT-RTX and INT8 builds, all file formats, a local Ray cluster.
test: override EXTRAS := $(EXTRAS),rtx,int8,formats,rerun,cluster
# And pages in Chromium, where apt may bring it.
test: export BROWSER := yes

# The venv is complete; somebody's PYTHONPATH (ROS sets one) would put other packages before it.
unexport PYTHONPATH PYTHONHOME

VENV_PYTHON := .venv/bin/python

help:
	@echo 'make demo                  track two hands on the sample clip: windows, or files in out/demo without a display'
	@echo 'make test                  format, lint, types and tests'
	@echo "make soak                  an hour under load: memory, rate, threads, files, windows; SOAK='--minutes 5' is shorter"
	@echo 'make format                let ruff format the sources and mend what it can'
	@echo 'make setup EXTRAS=tensorrt set-up only, with extra dependencies: tensorrt (NVIDIA GPU), rtx (TensorRT for RTX),'
	@echo '                           int8 (quantisation), formats (Parquet, glTF, C3D, .pose), rerun (.rrd), cluster (Ray); several with commas'
	@echo "make retrain               data, training, evaluation, weights, verified engine; RETRAIN='--dry-run' tries it"
	@echo 'make clean                 remove the venv, caches and out/demo'
	@echo
	@echo 'PYTHON=/path/to/python3.11 chooses the Python (3.10, 3.11 or 3.12).'
	@echo 'Without an NVIDIA GPU a smaller torch does: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo'

setup:
	@scripts/setup.sh '$(EXTRAS)'

demo: setup
	@$(VENV_PYTHON) run_demo.py --demo

test: setup
	@scripts/test.sh

# With windows wherever a display is, or xvfb-run can make one.
soak: setup
	@if [ -z "$$DISPLAY" ] && command -v xvfb-run > /dev/null; \
	then xvfb-run -a -s '-screen 0 1280x1024x24' $(VENV_PYTHON) -m benchmarks.soak $(SOAK); \
	else $(VENV_PYTHON) -m benchmarks.soak $(SOAK); fi

# Rendering hands takes moderngl.
retrain: override EXTRAS := $(EXTRAS),synth
retrain: setup
	$(VENV_PYTHON) -m training.retrain $(RETRAIN)

format: setup
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

clean:
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info out/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
