# Everything there is to do, by name. Needs a Rust toolchain, Python 3.10 or later and make; the rest is set up in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := requirements/constraints.txt
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
DENY := $(VENV)/tools/bin/cargo-deny
FUZZER := $(VENV)/tools/bin/cargo-fuzz
HELM := target/helm/helm
H2SPEC := target/h2spec/h2spec
CONTROLPLANE := target/controlplane/controlplane
CONTROLPLANE_FILES := $(wildcard $(addprefix tests/cluster/controlplane/,build.sh go.mod go.sum *.go */*.go))
# What some tests need and only Go can build: without it they are skipped, and say so. The control plane runs in a network
# namespace of its own, which not everyone may make.
HAS_GO := $(shell command -v go)
MAY_UNSHARE := $(shell unshare --net true 2>/dev/null && echo yes)
WITH_GO := $(if $(HAS_GO),$(HELM) $(H2SPEC) $(if $(MAY_UNSHARE),$(CONTROLPLANE)))
# What the compiler learns from the core under load, for what people install. UNTRAINED=1 does without.
TRAINED := $(if $(UNTRAINED),,target/training/core.profdata)
TO_HOST := --target "$$(rustc --print host-tuple)" # which keeps the flags from what only builds
AS_TRAINED := $(if $(TRAINED),RUSTFLAGS="$$RUSTFLAGS -Cprofile-use=$(CURDIR)/$(TRAINED)")
FUZZ_SECONDS ?= 60
PYTHON_CODE := python tests benches examples deploy
RUST_FILES := Cargo.toml Cargo.lock pyproject.toml $(shell find rust -name target -prune -o \( -name '*.rs' -o -name 'Cargo.toml' \) -print)

# Used by pip and by maturin, which calls pip.
export PIP_CONSTRAINT := $(CURDIR)/$(CONSTRAINTS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport CONDA_PREFIX

.DEFAULT_GOAL := help
.PHONY: help build release run test test-rust test-python test-cluster floods controlplane lint lint-go format audit as-wheel bench bench-instructions bench-micro bench-python bench-scale bench-cluster bench-storm wheel fuzz docs helm h2spec deploy upgrade clean
.DELETE_ON_ERROR:

help: ## show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: $(VENV)/.built ## set up .venv and build the extension into it

run: build ## serve examples/shop and print the curl commands that now work (ARGS="--http-port 8081" to change ports)
	@$(BIN)/python examples/shop/serve.py $(ARGS)

test: test-rust test-python ## pass every test

test-rust:
	cargo test --workspace --locked
	cargo test --manifest-path rust/fuzz/Cargo.toml --target-dir target --locked

test-python: build $(WITH_GO)
	$(BIN)/python -m pytest $(ARGS)

test-cluster: build $(CONTROLPLANE) $(HELM) ## pass the tests against a real control plane alone (ARGS="-k traffic" for some)
	REQUIRE_ALL_TESTS=1 $(BIN)/python -m pytest tests/cluster $(ARGS)

floods: build ## every flood of HTTP/2 frames for 20 seconds, and transfers of a GiB (ARGS="-k bomb" for some)
	$(BIN)/python -m pytest tests/floods tests/feature/test_long_transfers.py --flood-seconds 20 --transfer-mib 1024 $(ARGS)

controlplane: $(CONTROLPLANE) ## build that control plane (needs Go; ten minutes, once)

lint: build $(DENY) $(if $(HAS_GO),lint-go) ## check form, types, layers, stubs and licences
	cargo fmt --all --check
	cargo fmt --manifest-path rust/fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff check $(PYTHON_CODE)
	$(BIN)/ruff format --check $(PYTHON_CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest fastingress._core
	$(DENY) --locked check bans licenses sources

# The program itself is upstream's commands: vetting it would vet all of Kubernetes.
lint-go:
	@cd tests/cluster/controlplane && found="$$(gofmt -l .)" && { test -z "$$found" || { echo "gofmt: $$found"; exit 1; }; }
	cd tests/cluster/controlplane && CGO_ENABLED=0 go vet -trimpath -buildvcs=false ./fakelet

format: $(VENV)/.installed ## put all code into form
	cargo fmt --all
	$(BIN)/ruff check --fix --show-fixes $(PYTHON_CODE)
	$(BIN)/ruff format $(PYTHON_CODE)
	$(if $(HAS_GO),gofmt -w tests/cluster/controlplane)

audit: $(DENY) ## check dependencies against the advisory database (fetches it)
	$(DENY) --locked check advisories

release: $(VENV)/.installed ## build the extension as it is measured
	$(BIN)/maturin develop --release --locked

as-wheel: $(VENV)/.installed $(TRAINED) ## build the extension as the wheel has it, with all optimisation (eight minutes; UNTRAINED=1 for four)
	$(AS_TRAINED) $(BIN)/maturin develop --profile wheel --locked $(TO_HOST)

bench: as-wheel ## compare with other proxies, some three hours (ARGS="--promised" for one and a quarter, "--quick" for 4 minutes, "--list")
	$(BIN)/python -m benches.compare $(ARGS)

bench-instructions: $(VENV)/.installed ## count what each step of a request takes, beside the committed counts (ARGS="--write" to renew them)
	$(BIN)/python -m benches.instructions $(ARGS)

bench-micro: release ## criterion and pytest-benchmark: lookup, parse, compile, translate, encode
	cargo bench --workspace --locked
	$(BIN)/python -m pytest -o python_files='bench_*.py' benches/python

bench-python: release ## the bounds of the Python side: start, translation, endpoint changes (ARGS="--help" for less)
	$(BIN)/python -m benches.python $(ARGS)

bench-scale: release ## ten thousand Ingresses: start, edits, counts (ARGS="--help" for less)
	$(BIN)/python -m benches.scale $(ARGS)

bench-cluster: release $(CONTROLPLANE) ## ten thousand Ingresses in a real control plane: start, memory, latency, streams (ARGS="--quick")
	$(BIN)/python -m benches.cluster $(ARGS)

bench-storm: release ## a minute of load while everything changes every 100 ms, then 1,000 swaps: nothing may be dropped
	$(BIN)/python -m tests.support.storm $(ARGS)

wheel: $(VENV)/.installed $(TRAINED) ## build the wheel that people install: abi3, glibc 2.28 or later
	PATH="$(CURDIR)/$(BIN):$$PATH" $(AS_TRAINED) $(BIN)/maturin build --profile wheel --zig --compatibility manylinux_2_28 --locked --out dist $(TO_HOST)
	FASTINGRESS_WHEEL="$$(ls -t $(CURDIR)/dist/fastingress-*.whl | head -n 1)" $(BIN)/python -m pytest tests/integration/test_packaging.py

fuzz: $(FUZZER) ## run each fuzz target for FUZZ_SECONDS (60)
	PATH="$(dir $(abspath $(FUZZER))):$$PATH" rust/fuzz/run.sh $(FUZZ_SECONDS) $(ARGS)

docs: build ## write the reference pages anew from the code's declarations
	$(BIN)/python -c "from fastingress.config.reference import markdown; print(markdown(), end='')" > docs/options.md
	$(BIN)/python -m fastingress.translate.annotations > docs/annotations.md
	$(BIN)/python -c "from fastingress.sources.cluster.reference import markdown; print(markdown(), end='')" > docs/permissions.md
	$(BIN)/python -m benches.compare.report

helm: $(HELM) ## build helm for tests and for `make deploy` (needs Go)

h2spec: $(H2SPEC) ## build h2spec, which tests/conformance runs (needs Go)

deploy: $(HELM) ## write deploy/manifests anew from the chart (needs Go)
	$(PYTHON) deploy/render.py $(HELM)

upgrade: build ## move the pinned Python packages to their newest versions
	env -u PIP_CONSTRAINT $(BIN)/pip install --quiet --upgrade --upgrade-strategy eager --group dev
	$(BIN)/pip freeze --exclude-editable --exclude fastingress > $(CONSTRAINTS)

clean: ## remove what was built
	rm -rf $(VENV) dist target

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --group dev
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(RUST_FILES)
	$(BIN)/maturin develop --profile dev --locked
	@touch $@

target/training/core.profdata: $(RUST_FILES) $(wildcard benches/training/*.py) | $(VENV)/.installed
	@echo "building the core with counters, to train the compiler: five minutes"
	$(BIN)/python -m benches.training --out $@

$(HELM): tests/deploy/helm/build.sh tests/deploy/helm/go.mod
	@echo "building helm: two minutes, once"
	tests/deploy/helm/build.sh

$(H2SPEC): tests/conformance/h2spec/build.sh tests/conformance/h2spec/go.mod
	tests/conformance/h2spec/build.sh

$(CONTROLPLANE): $(CONTROLPLANE_FILES)
	@echo "building the control plane of the tests: ten minutes, once"
	tests/cluster/controlplane/build.sh

$(DENY): | $(VENV)/.installed
	@echo "installing cargo-deny $(CARGO_DENY_VERSION): a few minutes, once"
	cargo install --quiet --locked --debug --root $(VENV)/tools cargo-deny --version $(CARGO_DENY_VERSION)

$(FUZZER): | $(VENV)/.installed
	cargo install --quiet --locked --debug --root $(VENV)/tools cargo-fuzz --version $(CARGO_FUZZ_VERSION)
