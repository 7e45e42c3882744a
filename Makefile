# Everything a checkout can do. It needs Python 3.10 or newer, make, and a package index.
# Repeated runs are fast: a stamp file in $(VENV) remembers what is installed.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Processes that share the tests, each with a Spark of its own; 0 runs them in one, for a debugger.
JOBS ?= 2

PARALLEL := --numprocesses $(JOBS) --dist worksteal
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
REQUIREMENTS := pyproject.toml conf/constraints.txt
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
REFERENCE := $(VENV)/.installed-reference
# The classes that Spark loads at its start, ready for the JVM to map: the tests start Spark some 40 times, and the
# file halves the time of each start. A JVM that cannot use the file starts without it.
CLASSES := $(VENV)/spark-classes.jsa
FAST_JVM := -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:disable
WITH_FAST_JVM := SPARK_SUBMIT_OPTS="$(FAST_JVM) -XX:SharedArchiveFile=$(abspath $(CLASSES))"
# The packages that an executor needs, as the archive that spark-submit --archives sends.
PACKED := $(VENV)-packed.tar.gz
WHEEL_VENV := $(VENV)-wheel
# The real Spark NLP, if it is here: the folder of its jars/.
PEER ?= ../shared/peer/spark-nlp
PEERS_VENV := $(VENV)-peers
PEERS := $(PEERS_VENV)/.installed
# A Spark and a pandas for the Spark tests, other than those of $(VENV).
SPARK ?= 3.5.6
PANDAS ?= 2.3.3
SPARK_VENV ?= $(VENV)-spark-$(SPARK)-pandas-$(PANDAS)
# Python, Spark and pandas of each row of test-matrix: every Python, every line of Spark, and both pandas.
MATRIX ?= 3.10,3.5.9,2.3.3 3.11,4.0.5,2.3.3 3.12,4.1.4,2.3.3 3.12,4.2.1,2.3.3 3.13,4.3.0,3.0.1
# The client of Spark Connect alone, without Spark and Java; the server is that of $(VENV).
CLIENT_VENV := $(VENV)-client

.DEFAULT_GOAL := help
.PHONY: help demo test check lint fmt test-slow test-gpu test-cluster submit-demo test-reference test-peers test-spark test-matrix test-client bench notebooks wheel clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Options: PYTHON=python3.12 (to create the environment with), VENV=.venv, ARGS='-k name -x' (for pytest), JOBS=0 (tests in one process)"

demo: $(RUN) ## Install, turn a sample text into vectors with Spark, show them, write Parquet and draw a picture
	@SPARK_CONF_DIR=conf $(BIN)/sparkalbert demo $(ARGS)

test: $(DEV) $(CLASSES) ## Install and run the test suite (without the slow, GPU, cluster, notebook and peer tests)
	$(WITH_FAST_JVM) $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: lint test notebooks ## Run everything that must hold before a change lands: lint, the tests, the notebooks

lint: $(DEV) ## Check formatting, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(DEV) ## Format the code and repair what lint can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-slow: $(DEV) ## Run the tests of base and xlarge shapes and of Spark's searches (minutes, 4 GB of memory)
	$(BIN)/python -m pytest -m slow $(ARGS)

test-gpu: $(DEV) ## Compare fp16 on a GPU with the CPU and with torch; needs onnxruntime-gpu in $(VENV)
	$(BIN)/python -m pytest -m gpu $(ARGS)

# In the order of the files, so that a run can be repeated, and bounded: on SIGTERM the tests stop their cluster.
test-cluster: $(DEV) ## Run the batch job on a real standalone cluster, with faults (minutes; needs Linux)
	timeout --foreground --kill-after=1m 20m $(BIN)/python -m pytest -m cluster -p no:randomly tests/cluster $(ARGS)

submit-demo: $(DEV) $(PACKED) ## Submit the batch job to a cluster whose executors have only a packed environment (needs Linux)
	$(BIN)/python -m tests.cluster.submit_demo $(PACKED)

test-reference: $(REFERENCE) ## Install torch and transformers and compare with Hugging Face's AlbertModel
	$(BIN)/python -m pytest -m reference $(ARGS)

ifneq ($(wildcard $(PEER)/jars),)
test-peers: $(PEERS) ## Run beside the real Spark NLP and compare (PEER=folder of its jars; needs Java 17)
	SPARK_NLP_PEER="$(PEER)" $(PEERS_VENV)/bin/python -m pytest -m peers tests/peers $(ARGS)
else
test-peers:
	@echo "test-peers skipped: the real Spark NLP is not at $(PEER). Name its folder: make test-peers PEER=folder"
endif

test-spark: $(SPARK_VENV)/.installed ## Run the Spark tests on another Spark (SPARK=3.5.6 PANDAS=2.3.3; needs Java 17)
	$(SPARK_VENV)/bin/python -m pytest tests/ml $(PARALLEL) -W ignore::DeprecationWarning -W ignore::ResourceWarning \
	  -W ignore::pytest.PytestUnraisableExceptionWarning $(ARGS)

test-matrix: ## Run the Spark tests on every line of Spark, with every Python and both pandas (an hour; needs the Pythons)
	@failed=; for row in $(MATRIX); do set -- $$(echo $$row | tr , ' '); echo "== Python $$1, Spark $$2, pandas $$3"; \
	  $(MAKE) test-spark PYTHON=python$$1 SPARK=$$2 PANDAS=$$3 SPARK_VENV=$(VENV)-matrix-$$1-$$2-$$3 \
	    || failed="$$failed $$row"; done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

