# Two commands do everything on a fresh machine: `make demo` and `make test`. `make` alone lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
SCRIPTS := deploy/scripts
# options of the commands below, as in: make demo ARGS="--once --json"; make test ARGS="-k rules"
ARGS ?=
# of the demo: embedded, or apache for Apache Kafka and Redis themselves
KAFKA ?= embedded
# of the chart: update writes its snapshots anew
SNAPSHOTS ?=
# of supply: 1 fails where the database of vulnerabilities is not reached
REQUIRE_AUDIT ?=

.PHONY: help test check demo prove faults bench image chart supply e2e-docker observe soak lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

.venv/.installed: requirements.lock pyproject.toml
	@$(SCRIPTS)/make-venv.sh

test: .venv/.installed ## everything a change must pass: check, then every test against Apache Kafka and Redis
	@kind=$$($(SCRIPTS)/real-neighbours.sh)
	command -v promtool >/dev/null || $(SCRIPTS)/debian-packages.sh prometheus || echo "promtool cannot be had here: the alerts' tests are skipped"
	command -v chromium >/dev/null || $(SCRIPTS)/debian-packages.sh chromium >&2 || echo "Chromium cannot be had here: the tests of the page are skipped"
	$(BIN)/python $(SCRIPTS)/fetch_helm.py >/dev/null || echo "helm cannot be had here: the chart's tests are skipped"
	$(MAKE) check
	BRIDGE_TEST_NEIGHBOURS=$$kind $(BIN)/pytest --durations=10 --durations-min=5 $(ARGS)

check: .venv/.installed ## formatting, lint, floors, types: all of them, then a verdict
	@failed=
	$(BIN)/ruff format --check --quiet . || failed+=" format"
	$(BIN)/ruff check --quiet . || failed+=" lint"
	said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; failed+=" floors"; }
	$(BIN)/mypy || failed+=" types"
	[ -z "$$failed" ] || { echo "check:$$failed" >&2; exit 1; }

demo: .venv/.installed ## the whole thing on this machine; ARGS="--once --json", KAFKA=apache
	@case "$(KAFKA)" in
	  embedded) exec $(BIN)/bridge demo $(ARGS) ;;
	  apache)
	    BRIDGE_TEST_NEIGHBOURS=apache $(SCRIPTS)/real-neighbours.sh >/dev/null
	    exec $(BIN)/python -m tests.neighbours both -- $(BIN)/bridge demo --kafka {kafka} --redis {redis} $(ARGS) ;;
	  *) echo "KAFKA=$(KAFKA): expected embedded or apache" >&2; exit 2 ;;
	esac

bench: .venv/.installed ## the service beside the ceiling, other loops and peers, then the parts; ARGS="--rounds 3 --json"
	@kind=$$($(SCRIPTS)/real-neighbours.sh)
	failed=0
	BRIDGE_TEST_NEIGHBOURS=$$kind $(BIN)/python -m tests.bench.carry_bench $(ARGS) || failed=$$?
	for each in $$(cd tests/bench && ls *_bench.py | grep -v carry_bench); do
	  echo "$$each"
	  BRIDGE_TEST_NEIGHBOURS=$$kind $(BIN)/python -m tests.bench.$${each%.py} || failed=$$?
	done
	exit $$failed

chart: .venv/.installed ## the chart: lint, snapshots, schemas, our own loader, a real API server; SNAPSHOTS=update
	@$(SCRIPTS)/chart-files.sh
	required=0
	command -v kubectl >/dev/null || $(SCRIPTS)/debian-packages.sh kubernetes-client || true
	! $(SCRIPTS)/kube-api.sh >/dev/null || required=1
	[ $$required = 1 ] || echo "the chart is not tried against an API server here"
	BRIDGE_HELM=$$($(BIN)/python $(SCRIPTS)/fetch_helm.py) BRIDGE_REQUIRE_HELM=1 BRIDGE_REQUIRE_KUBE_API=$$required \
	  BRIDGE_SNAPSHOTS=$(SNAPSHOTS) $(BIN)/pytest tests/chart $(ARGS)

image: .venv/.installed ## builds the container image and checks it hardened; says so where no engine can be had
	@$(SCRIPTS)/image.sh $(ARGS)

supply: .venv/.installed ## what is shipped: bill of materials, licences, known vulnerabilities, workflow files
	@REQUIRE_AUDIT=$(REQUIRE_AUDIT) $(SCRIPTS)/supply.sh

e2e-docker: .venv/.installed ## tests with Kafka and Redis in containers, and the trial of deploy/compose.yaml
	@$(SCRIPTS)/docker-neighbours.sh tests/neighbours $(ARGS)

prove: .venv/.installed ## every crash point of both modes, by enumeration; ARGS="--schedules 100000 --seed 7"
	@$(BIN)/python -m tests.model
	$(BIN)/python -m tests.prove $(ARGS)

faults: .venv/.installed ## 200 faults and a full disk on Apache Kafka, Redis and bridge themselves; BRIDGE_FAULTS_SEED=7
	@BRIDGE_TEST_NEIGHBOURS=apache $(SCRIPTS)/real-neighbours.sh >/dev/null
	BRIDGE_TEST_NEIGHBOURS=apache BRIDGE_FAULTS=$${BRIDGE_FAULTS:-200} \
	  $(BIN)/pytest -s tests/e2e/test_faults.py tests/e2e/test_full_disk.py $(ARGS)

observe: .venv/.installed ## the demo with traces, metrics, dashboards and alerts, checked; ARGS="--once --json"
	@command -v prometheus >/dev/null || $(SCRIPTS)/debian-packages.sh prometheus
	$(BIN)/python -m tests.observe $(ARGS)

soak: .venv/.installed ## ten minutes of owners that change, pauses, replays and kills; BRIDGE_SOAK_S=120 BRIDGE_SOAK_SEED=7
	@deploy/soak $(ARGS)

lock: .venv/.installed ## pins anew what pyproject.toml asks for
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --all-extras --python-version 3.11.2 pyproject.toml -o requirements.lock

clean: ## removes the virtual environment and caches of tools
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
