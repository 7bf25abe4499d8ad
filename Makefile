# make demo   fit both families on the packaged sales, evaluate them, explain a stone
# make test   every check and every test
# make notebook  run the notebook of the model's development anew (two minutes)
# make test-long  the property tests on many more stones
# make torture    refits killed at every system call, a thousand promotions at once, 20,000
#                 requests that the description of the API allows or forbids
# make fuzz      every parser of outside bytes, along the branches of the code: FUZZ_RUNS inputs
#                 or FUZZ_SECONDS each, whichever is first; fuzz/table.md says what became of them
# Both need Python 3.11 and a package registry; they build their environment in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
# Two cores, several processes: more BLAS threads only get in each other's way.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
FUZZ_RUNS ?= 5000000
FUZZ_SECONDS ?= 1800
FUZZ_TARGETS ?=

.PHONY: demo test test-long torture fuzz lint lock notebook packaged-model clean
.DELETE_ON_ERROR:

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

# The lock holds hashes of everything; each target takes only the extras that it needs.
$(VENV)/.demo: $(BIN)/uv pyproject.toml requirements.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint requirements.lock --editable '.[fit,report]'
	@touch $@

$(VENV)/.dev: $(BIN)/uv pyproject.toml requirements.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint requirements.lock --editable '.[dev]'
	@touch $@ $(VENV)/.demo

# Atheris has wheels for Linux alone, and no other target needs it.
$(VENV)/.fuzz: $(VENV)/.dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock --editable '.[dev,fuzz]'
	@touch $@

demo: $(VENV)/.demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh

test: lint
	@sh scripts/install_for_tests.sh
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The promises that hold for every stone, on twenty times as many stones.
test-long: $(VENV)/.dev
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest tests/properties tests/model/test_money.py tests/terms

torture: $(VENV)/.dev
	TORTURE_KILLS=100000 TORTURE_PROMOTIONS=125 TORTURE_DISKS=200 TORTURE_SWAPS=100 TORTURE_ARROW=100000 SCHEMATHESIS_CASES=20000 NOTEBOOK_CELLS=all $(BIN)/python -m pytest -s tests/faults tests/registry tests/reporting/test_notebook.py tests/web/test_following.py tests/web/test_openapi.py tests/web/test_batch.py

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m tests.fuzz.run $(FUZZ_TARGETS) --runs $(FUZZ_RUNS) --seconds $(FUZZ_SECONDS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(BIN)/uv
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --all-extras --quiet --output-file requirements.lock pyproject.toml

packaged-model: $(VENV)/.dev
	$(BIN)/python scripts/build_packaged_model.py

notebook: $(VENV)/.dev
	env -u DIAMOND_PRICING_HOME $(BIN)/diamond-pricing report model_development --to ipynb --out reports

clean:
	rm -rf $(VENV) demo build dist fuzz