test-client: $(DEV) $(CLIENT_VENV)/.installed ## Run a pipeline from pyspark-client, which contains no Spark, and compare the bits
	$(BIN)/python -m tests.cluster.client_demo $(CLIENT_VENV)/bin/python

# Spark NLP takes part where test-peers has installed it, the torch UDF where test-reference has.
bench: $(DEV) ## Measure speed against the limit of this machine: ARGS='--shape xlarge'
	$(BIN)/sparkalbert bench --json bench-output.json --picture bench-output.png \
	  $(if $(wildcard $(PEERS)),--spark-nlp $(PEERS_VENV)/bin/python --spark-nlp-jars $(PEER)/jars) $(ARGS)

notebooks: $(DEV) $(CLASSES) ## Run every notebook from the first cell to the last
	$(WITH_FAST_JVM) $(BIN)/python -m pytest -m notebooks $(PARALLEL) tests/test_notebooks.py $(ARGS)

wheel: $(DEV) ## Build the wheel, install it into a clean environment and run the demo outside this folder
	rm -rf dist $(WHEEL_VENV)
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv $(WHEEL_VENV)
	$(WHEEL_VENV)/bin/python -m pip install --quiet --constraint conf/constraints.txt "$$(ls dist/*.whl)[all]"
	bin="$$(cd $(WHEEL_VENV)/bin && pwd)" && folder="$$(mktemp -d)" && cd "$$folder" \
	  && "$$bin/sparkalbert" --version && "$$bin/sparkalbert" demo && rm -rf "$$folder"
	@ls -l dist

clean: ## Remove what was built and cached; the environment stays
	rm -rf build dist demo-output demo-output.png bench-output.json bench-output.png spark-warehouse metastore_db derby.log $(WHEEL_VENV)
	rm -rf .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find conf sparkalbert tests -type d -name __pycache__ -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "sparkalbert needs Python 3.10 or newer, $(PYTHON) is older. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "The environment cannot be created. Debian and Ubuntu keep venv in a package: apt install python3-venv" >&2; exit 1; }

$(RUN): $(VENV)/pyvenv.cfg $(REQUIREMENTS)
	@echo "Installing sparkalbert, Spark and the command line into $(VENV) (some minutes, once) ..."
	$(PIP) install --quiet --constraint conf/constraints.txt --editable '.[all]'
	@touch $@

$(DEV): $(VENV)/pyvenv.cfg $(REQUIREMENTS)
	@echo "Installing sparkalbert and what its tests need into $(VENV) (some minutes, once) ..."
	$(PIP) install --quiet --constraint conf/constraints.txt --editable '.[dev]'
	@touch $@ $(RUN)

$(CLASSES): $(DEV) tests/spark_classes.py
	@SPARK_SUBMIT_OPTS="$(FAST_JVM) -XX:ArchiveClassesAtExit=$(abspath $@)" $(BIN)/python -m tests.spark_classes 2>&1 | cat > /dev/null; touch $@  # cat waits for the JVM

$(PACKED): $(REQUIREMENTS) $(shell find sparkalbert -name '*.py')
	rm -rf $(VENV)-packed
	$(PYTHON) -m venv $(VENV)-packed
	$(VENV)-packed/bin/python -m pip --disable-pip-version-check install --quiet --constraint conf/constraints.txt . venv-pack setuptools
	$(VENV)-packed/bin/venv-pack --quiet --force --prefix $(VENV)-packed --output $@

$(REFERENCE): $(DEV)
	$(PIP) install --quiet --constraint conf/constraints.txt torch==2.13.0 transformers==5.23.0
	@touch $@

$(SPARK_VENV)/.installed: $(REQUIREMENTS)
	@echo "Installing Spark $(SPARK) and sparkalbert into $(SPARK_VENV) (some minutes, once) ..."
	@$(PYTHON) -m venv $(SPARK_VENV)
	@grep -vE '^(numpy|pandas|py4j|pyspark)==' conf/constraints.txt > $(SPARK_VENV)/constraints.txt
	$(SPARK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet \
	  --constraint $(SPARK_VENV)/constraints.txt 'pyspark==$(SPARK)' 'pandas==$(PANDAS)' 'numpy<2.3' setuptools \
	  grpcio grpcio-status googleapis-common-protos zstandard --editable '.[cli,convert]' \
	  hypothesis psutil pytest pytest-randomly pytest-timeout pytest-xdist
	@touch $@

$(CLIENT_VENV)/.installed: $(REQUIREMENTS)
	@echo "Installing the client of Spark Connect and sparkalbert into $(CLIENT_VENV) (a minute, once) ..."
	@$(PYTHON) -m venv $(CLIENT_VENV)
	$(CLIENT_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint conf/constraints.txt \
	  pyspark-client --editable .
	@touch $@

$(PEERS): $(REQUIREMENTS) conf/peers.txt
	@echo "Installing Spark NLP, its Spark and sparkalbert into $(PEERS_VENV) (some minutes, once) ..."
	@$(PYTHON) -m venv $(PEERS_VENV)
	@grep -vE '^(numpy|py4j|pyspark)==' conf/constraints.txt > $(PEERS_VENV)/constraints.txt
	$(PEERS_VENV)/bin/python -m pip --disable-pip-version-check install --quiet \
	  --constraint $(PEERS_VENV)/constraints.txt --requirement conf/peers.txt \
	  --editable '.[convert]' hypothesis pytest pytest-randomly pytest-timeout
	@touch $@
