# Everything is made inside this folder: the commands need Python 3.11+, pip and make, and never an
# activated environment. `make help` lists them.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?=
PIP_ARGS ?=
CORES ?= all
ARGS ?=
N ?= 100
RESULT ?= results/conv_seq_classifier

VENV := .venv
RUN := $(VENV)/bin/python
# As modules: the scripts in .venv/bin name the folder that they were installed in, which may move.
PIP := $(RUN) -m pip --disable-pip-version-check
SNAKEMAKE := $(RUN) -m snakemake
PYTEST := $(RUN) -m pytest
# One process per core: most of the tests' time is real Snakemake runs. A file stays in one process,
# so that its tests share what the file prepares.
WORKERS ?= -n logical --maxprocesses 8 --dist loadfile
# A table of numbers: init, run and predict.
SMALL_RUN := test_a_table_of_numbers
# Tests that other targets run.
APART := --ignore=tests/promises --ignore=tests/cluster --ignore=tests/browser \
  --ignore=tests/fuzz --ignore=tests/docs --ignore=tests/install --ignore=tests/bench \
  -m "not soak and not cluster and not browser"

# -- commands --------------------------------------------------------------------------------------

demo: $(VENV)/.run ## train, pick, test and predict on real DNA (CORES=all)
	@$(RUN) main.py config/config.yaml --cores $(CORES) $(if $(ARGS),-- $(ARGS))
	@$(if $(ARGS),,$(RUN) examples/conv_seq_classifier/baseline.py results/conv_seq_classifier)
	@$(if $(ARGS),,echo "Next, in a folder of your own: source $(CURDIR)/$(VENV)/bin/activate && dlutil init mine --positives peaks.fa")

test: $(VENV)/.dev ## all tests but the ones below, with coverage (ARGS='-k plan')
	$(PYTEST) $(WORKERS) --cov --cov-report=term $(APART) $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy, the rooms' imports, snakefmt, snakemake --lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -c "from importlinter.cli import lint_imports_command as check; check()" --no-cache
	$(RUN) -m snakefmt --check workflow
	$(SNAKEMAKE) --lint

check: $(VENV)/.dev ## before each commit: style, types, unit tests of what changed, one small run
	@$(RUN) -m ruff check -q . && $(RUN) -m ruff format -q --check . && $(RUN) -m mypy
	@$(RUN) -c "from importlinter.cli import lint_imports_command as check; check()" > /dev/null
	@$(PYTEST) $(WORKERS) -q -m "not slow" tests/workflow/test_first_results.py::$(SMALL_RUN) \
	  $$($(RUN) tests/touched.py) $(ARGS)

format: $(VENV)/.dev ## let ruff and snakefmt rewrite the files
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	$(RUN) -m snakefmt workflow

test-promises: $(VENV)/.dev ## same bytes, kills at random moments, what an edit re-runs
	@$(call tests_of,tests/promises,-m "not soak")

soak: $(VENV)/.dev ## the kill test again and again (N=100)
	@export DLUTIL_SOAK=$(N); $(call tests_of,tests/promises,-m soak)

oracle: $(VENV)/.dev ## any change by any means, run in place and afresh, again and again (N=100)
	@export DLUTIL_ORACLE=$(N); $(call tests_of,tests/promises/test_oracle.py,-s)

test-cluster: $(VENV)/.dev ## the whole workflow on a real Slurm of two nodes (as root)
	@$(call tests_of,tests/cluster,)

test-docs: $(VENV)/.dev ## every command of the documentation, as it is written
	@$(call tests_of,tests/docs,)

test-install: $(VENV)/.dev ## a wheel in an empty environment, the workflow as a module, storage plugins
	@$(call tests_of,tests/install,)

test-bench: $(VENV)/.dev $(VENV)/.bench ## every benchmark, quickly, with all its peers
	@$(call tests_of,tests/bench,)

docs: $(VENV)/.run ## write docs/config.md from the schema
	@$(RUN) -m dlutil_core.run.config_reference > docs/config.md

site: $(VENV)/.docs ## the documentation as a site, with the examples' reports: build/site/html
	@$(SNAKEMAKE) --quiet all --cores $(CORES)
	@$(SNAKEMAKE) --quiet all --cores $(CORES) --configfile examples/function_regressor/config.yaml
	@mkdir -p build/site/pages && NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet && echo "build/site/html/index.html"

test-browser: $(VENV)/.dev ## the report in a real headless browser
	@$(call tests_of,tests/browser,)

fuzz: $(VENV)/.dev ## random inputs and damaged files, much longer than in `test`
	@$(call tests_of,tests/fuzz,--hypothesis-profile fuzz)

bench: $(VENV)/.bench ## measure beside other tools, into benchmarks/RESULTS.md (BENCH=train for one)
	@$(RUN) benchmarks/all.py $(BENCH) $(ARGS)

