VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check browser clean

demo: $(INSTALLED)
	$(BIN)/edgekd run bench/studies/mangaassist.yaml

test: $(INSTALLED) browser
	$(BIN)/python -m pytest

check: $(INSTALLED) browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# The report's browser test needs Chromium and its driver; it is skipped, and says so, where they cannot be had.
browser:
	@command -v chromedriver >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } \
	  || echo "no Chromium here: the browser test will be skipped"

$(INSTALLED): pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/pip install -q -e ".[all,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
