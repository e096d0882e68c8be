# Everything a student or a contributor does is one of these commands: `make` lists them.

BIN := .venv/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && \
	echo $$p && exit; done; command -v python3)
python = $(or $(PYTHON),$(error Python is missing: install Python 3.11, 3.12 or 3.13))
install = $(python) tools/install.py

.DEFAULT_GOAL := help
.PHONY: help lab test test-browser test-binder test-seeds test-mutants test-latest test-processors \
	test-release notebooks lint lock bench table clean
# Packages of another course stay out.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab:  ## install the course and open your copies of the lessons (LAB_ARGS="--no-browser": passed on)
	@$(install) lab
	@exec $(BIN)/python -I tools/lab.py $(LAB_ARGS)

test:  ## run all tests and notebooks (SEED=7: another seed; TEST_ARGS=tests/test_data.py: some)
	@$(install) test
	@$(if $(SEED),COURSE_SEED=$(SEED)) $(BIN)/python -m pytest $(TEST_ARGS)

test-browser:  ## run lessons in Chromium, try all in them (LESSON="flows resnet": these); screenshots/
	@$(install) test
	@LESSON="$(LESSON)" $(BIN)/python -m pytest -v --tb=short -W "ignore:Session-scoped" \
		-o addopts= --screenshot=only-on-failure --output=screenshots/failed \
		-m browser tests/browser.py tests/test_explorers.py

test-binder:  ## run every lesson with one CPU, 2 GB and no rights, as Binder does (LESSON=flows: that one)
	@$(install) test
	@$(BIN)/python tools/binder.py $(LESSON)

test-seeds:  ## margins of all claims, and checks, over eight seeds (LESSON=flows: of that one; FIRST=2001: others)
	@$(install) test
	@$(BIN)/python tools/seeds.py $(LESSON) $(if $(FIRST),--first $(FIRST))

test-mutants:  ## plant faults that the tests must catch (N=6: a sample; ONLY=flows: these)
	@$(install) test
	@N="$(N)" DRAWN="$(DRAWN)" ONLY="$(ONLY)" SEED="$(SEED)" $(BIN)/python -m pytest -v \
		--tb=line -o addopts= tools/mutants.py

test-processors:  ## run the notebooks as other processors would (LESSON="flows resnet"; DRAW=7: one)
	@$(install) test
	@$(BIN)/python tools/processors.py $(LESSON) $(if $(DRAW),--draw $(DRAW))

test-latest:  ## run the tests with the newest releases, not the lock's (TEST_ARGS=tests/test_data.py)
	@$(install) test
	@$(BIN)/python tools/latest.py $(TEST_ARGS)

test-release:  ## install fresh clones for real, as a student and as Binder do
	@$(install) test
	@$(BIN)/python -m pytest -v -o addopts= tests/release.py

notebooks:  ## bring the notebooks up to date with their sources (LESSON=flows: execute that one)
	@$(install) test
	@$(BIN)/python tools/notebooks.py $(LESSON)

lint:  ## check the style of all code, the notebooks' sources included
	@$(install) test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

lock: | $(BIN)/uv  ## make requirements.lock from pyproject.toml (UPGRADE=1: newest versions)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --no-config --universal \
		--all-extras --python-version 3.11 $(if $(UPGRADE),--upgrade) -o requirements.lock pyproject.toml

bench:  ## time every lesson in a fresh kernel and print a table (LESSON=flows: that one)
	@$(install) test
	@$(BIN)/python tools/bench.py $(LESSON)

table:  ## run LESSON=resnet with five seeds and store what it records of each
	@$(install) test
	@$(BIN)/python tools/seeds.py --table $(LESSON)

clean:  ## remove .venv, build files and caches; downloaded data stay
	@rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
	@find . \( -name __pycache__ -o -name .ipynb_checkpoints \) \
		-not -path "./my_lessons/*" -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(install) test
