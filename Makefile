# make demo   fit both families on the packaged sales, evaluate them, explain a stone
# make test   every check and every test
# make notebook  run the notebook of the model's development anew (two minutes)
# make test-long  the property tests on many more stones
# make torture    what writes killed at every system call and its power cut, a thousand promotions
#                 at once, a million stones by four doors, 20,000 requests
# make audit  linters of security, secrets, the bill of materials (make sbom), in .venv-audit
# make vulnerabilities   whether anything locked is known to be vulnerable
# make licences   the table of docs/reference/licences.md anew
# make fuzz      every parser of outside bytes, along the branches of the code: FUZZ_RUNS inputs
#                 or FUZZ_SECONDS each, whichever is first; fuzz/table.md says what became of them
# make soak      an hour of everything at once, while models are refitted
# make docs       the site, into site/, with every link checked
# make references the pages of the reference and the drawings that follow from the code
# make release-check   wheel and sdist, and the README in an environment with the wheel alone
# make news       the fragments of docs/news into CHANGELOG.md
# They need Python 3.11 and a package registry; they build their environment in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
# Two cores, several processes: more BLAS threads only get in each other's way.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
FUZZ_RUNS ?= 5000000
FUZZ_SECONDS ?= 1800
FUZZ_TARGETS ?=

.PHONY: demo test test-long torture soak fuzz lint lock sbom licences audit vulnerabilities notebook packaged-model docs references release-check news clean
.DELETE_ON_ERROR:

$(BIN)/uv: requirements-uv.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-uv.lock
	@touch $@

# uv refuses a file whose hash is not the lock's. What builds the project is fetched too, so it
# has a lock of its own. Each target takes only the extras that it needs.
LOCKS   := requirements.lock requirements-build.lock
LOCKED  := --constraint requirements.lock --build-constraint requirements-build.lock --require-build-hashes --preview-features build-dependency-hashes
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode $(LOCKED)

$(VENV)/.demo: $(BIN)/uv pyproject.toml $(LOCKS)
	$(INSTALL) --python $(BIN)/python --editable '.[api,fit,report]'
	@touch $@

$(VENV)/.dev: $(BIN)/uv pyproject.toml $(LOCKS)
	$(INSTALL) --python $(BIN)/python --editable '.[dev]'
	@touch $@ $(VENV)/.demo $(VENV)/.docs

# Atheris has wheels for Linux alone, and no other target needs it.
$(VENV)/.fuzz: $(VENV)/.dev
	$(INSTALL) --python $(BIN)/python --editable '.[dev,fuzz]'
	@touch $@

demo: $(VENV)/.demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh

test: lint
	@sh scripts/install_for_tests.sh
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The promises that hold for every stone, on twenty times as many stones.
test-long: $(VENV)/.dev
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest tests/properties tests/model/test_money.py tests/terms

soak: $(VENV)/.dev
	$(BIN)/python -m tests.faults.soak --minutes 60

torture: $(VENV)/.dev
	ADVERSARIES=1000000 TORTURE_KILLS=100000 TORTURE_CALLS=100000 TORTURE_POWER=60 TORTURE_PROMOTIONS=125 TORTURE_DISKS=200 TORTURE_SWAPS=100 TORTURE_ARROW=100000 TORTURE_SALES=1000000 SCHEMATHESIS_CASES=20000 NOTEBOOK_CELLS=all $(BIN)/python -m pytest -s tests/faults tests/registry tests/reporting/test_notebook.py tests/web/test_following.py tests/web/test_openapi.py tests/web/test_batch.py tests/warehouse/test_sums.py

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m tests.fuzz.run $(FUZZ_TARGETS) --runs $(FUZZ_RUNS) --seconds $(FUZZ_SECONDS)

