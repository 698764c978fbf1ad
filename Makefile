# Two commands for a user: `make demo` and `make test`. Each sets itself up in .venv, from pip alone, without root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow studio test-studio lint types constraints model-pages board-page feature-page notebook site accept clean

demo: $(READY)                      ## the whole of spikefab on a made recording, or on yours: make demo FILE=cell.abf
	$(BIN)/spikefab demo $(if $(FILE),"$(FILE)") --out out/demo

# The tiers of the tests: docs/tests.md
test: $(READY)                      ## minutes: all but the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/browser -m "not slow and not long" --durations 15

test-slow: $(READY)                 ## the rest: CI runs both
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/browser -m "slow and not long" --durations 15

studio: studio/static/app.js         ## the page of the Studio, for developers: needs node

studio/static/app.js: studio/web/package-lock.json $(wildcard studio/web/*.* studio/web/src/*.* studio/web/src/*/*)
	cd studio/web && npm ci --no-audit --no-fund && npm run lint && npm run build

LONGEST := tests/browser/test_story.py  # begins first, so that neither of two processes waits at the end
test-studio: $(READY) studio         ## the Studio in Chromium: CHROMIUM=/usr/bin/chromium
	$(BIN)/python -m pytest -v -n 2 --dist loadfile --no-loadscope-reorder -m "not long" --durations 15 \
		$(LONGEST) $(filter-out $(LONGEST),$(sort $(wildcard tests/browser/test_*.py)))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	mkdir -p .typing/spikefab
	for f in src/spikefab/*.py; do ln -sfn ../../$$f .typing/spikefab/$$(basename $$f); done
	for d in hw sim fit boards studio; do ln -sfn ../../$$d .typing/spikefab/$$d; done
	$(BIN)/mypy -p spikefab

constraints: $(READY)
	$(BIN)/python -m spikefab.boards.constraints constraints

model-pages: $(READY)               ## docs/models/, from the models
	$(BIN)/python docs/make_models.py

board-page: $(READY)                ## docs/board.md, from boards/
	$(BIN)/python docs/make_board.py

feature-page: $(READY)              ## docs/features.md, from fit/features/definitions.py
	$(BIN)/python docs/make_features.py

notebook: $(READY)                  ## examples/tutorial.ipynb from docs/tutorial.md
	$(BIN)/python docs/make_notebook.py

site: $(READY)                      ## the documentation as a site: build/site/index.html
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html -d build/doctrees docs build/site
	@echo "build/site/index.html"

accept: $(READY) studio             ## hours: all tests, and the proofs whose dated results are committed
	SPIKEFAB_ACCOUNT=benchmarks/results/faults.json $(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or long"
	$(BIN)/python -m benchmarks.accept_verify benchmarks/results/verify.json
	$(BIN)/python -m benchmarks.accept_kernels benchmarks/results/kernels_exact.json
	$(BIN)/python -m benchmarks.accept_banks benchmarks/results/banks.json
	$(BIN)/python -m benchmarks.hardware benchmarks/results/hardware.json
	$(BIN)/python -m benchmarks.bank_regression benchmarks/results/bank_regression.json
	$(BIN)/python -m benchmarks.accept_builds benchmarks/results/builds.json
	$(BIN)/python -m benchmarks.accept_board benchmarks/results/board.json
	$(BIN)/python -m benchmarks.accept_target benchmarks/results/target.json
	$(BIN)/python -m benchmarks.accept_pareto benchmarks/results/pareto.json
	$(BIN)/python -m benchmarks.network benchmarks/results/network.json --rtl
	$(BIN)/python -m benchmarks.accept_many benchmarks/results/many.json
	$(BIN)/python -m benchmarks.recovery benchmarks/results/recovery.json
	$(BIN)/python -m benchmarks.quality benchmarks/results/quality.json
	$(BIN)/python -m benchmarks.fit benchmarks/results/fit.json
	$(BIN)/python -m benchmarks.converged benchmarks/results/converged.json
	$(BIN)/python -m benchmarks.fixed_float benchmarks/results/fixed_float.json
	$(BIN)/python -m benchmarks.predictable benchmarks/results/predictable.json
	$(BIN)/python -m benchmarks.ranking benchmarks/results/ranking.json
	$(BIN)/python -m benchmarks.studio benchmarks/results/studio.json

$(READY): pyproject.toml
	@echo "setting up $(VENV): a few minutes the first time"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "spikefab needs Python 3.11 or later: make PYTHON=python3.11"; exit 5; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .typing out build dist *.egg-info src/*.egg-info studio/static studio/web/node_modules
