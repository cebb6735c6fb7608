# nself. `make` lists the targets; `make demo` shows the main job; `make test` tests everything.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := bin/nself
GO ?= go
PKGS := ./...
FUZZTIME ?= 60s
# Hasura's own case files, where they lie beside the checkout.
export HASURA_CONFORMANCE_DIR ?= $(abspath $(wildcard ../shared/conformance/hasura-actions))
comma := ,
GORELEASER := github.com/goreleaser/goreleaser/v2@v2.14.3
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/nself, and bin/nself-docker, which it calls to run containers
	$(GO) build -o bin/ ./cmd/nself ./cmd/nself-docker

.PHONY: bin-nself
bin-nself:
	$(GO) build -o $(BIN) ./cmd/nself

.PHONY: install
install: ## Install nself where Go puts programs
	$(GO) install ./cmd/nself ./cmd/nself-docker

.PHONY: demo
demo: bin-nself ## The main job on real input: init, action, build, up, register a user
	@scripts/demo.sh

.PHONY: demo-down
demo-down: ## Stop the demo
	@scripts/demo.sh down

.PHONY: test
test: ## Unit tests with the race detector, then journeys on the built program with real Postgres and Redis
	$(GO) vet $(PKGS)
	$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -v /e2e)
	$(GO) test -race -tags otel ./templates/golang/internal/tracing ./templates/golang/internal/jobs
	$(GO) test -count 1 -timeout 20m ./e2e/...

.PHONY: test-docker
test-docker: ## The docker driver and its journeys, on an engine with the images of scripts/images
	CI=true $(GO) test -count 1 -timeout 15m -parallel 4 ./internal/stack/docker
	CI=true $(GO) test -count 1 -timeout 15m -parallel 4 -run 'TestDocker' ./e2e

.PHONY: e2e
e2e: ## Only the journeys on the built program
	$(GO) test -count 1 -timeout 20m -v ./e2e/...

.PHONY: bench-runtimes
bench-runtimes: bin-nself ## What a function service adds to its framework, for each runtime
	@$(GO) run ./scripts/bench/runtimes -nself $(BIN)

.PHONY: bench
bench: build ## Speed, as ratios side by side in one run
	@scripts/bench.sh
	@$(MAKE) --no-print-directory bench-runtimes

.PHONY: faults
faults: bin-nself ## Kill what can be killed, stop the database, let handlers misbehave: nothing is lost or done twice
	$(GO) test -count 1 -timeout 30m -v -run 'TestKill|TestGateway' ./e2e -args -kills 20 -async-rows 10000
	$(GO) test -count 1 -timeout 10m -v -run TestKillerDrains ./internal/worker -args -rows 10000

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (60s) each
	@set -e; for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' internal templates/golang | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | cut -c6-); do \
	    echo "== $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s ./$$pkg; \
	  done; done

.PHONY: lint
lint: ## Lint with the pinned golangci-lint
	$(GO) run $(GOLANGCI_LINT) run

.PHONY: templates-python
templates-python: ## Lint, check and test the Python template where it stands
	@cd templates/python && { test -e .venv/bin/pytest || { python3 -m venv .venv && .venv/bin/python -m pip install \
	  --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt; }; }
	cd templates/python && export PATH="$$PWD/.venv/bin:$$PATH" PYTHONDONTWRITEBYTECODE=1 && \
	  ruff check . && ruff format --check . && mypy && mypy gunicorn.conf.py && \
	  ../../scripts/with-servers.sh pytest

.PHONY: templates-nestjs
templates-nestjs: ## Lint, build and test the NestJS template where it stands
	cd templates/nestjs && npm ci --prefer-offline --no-audit --no-fund && npm run lint && npm run build && \
	  ../../scripts/with-servers.sh npm test

.PHONY: fmt
fmt: ## Format the code
	$(GO) run $(GOLANGCI_LINT) fmt

.PHONY: generate
generate: ## Write the generated files: template modules and types, command reference
	$(GO) generate ./...

.PHONY: verify
verify: generate ## Fail when generated files or go.mod are not current
	$(GO) mod tidy
	git diff --exit-code

.PHONY: cross
cross: ## Compile for every supported platform
	@set -e; for os in linux darwin; do for arch in amd64 arm64; do \
	  echo "$$os/$$arch"; CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -o /dev/null ./cmd/nself ./cmd/nself-docker; done; done

.PHONY: man
man: ## Write manual pages and shell completions to extra/
	$(GO) run ./scripts/release extra

.PHONY: tour
tour: ## Run the journeys of docs/tour.md and write down what they print
	UPDATE_TOUR=1 $(GO) test -count 1 -timeout 20m -run TestScripts/journey ./e2e

.PHONY: snapshot
snapshot: ## Build archives, checksums, SBOMs and packages without publishing (dist/)
	$(GO) run $(GORELEASER) release --snapshot --clean --skip=publish$(if $(shell command -v syft),,$(comma)sbom)

.PHONY: clean
clean: ## Remove what make built
	rm -rf bin dist extra coverage
