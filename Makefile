# make demo         asks a question about a real file: the API if a key is set, else a stand-in server
# make test         runs every test; ARGS='-k name' selects some
# make quick        runs the tests that need no shell, terminal or second process
# make lint         runs the linter, the formatter's check and the type checker
# make format       fixes what the linter and the formatter can fix
# make completions  regenerates the completions, the man page and .env.example
# make picture      redraws the README's picture
# make install PREFIX=/usr/local DESTDIR=   installs the program, completions and man page; make uninstall removes them
# make interop      tests against real servers: llama.cpp and aimock (downloaded; needs npm)
# make mutants PACKAGE=http COUNT=20  changes one thing at a time; reports changes that no test notices
# make bench        measures speed and memory; exits with 1 if a target is missed
# Each target creates its own environment in .venv; all you need is make and Python 3.10 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := test
# Without the HTTP tests that wait for slow servers or run the program many times.
QUICK := tests/api tests/ask tests/config tests/commands tests/test_layers.py \
	$(filter-out %_preconnect.py %_private_names.py %_retry.py,$(wildcard tests/http/test_*.py))
.PHONY: demo test quick mutants picture interop lint format completions install uninstall bench clean

PREFIX ?= /usr/local
DESTDIR ?=

demo: $(VENV)/run.done
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/scripts/demo.sh

test: $(VENV)/test.done
	$(BIN)/python -m pytest -n 2 $(ARGS)

quick: $(VENV)/test.done
	$(BIN)/python -m pytest -n 2 $(QUICK) $(ARGS)

PACKAGE ?= http
COUNT ?= 20
mutants: $(VENV)/test.done
	$(BIN)/python -m tests.mutate $(PACKAGE) $(COUNT)

interop: $(VENV)/interop/done
	$(VENV)/interop/bin/python -m pytest tests/interop $(ARGS)

lint: $(VENV)/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

completions: $(VENV)/run.done
	$(BIN)/python -m llamacli.cli.docs.generate .

picture: $(VENV)/test.done
	$(BIN)/python -m tests.support.picture >.github/demo.new && mv .github/demo.new .github/demo.svg

install: $(VENV)/run.done
	@sh tests/scripts/install.sh "$(BIN)/python" "$(DESTDIR)" "$(PREFIX)"

uninstall:
	@sh tests/scripts/install.sh --remove "$(DESTDIR)" "$(PREFIX)"

# Measures what a user installs: an editable install starts slower. The peers have an environment of their own.
bench: $(VENV)/test.done $(VENV)/peers.done
	@sh tests/scripts/make_venv.sh "$(PYTHON)" $(VENV)/bench
	$(VENV)/bench/bin/python -m pip install -q --disable-pip-version-check --force-reinstall .
	$(BIN)/python -m tests.bench $(VENV)/bench/bin/llamacli $(VENV)/peers/bin/llm

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis

# What the program needs, then what its tests need too.
$(VENV)/run.done: pyproject.toml
	@sh tests/scripts/make_venv.sh "$(PYTHON)" $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/test.done: $(VENV)/run.done
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -q --disable-pip-version-check --group test --group lint
	@touch $@

$(VENV)/interop/done: pyproject.toml
	@command -v npm >/dev/null || { echo 'make interop: npm is missing; install node.js 20 or newer' >&2; exit 1; }
	@sh tests/scripts/make_venv.sh "$(PYTHON)" $(VENV)/interop
	@cd $(VENV)/interop && ( \
	    bin/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1' && \
	    bin/python -m pip install -q --disable-pip-version-check -e "$(CURDIR)" && \
	    bin/python -m pip install -q --disable-pip-version-check \
	        --group "$(CURDIR)/pyproject.toml:test" --group "$(CURDIR)/pyproject.toml:interop" && \
	    npm install --prefix node --fetch-retries 1 --fetch-timeout 60000 --no-audit --no-fund --silent '@copilotkit/aimock@^1.43' \
	) || { echo 'make interop: cannot install the servers to test against' >&2; exit 1; }
	@touch $@

$(VENV)/peers.done: pyproject.toml
	@sh tests/scripts/make_venv.sh "$(PYTHON)" $(VENV)/peers
	$(VENV)/peers/bin/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	$(VENV)/peers/bin/python -m pip install -q --disable-pip-version-check --group bench
	@touch $@