published: $(VENV)/.run ## run the published tasks, into examples/RESULTS.md (TASK=splice_sites for one)
	@$(RUN) examples/published.py $(TASK) $(ARGS)

watch: $(VENV)/.run ## follow a running search (RESULT=results/conv_seq_classifier)
	@$(RUN) -c 'import sys; from dlutil_core.cli.commands import main; sys.exit(main())' watch "$(RESULT)"

install: $(VENV)/.run ## only make .venv

constraints: $(VENV)/.dev ## renew constraints.txt with today's versions
	@rm -rf build/newest && echo "resolving today's versions (some minutes) ..." && \
	$(RUN) -m venv build/newest && \
	build/newest/bin/python -m pip install -qq -U $(PIP_ARGS) $(BUILD_TOOLS) -e '.[$(EVERY_EXTRA)]' && \
	{ grep '^#' constraints.txt; \
	  build/newest/bin/python -m pip freeze --all --exclude pip --exclude-editable \
	  | sed 's/+[a-z0-9.]*$$//'; } > build/constraints.txt && \
	mv build/constraints.txt constraints.txt && rm -rf build/newest && git diff --stat constraints.txt

clean: ## remove caches and build files
	rm -rf build dist *.egg-info .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## also remove .venv and all results in results/
	rm -rf $(VENV) results .snakemake

help: ## show this list
	@echo "make demo   the first command;   make test   the second. All of them:"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do \
	  printf '%-15s %s\n' "$$name" "$$text"; done
	@echo; echo "PYTHON=python3.12 chooses an interpreter, PIP_ARGS='...' is passed to pip install."

.PHONY: demo test check lint format test-promises soak oracle test-cluster test-browser test-docs test-install \
  test-bench docs site fuzz bench published watch install constraints clean distclean help FORCE

# -- how .venv comes about -------------------------------------------------------------------------

# One stamp for each set of packages; it is older than what it depends on when something changed.
TESTED_EXTRAS := cluster,dev,onnx,tensorboard
EVERY_EXTRA := bench,docs,$(TESTED_EXTRAS)
BUILD_TOOLS := hatchling setuptools
$(VENV)/.run: pyproject.toml constraints.txt
	@$(call install,)
$(VENV)/.dev: pyproject.toml constraints.txt
	@$(call install,[$(TESTED_EXTRAS)])
$(VENV)/.docs: pyproject.toml constraints.txt
	@$(call install,[docs])
$(VENV)/.bench: pyproject.toml constraints.txt
	@$(call install,[bench])

# An environment that was made elsewhere (this folder was moved or copied) or whose interpreter is
# gone is brought up to date.
ifneq ($(wildcard $(VENV)),)
ifneq ($(shell cat $(VENV)/.place 2>/dev/null && $(RUN) -c '' 2>/dev/null && pwd -P),$(CURDIR) $(CURDIR))
$(VENV)/.run $(VENV)/.dev $(VENV)/.docs $(VENV)/.bench: FORCE
endif
endif
FORCE:

# 1: the extras, in brackets, or nothing. The build tools come first, in their pinned versions, so
# that pip does not fetch today's into a build environment; setuptools is for dependencies that are
# published as source alone, and the one that Python brings along may be too old for them.
define install
$(make_venv) && start=$$(date +%s) && \
echo "installing dlutil-workflow$(1) and what it needs into $(VENV) (about 2 minutes the first time) ..." && \
$(PIP) install -qq $(PIP_ARGS) -c constraints.txt $(BUILD_TOOLS) && \
$(PIP) install -qq $(PIP_ARGS) -c constraints.txt --no-build-isolation -e '.$(1)' && \
pwd -P > $(VENV)/.place && touch $@ $(VENV)/.run && \
echo "installed in $$(( $$(date +%s) - start )) s"
endef

# Debian's Python without the package python3-venv can make an environment, but put no pip in it.
define make_venv
if ! $(RUN) -m pip --version >/dev/null 2>&1; then \
  rm -rf $(VENV); $(find_python); echo "making $(VENV) with $$("$$python" --version)"; \
  "$$python" -m venv $(VENV) >/dev/null 2>&1 || { \
    "$$python" -m venv --clear --without-pip $(VENV) && \
    "$$python" -m pip --python $(VENV)/bin/python install -qq pip; } || { \
    rm -rf $(VENV); echo "error: $$python can make no virtual environment: install Debian's" \
      "packages python3-venv and python3-pip, or choose another with make PYTHON=..." >&2; exit 1; }; \
fi
endef

define find_python
python=; for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
    python="$$candidate"; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "error: $(if $(PYTHON),$(PYTHON) is not a Python of version 3.11 or newer,there is no Python of\
 version 3.11 or newer on the PATH); name one with make PYTHON=/path/to/python3.11" >&2; exit 1; fi
endef

# 1: a folder of tests that may be absent, 2: more options.
tests_of = if [ -e $(1) ]; then $(PYTEST) $(1) $(2) $(ARGS); else echo "there is no $(1) yet"; fi