# Of scripts, which few run, that what they call is there and called as it asks to be.
LOOSE := $(foreach code,arg-type assignment index misc union-attr var-annotated,--disable-error-code=$(code))
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	! git grep -nE 'fmt: (skip|off)' -- '*.py'
	$(BIN)/mypy
	$(BIN)/mypy --config-file= --ignore-missing-imports --explicit-package-bases $(LOOSE) scripts/*.py
	$(BIN)/lint-imports

# The tools that audit, in an environment apart.
AUDIT := .venv-audit
$(AUDIT)/.done: $(BIN)/uv requirements-audit.lock
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AUDIT)
	$(BIN)/uv pip sync --quiet --python $(AUDIT)/bin/python --require-hashes requirements-audit.lock
	@touch $@

# What somebody has who installs these extras.
EXTRAS ?= api,refit,report
sbom: $(AUDIT)/.done
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/sbom
	$(BIN)/uv pip install --quiet $(LOCKED) --python build/sbom/bin/python '.[$(EXTRAS)]'
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 0) $(AUDIT)/bin/cyclonedx-py environment --pyproject pyproject.toml --spec-version 1.6 --output-reproducible --output-file build/sbom.raw.json build/sbom/bin/python
	$(AUDIT)/bin/python -m scripts.sbom <build/sbom.raw.json >build/diamond_pricing.cdx.json
	rm -rf build/sbom build/sbom.raw.json

SEMGREP := PATH="$(CURDIR)/$(AUDIT)/bin:$$PATH" semgrep scan --metrics=off --disable-version-check --quiet
# Hashes in locks and files of others look like secrets; the name of a variable is none, nor
# a sentence about the secret of a server.
SECRETS := --disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString --exclude-lines 'DIAMOND_PRICING_SECRET|server.s secret'

audit: sbom
	$(AUDIT)/bin/bandit --quiet --recursive --configfile pyproject.toml diamond_pricing scripts
	$(SEMGREP) --test scripts/promises
	$(SEMGREP) --error --strict --config scripts/promises/promises.yaml --exclude scripts/promises diamond_pricing scripts
	git ls-files | grep -vE '\.lock$$|/vendor/|\.(json|xz)$$' | xargs $(AUDIT)/bin/detect-secrets-hook $(SECRETS)
	$(AUDIT)/bin/python -m scripts.leaks --history

# Asks the index and its data base of vulnerabilities, which mirrors may not have: --strict
# makes a package that cannot be looked up a failure.
vulnerabilities: $(AUDIT)/.done
	for lock in requirements*.lock; do \
		$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --requirement $$lock || exit 1; \
	done

# Everything that the locks name is installed, to read what it says of its licence.
licences: $(AUDIT)/.done
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/everything
	$(BIN)/uv pip sync --quiet --python build/everything/bin/python --require-hashes --build-constraint requirements-build.lock --require-build-hashes --preview-features build-dependency-hashes requirements.lock requirements-build.lock requirements-uv.lock
	$(BIN)/python -m scripts.licences build/everything/lib/python*/site-packages $(AUDIT)/lib/python*/site-packages
	rm -rf build/everything

COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet

lock: $(BIN)/uv
	$(COMPILE) --all-extras --output-file requirements.lock pyproject.toml
	for group in build uv audit; do \
		$(COMPILE) --python-version 3.11 --group $$group --output-file requirements-$$group.lock || exit 1; \
	done

packaged-model: $(VENV)/.dev
	$(BIN)/python scripts/build_packaged_model.py

$(VENV)/.docs: $(BIN)/uv pyproject.toml $(LOCKS)
	$(INSTALL) --python $(BIN)/python --editable '.[docs]'
	@touch $@

docs: $(VENV)/.docs
	$(BIN)/python -m scripts.references --check
	rm -rf site
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --builder html docs site
	@echo "site/index.html"

references: $(VENV)/.dev
	$(BIN)/python -m scripts.references

# What a user gets who has only the wheel.
release-check: $(BIN)/uv
	rm -rf build/release && mkdir -p build/release
	$(BIN)/uv build --quiet --python $(BIN)/python --build-constraint requirements-build.lock --require-hashes --out-dir build/release .
	$(BIN)/uv venv --quiet --python $(BIN)/python build/release/venv
	$(BIN)/uv pip install --quiet $(LOCKED) --python build/release/venv/bin/python build/release/*.whl
	cd build/release && venv/bin/python ../../scripts/release_check.py ../../README.md
	$(BIN)/uv pip install --quiet $(LOCKED) --python build/release/venv/bin/python "$$(echo build/release/*.whl)[fit,refit]"
	cd build/release && venv/bin/python ../../scripts/release_check.py ../../README.md --all
	$(BIN)/uv pip install --quiet $(LOCKED) --python build/release/venv/bin/python --reinstall-package diamond-pricing --no-deps build/release/*.tar.gz
	cd build/release && venv/bin/python ../../scripts/release_check.py ../../README.md --all

news: $(VENV)/.docs
	$(BIN)/towncrier build --yes --version $$($(BIN)/python -c 'import diamond_pricing; print(diamond_pricing.__version__)')

notebook: $(VENV)/.dev
	env -u DIAMOND_PRICING_HOME $(BIN)/diamond-pricing report model_development --to ipynb --out reports

clean:
	rm -rf $(VENV) $(AUDIT) demo build dist fuzz site
