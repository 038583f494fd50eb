# Each target does all the set-up on first use (tools/setup.sh): .venv, by python3's own venv and pip.
# Another Python: make test PYTHON=python3.12
# Linux without a GPU: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make reproduce
# leaves out the CUDA packages, which are most of the download.

.PHONY: help setup reproduce test lab lint lock clean
.DEFAULT_GOAL := help

# The notebooks' kernel is .venv's own, whatever else Jupyter knows of on this machine.
unexport JUPYTER_PATH
export JUPYTER_PREFER_ENV_PATH := 1

help:
	@echo 'make reproduce   run every notebook at its defaults, into reports/index.html'
	@echo 'make test        lint, then run the tests and the notebooks'
	@echo 'make lab         open the explorer in JupyterLab (ARGS=--no-browser passes options)'
	@echo 'make lint        check style and format only'
	@echo 'make lock        resolve requirements.lock and environment.yml anew'
	@echo 'make clean       remove .venv and caches (data/ and reports/ stay)'
	@echo
	@echo 'The first of them sets up .venv, once. Another Python: make test PYTHON=python3.12'

setup:
	@sh tools/setup.sh

# A notebook that fails is shown as failed in the report; the others still run.
reproduce: setup
	@status=0; \
	for notebook in notebooks/[0-9]*.ipynb; do \
		.venv/bin/fddkit run "$$notebook" || { \
			status=$$?; \
			if [ $$status -eq 130 ]; then exit 130; fi; \
		}; \
	done; \
	.venv/bin/fddkit report || exit $$?; \
	echo; \
	echo "The report: $(CURDIR)/reports/index.html"; \
	exit $$status

# Two at a time, each on one core, end sooner than one on two: OMP_NUM_THREADS=4 make test JOBS=8
JOBS ?= 2
test: lint
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} .venv/bin/python -m pytest \
		-n $(JOBS) --dist loadfile --nbval-lax --nbval-current-env tests notebooks

# Notebooks work in this folder, as they do headlessly: data/ and reports/ are here. Nothing asks
# the network for news of Jupyter.
lab: setup
	@.venv/bin/jupyter lab notebooks/06_explore.ipynb \
		--AsyncMappingKernelManager.root_dir="$(CURDIR)" \
		--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate \
		$(ARGS)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

lock:
	@"$${PYTHON:-python3}" tools/lock.py

clean:
	@rm -rf .venv build fddkit.egg-info .pytest_cache .ruff_cache .hypothesis
	@find fddkit tests tools notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
