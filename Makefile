# make demo    set up in .venv, make a practice corpus and go the whole way with it
# make test    set up with what the tests need, and run them
# make check   format, lint and types, then make test (which checks the docs too): what CI runs
# make docs    write docs/cli.md anew from the command line's own parser
# make clean   remove .venv
#
# Variables: PYTHON=python3.12 chooses the Python that .venv is made with.
#            TORCH_INDEX=URL installs torch from that index first, for instance one without CUDA (see README.md).

PYTHON ?= python3
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_RANGE := import tomllib; print(*(d for d in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"] if d.startswith("torch")))

.PHONY: demo test check docs clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

demo: $(VENV)/.installed
	@$(BIN)/earmark demo

test: $(VENV)/.installed-dev
	@OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

docs: $(VENV)/.installed-dev
	@$(BIN)/python docs/write_cli.py

clean:
	rm -rf $(VENV)

# A stamp says what is installed; it is older than pyproject.toml when that has changed.
$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	@echo "Installing earmark into $(VENV) (some minutes the first time) ..." >&2
	@$(PIP) install -qq --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.made
	@echo "Installing earmark and its checks into $(VENV) (some minutes the first time) ..." >&2
	@$(PIP) install -qq --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: there is no '$(PYTHON)' here. Install Python 3.11 or newer (Debian: apt install python3), or name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1), earmark needs Python 3.11 or newer. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' cannot make virtual environments. Install what is missing: apt install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV)
	@test -z "$(TORCH_INDEX)" || $(PIP) install -qq --index-url "$(TORCH_INDEX)" "$$($(BIN)/python -c '$(TORCH_RANGE)')"
	@touch $@
