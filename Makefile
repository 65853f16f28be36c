# Everything a contributor runs. `make` alone says what there is.
#
# DURWARD_SOAK   how long test/soak goes on (default 15s in make stories, 30m in make endurance)
# SEED, ROUNDS   which conversations test/model has, and how many
# DURWARD_CACHE  where scripts/peers and tools install (default .cache)
# FUZZTIME       how long each fuzz target runs (make fuzz; default 30s)
# CI=true        nothing may be skipped

SHELL      := /bin/bash
.SHELLFLAGS := -euo pipefail -c
GO         ?= go
CACHE      ?= $(or $(DURWARD_CACHE),$(CURDIR)/.cache)
FUZZTIME   ?= 30s
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STATICCHECK    := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI       := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
STEP       := scripts/step
TEST       := scripts/gotest

# Where goroutines meet: these run a second time under the race detector. Not
# among them: packages without a lock, an atomic value or a goroutine.
RACED := ./internal/approval/... ./internal/audit/... ./internal/boot/... ./internal/catalog/... ./internal/config/... \
         ./internal/control/... ./internal/edge/... ./internal/example/... ./internal/guard/... ./internal/httpwire/... \
         ./internal/identity/... ./internal/limit/... ./internal/oauth/... ./internal/once/... ./internal/pipeline/... \
         ./internal/runaway/... ./internal/session/... ./internal/snapshot/... ./internal/store/... ./internal/upstream/...

# Succeeds where the race detector can be built.
RACER = command -v $${CC:-gcc} >/dev/null || { [ "$${CI:-}" != true ] || { echo "no C compiler for the race detector"; exit 1; }; echo "no C compiler: without the race detector"; false; }

# What the guard's weights are fitted on: the corpus, and as ordinary text the
# sources of Go and of modules that stay what they are when go.mod changes
# (go mod download MODULE@VERSION brings one that is missing).
GUARD_DATA = -dev $(or $(DEV),../shared/threats/dev) -natural $(shell $(GO) env GOROOT) \
             $(addprefix -natural $(shell $(GO) env GOMODCACHE)/,$(shell cat internal/guard/train/natural.txt))

export CGO_ENABLED = 0

.PHONY: guard-report guard-train help build test check unit race stories endurance matrix lint bench benchmarks fuzz peers clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/durward
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/durward ./cmd/durward

test: ## All that must hold: check, unit, race, stories
	@$(STEP) check $(MAKE) --no-print-directory check
	@$(STEP) unit $(MAKE) --no-print-directory unit
	@$(STEP) race $(MAKE) --no-print-directory race
	@$(STEP) peers $(MAKE) --no-print-directory peers
	@$(STEP) stories $(MAKE) --no-print-directory stories

check: ## Format, vet, staticcheck
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$bad" ] || { echo "gofmt would change: $$bad"; exit 1; }
	@$(GO) vet ./...
	@scripts/tool staticcheck $(STATICCHECK) ./...

unit: ## Tests of the packages, and of the house
	@$(TEST) -timeout 30m $$($(GO) list ./... | grep -v -e '^durward/test/')

race: ## The packages where goroutines meet, under the race detector
	@$(RACER) || exit 0; CGO_ENABLED=1 $(TEST) -race -timeout 30m $$($(GO) list $(RACED))

stories: ## Conformance, interoperation, hostile peers, random conversations and a short soak, through the gateway
	@$(TEST) -timeout 40m ./test/conformance ./test/hostile
	@DURWARD_SOAK=$${DURWARD_SOAK:-15s} $(TEST) -count 1 -timeout 40m ./test/model ./test/sessions ./test/soak
	@$(RACER) && export DURWARD_RACE=1; $(TEST) -timeout 40m -parallel 8 ./test/interop

endurance: ## Many random conversations across eras, and half an hour of soak
	@ROUNDS=$${ROUNDS:-40} $(TEST) -count 1 -timeout 60m ./test/model
	@DURWARD_SOAK=$${DURWARD_SOAK:-30m} $(TEST) -count 1 -timeout 5h -v ./test/soak

guard-report: ## Measure the guard by its bars (DEV=directory of the corpus)
	@$(GO) run ./internal/guard/train $(GUARD_DATA) -report -families

guard-train: ## Fit the guard's weights (DEV=directory of the corpus)
	@$(GO) run ./internal/guard/train $(GUARD_DATA) -out internal/guard/model/weights

matrix: ## The conformance suites against every kind of server, as a table for the README
	@DURWARD_MATRIX=$(CURDIR)/matrix.md $(GO) test -count 1 -timeout 20m -run '^TestMatrix$$' ./test/conformance
	@cat matrix.md && rm matrix.md

fuzz: ## Each fuzz target for FUZZTIME
	@scripts/fuzz $(FUZZTIME)

lint: ## golangci-lint (the first run compiles it: some minutes)
	@scripts/tool golangci-lint $(GOLANGCI) run ./...

bench: build ## The gateway against nginx and the direct line, in interleaved rounds; then what single checks cost
	@scripts/bench
	@echo; echo "what single checks cost"
	@$(GO) test -run '^$$' -benchmem -bench '^Benchmark(Decide|Govern|Condition|Take|Begin|Must|VerifySealed|Crossing)$$' \
		./internal/pipeline ./internal/policy ./internal/limit ./internal/runaway ./internal/audit ./internal/upstream

benchmarks: ## Go benchmarks, in benchstat's format
	@$(GO) test -run '^$$' -bench . -benchmem -count $${COUNT:-6} $$($(GO) list ./... | grep -v -e '^durward/test/')

peers: ## Fetch what the stories need from npm into the cache
	@scripts/peers || { [ "$${CI:-}" != true ] && echo "peers: not installed; the stories that need them will be skipped"; }

clean: ## Remove what was built and fetched
	rm -rf bin $(CACHE)
