# Two commands set everything up on a fresh machine with Python 3.11+: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test fuzz lint docs bench clean

install: $(VENV)/.installed $(VENV)/.browser

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("vidsgg needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# For the tests of pages. Where none can be downloaded, a line says what to do, and these tests are skipped.
$(VENV)/.browser: $(VENV)/.installed
	$(BIN)/python tests/chromium.py
	touch $@

demo: $(VENV)/.installed
	$(BIN)/vidsgg demo

# A process for each core: threads would wait for each other.
test: export OMP_NUM_THREADS := 1
test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Malformed command lines, damaged files, kills and hostile requests: SEED=2 is other cases, KIND=graph only those of a name that begins so.
SEED ?= 0
MINUTES ?= 10
fuzz: export OMP_NUM_THREADS := 1
fuzz: $(VENV)/.installed
	PYTHONPATH=src:tests $(BIN)/python -m fuzz -seed $(SEED) -minutes $(MINUTES) $(if $(KIND),-kind "$(KIND)") $(if $(CASE),-case $(CASE))

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
