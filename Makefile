VENV := .venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE  # nothing is compiled ahead: without bytecode each process compiles all it imports

# Tests that time something have the machine to themselves; the others share its cores. What is made once for
# all of them lies in .made.
TIMED := $(wildcard tests/measure/test_*.py) tests/measure/memory/test_group.py tests/measure/scenarios \
  tests/cli/test_bench_verdict.py tests/ci/test_planted.py tests/ci/test_pytest_plugin.py tests/ci/test_workflow.py
TIMED_ONES := tests/measure/remote/test_ssh.py::test_figures_equal_those_measured_here \
  tests/test_wheel.py::test_verb_works_without_any_extra_and_starts_fast \
  tests/single/test_requests.py::test_an_artifact_is_measured_by_the_number_of_candidates
MADE := EDGEKD_MADE="$(CURDIR)/.made"
SPREAD := $(MADE) OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist worksteal --durations=40
SHARED := $(SPREAD) $(addprefix --ignore=,$(TIMED)) $(addprefix --deselect=,$(TIMED_ONES))
ALONE := $(MADE) $(BIN)/python -m pytest --durations=20 $(TIMED) $(TIMED_ONES)
define TESTS
rm -rf .made
$(SHARED) -m "not long"
$(ALONE) -m "not long"
rm -rf .made
endef
define LONG_TESTS
rm -rf .made
$(SHARED) -m long
$(ALONE) -m long
rm -rf .made
endef

.PHONY: demo test test-long check servers label-studio tools clean

demo: $(VENV)/.all
	$(BIN)/edgekd run bench/studies/mangaassist.yaml

test: $(VENV)/.dev tools
	$(TESTS)

# Kills, whole runs after whole runs, small trainings, the slowest compilers: beside `make test`, which leaves them out.
test-long: $(VENV)/.dev tools
	$(LONG_TESTS)

check: $(VENV)/.dev tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(TESTS)
	$(LONG_TESTS)

# Bundles served by a real Triton, as PyTriton ships it; in an environment of its own, for it needs numpy below 2.
servers: $(VENV)/.dev
	python3 -m venv .venv-servers
	.venv-servers/bin/pip install -q -r tests/bundle/servers.txt
	EDGEKD_TRITON=.venv-servers $(BIN)/python -m pytest tests/bundle

# Review with a real Label Studio (1 GB), in an environment of its own.
label-studio: $(VENV)/.dev
	python3 -m venv .venv-label-studio
	.venv-label-studio/bin/pip install -q -r tests/curate/review/label-studio.txt
	EDGEKD_LABEL_STUDIO=.venv-label-studio $(BIN)/python -m pytest tests/curate/review/test_label_studio_server.py

# What some tests need beside Python: a browser (the report), valgrind (counting), an SSH server (remote devices),
# strace (what processes write, and whom they call).
# Where they cannot be had, those tests are skipped and say so.
tools:
	@{ command -v chromedriver && command -v valgrind && command -v strace && ls /usr/sbin/sshd; } >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium chromium-driver valgrind strace openssh-server openssh-client >/dev/null; } \
	  || echo "no browser, valgrind, strace or sshd here: the tests that need them will be skipped"

# The demo needs no tools of developers: they take a third of the time.
$(VENV)/.all: EXTRAS := all
$(VENV)/.dev: EXTRAS := all,dev
$(VENV)/.all $(VENV)/.dev: pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/pip install -q --no-compile -e ".[$(EXTRAS)]"  # bytecode comes with the first import, of what is imported
	$(BIN)/python -m compileall -q $(VENV)/lib/python*/site-packages/torchao  # warns, where tests take it for an error
	touch $(VENV)/.all $@

clean:
	rm -rf $(VENV) .made build dist .mypy_cache .ruff_cache .pytest_cache
