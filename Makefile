# The two commands of the README: `make demo` and `make test`. Everything is installed into .venv, pinned.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INDEX_DIR ?= index_data
export HF_HUB_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# For benchmarks: a file or folder of articles, or an index; without both the sample archive is measured. What else one
# may be told, such as OPTIONS='--rounds 5', its --help says.
ARTICLES ?=
INDEX ?=
OPTIONS ?=
FUZZ_SECONDS ?= 180
# Every worker loads torch, so many of them gain little; one that has done its share takes some of another's.
ON_ALL_CORES := -n auto --maxprocesses 8 --dist worksteal
MEASURED = $(if $(INDEX),--index-dir $(INDEX),$(if $(ARTICLES),--articles $(ARTICLES))) $(OPTIONS)

.PHONY: help demo serve test quick lint contract faults fuzz bench-overload bench-cold bench-index bench-query bench-serve bench-scale bench-peers bench-vectors bench-durability clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install, index the sample archive, answer one query"
	@echo "make serve   serve the search page of the index in $(INDEX_DIR)"
	@echo "make test    install, run all tests and checks"
	@echo "make quick   install, run the tests that take no more than a moment"
	@echo "make faults          kill, damage and fill up indexes at length, and see what survives"
	@echo "make fuzz            fuzz readers and query language, FUZZ_SECONDS=180 for each of ten targets"
	@echo "make contract        try the HTTP API against its OpenAPI document, for minutes"
	@echo "make bench-overload  load the server past its capacity, and see it recover"
	@echo "make bench-cold      time whole processes: help and searches from nothing"
	@echo "make bench-index     index (ARTICLES=file), beside the encoder alone and plain float32; peak memory"
	@echo "make bench-query     time warm queries (INDEX=folder or ARTICLES=file measure another archive than the sample)"
	@echo "make bench-serve     time eight clients at once, and articles added meanwhile (INDEX= or ARTICLES= too)"
	@echo "make bench-scale     grow an index of generated articles to 100,000, and draw docs/scale.svg"
	@echo "make bench-peers     the same articles in txtai, LanceDB, bm25s with FAISS, FTS5 (INDEX= or ARTICLES= too)"
	@echo "make bench-vectors   compare structures of the vector index at 100,000 and 1,000,000 passages (INDEX=folder)"
	@echo "make bench-durability  time checksums, check, backup and restore (INDEX= or ARTICLES= too)"
	@echo "  OPTIONS='--rounds 5' gives one of these further options; python -m benchmarks.NAME --help tells them"
	@echo "make clean   remove the virtual environment and the built index"

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Concord needs Python 3.11 or newer; '$(PYTHON)' is older: name another with 'make PYTHON=python3.11'."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,eval]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[plots]'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/concord index index_data/sample_articles --index-dir $(INDEX_DIR)
	$(BIN)/concord search "prisoner exchange without mediation" -k 5 --index-dir $(INDEX_DIR)
	@echo "The same in a browser: run 'make serve' and open the address it prints."

serve: $(VENV)/.installed
	$(BIN)/concord serve --index-dir $(INDEX_DIR)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m benchmarks.tables --check

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest $(ON_ALL_CORES)

quick: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(ON_ALL_CORES) -m 'not slow and not browser'

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[fuzz]'
	for target in html json jsonl csv markdown text dump date decoding query; do \
		$(BIN)/python -m tests.fuzz $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

faults: $(VENV)/.installed-dev
	FAULTS=long FAULTS_REPORT=benchmarks/results/faults.json $(BIN)/python -m pytest tests/faults

contract: $(VENV)/.installed-dev
	CONTRACT_EXAMPLES=1000 $(BIN)/python -m pytest tests/search_app/web/test_contract.py

bench-overload: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.overload $(OPTIONS)

bench-cold: $(VENV)/.installed
	$(BIN)/python -m benchmarks.cold $(OPTIONS)

bench-index: $(VENV)/.installed
	$(BIN)/python -m benchmarks.indexing $(if $(ARTICLES),--articles $(ARTICLES)) $(OPTIONS)

bench-query: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.query $(MEASURED)

bench-serve: $(VENV)/.installed
	$(BIN)/python -m benchmarks.serve $(MEASURED)

bench-scale: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.scale --plot docs/scale.svg $(OPTIONS)

bench-vectors: $(VENV)/.installed
	$(BIN)/python -m benchmarks.vector_index $(INDEX) --passages 100000 --hnsw --json benchmarks/results/vectors_100k.json $(OPTIONS)
	$(BIN)/python -m benchmarks.vector_index $(INDEX) --passages 1000000 --queries 50 --json benchmarks/results/vectors_1m.json $(OPTIONS)

bench-peers: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.peers $(MEASURED)

bench-durability: $(VENV)/.installed
	$(BIN)/python -m benchmarks.durability $(MEASURED)

clean:
	rm -rf $(VENV)
	find index_data -mindepth 1 -maxdepth 1 ! -name sample_articles ! -name README.md -exec rm -rf {} +
