"""The rest of torch's surface: questions about hardware, switches, pass-throughs and refusals.  Scripts run under both where torch is there."""
import os
import subprocess
import sys
import textwrap
import zipfile

import pytest

import ringgrad
from ringgrad import accelerator, backends, cuda, hub, jit, profiler, testing
from ringgrad.utils import model_zoo

# -- the same program under torch --------------------------------------------------------------------------------------

# Each is run by real torch and through compat, all of them in one process of each; what it prints must be equal.
SCRIPTS = {
    "switches": """
        b = torch.backends
        print(b.cudnn.benchmark, b.cudnn.deterministic, b.cudnn.enabled, b.cudnn.allow_tf32, b.cudnn.is_available(), b.cudnn.version())
        b.cudnn.benchmark = True; b.cudnn.deterministic = True
        print(b.cudnn.benchmark, b.cudnn.deterministic)
        with b.cudnn.flags(enabled=False):
            print(b.cudnn.enabled)
        print(b.cudnn.enabled, b.cuda.is_built(), b.mps.is_available(), b.mps.is_built())
        print(b.cuda.matmul.allow_tf32, torch.get_float32_matmul_precision())
        torch.set_float32_matmul_precision("high")
        print(b.cuda.matmul.allow_tf32, torch.get_float32_matmul_precision())
        torch.set_float32_matmul_precision("highest")
        print(b.cuda.matmul.allow_tf32, b.cuda.flash_sdp_enabled(), b.cuda.math_sdp_enabled(), b.cuda.mem_efficient_sdp_enabled())
        b.cuda.enable_flash_sdp(False); print(b.cuda.flash_sdp_enabled())
        try:
            b.cuda.matmul.zork = 1
        except AttributeError as e:
            print(e)
        print(b.mkldnn.enabled, b.cpu.get_cpu_capability(), b.mha.get_fastpath_enabled())
    """,
    "threads and modes": """
        torch.set_num_threads(1); print(torch.get_num_threads())
        for bad in (0, -1):
            try:
                torch.set_num_threads(bad)
            except RuntimeError as e:
                print(e)
        torch.set_deterministic_debug_mode("warn"); print(torch.get_deterministic_debug_mode(), torch.is_deterministic_algorithms_warn_only_enabled())
        torch.set_deterministic_debug_mode(0); print(torch.are_deterministic_algorithms_enabled())
        print(torch.get_default_device(), torch.is_warn_always_enabled())
    """,
    "cuda without a GPU": """
        c = torch.cuda
        print(c.is_available(), c.device_count(), c.is_initialized(), c.memory_allocated(), c.max_memory_allocated(), c.memory_reserved(),
              c.memory_cached(), c.is_bf16_supported(), c.is_tf32_supported(), c.get_arch_list(), c.get_rng_state_all(), c.memory_stats())
        c.manual_seed(1); c.manual_seed_all(1); c.seed_all(); c.empty_cache(); c.seed()
        with c.device(-1), c.stream(None):
            pass
        for ask in (c.current_device, c.synchronize, c.get_device_name, c.current_stream, c.mem_get_info, c.Stream):
            try:
                ask()
            except (RuntimeError, AssertionError):
                print("refused")
        print(issubclass(c.OutOfMemoryError, RuntimeError), c.OutOfMemoryError is torch.OutOfMemoryError, isinstance(torch.ones(1), c.FloatTensor))
        print(torch.accelerator.is_available(), torch.accelerator.current_accelerator(), torch.accelerator.device_count())
        for ask in (torch.accelerator.synchronize, torch.accelerator.current_device_index, torch.accelerator.memory_allocated):
            try:
                ask()
            except RuntimeError as e:
                print(e)
        print(torch.mps.is_available(), torch.mps.device_count(), torch.xpu.is_available(), torch.xpu.device_count(), torch.cpu.is_available(),
              torch.cpu.device_count(), torch.cpu.current_device())
        s = torch.cpu.Stream(); e = torch.cpu.Event()
        with torch.cpu.stream(s):
            e.record()
        torch.cpu.synchronize()
    """,
    "jit": """
        from typing import List
        @torch.jit.script
        def f(x: torch.Tensor, n: int):
            for _ in range(n):
                x = x * 2
            return x
        class M(torch.nn.Module):
            scale: torch.jit.Final[int]
            def __init__(self):
                super().__init__()
                self.scale = 3
            @torch.jit.ignore
            def hidden(self, x): return x
            @torch.jit.unused
            def other(self, x): return x
            @torch.jit.export
            def shown(self, x): return x
            def forward(self, x):
                if torch.jit.is_scripting():
                    return x
                return x * self.scale
        print(f(torch.ones(2), 3).tolist(), torch.jit.is_scripting(), torch.jit.is_tracing(), torch.jit.annotate(List[int], [1]))
        print(torch.jit.trace(M().eval(), torch.ones(2))(torch.ones(2)).tolist(), torch.jit.isinstance([1, 2], List[int]),
              torch.jit.isinstance([1, "a"], List[int]))
        print(torch.jit.wait(torch.jit.fork(lambda x: x + 1, torch.ones(1))).tolist(), torch._C._get_tracing_state())
        import torch.onnx.operators
        print(torch.onnx.operators.shape_as_tensor(torch.ones(2, 3)).tolist(), torch.compiler.is_compiling(), torch.fx.wrap("len"))
        print(torch.compile(lambda x: x + 1, disable=True)(torch.ones(1)).tolist(), torch.jit.script_if_tracing(len)([1, 2]))
    """,
    "assert_close": """
        from torch.testing import assert_close
        nan = float("nan")
        rows = [(torch.tensor([1., 2, 3]), torch.tensor([1., 2, 3.1]), {}), (torch.tensor([1, 2]), torch.tensor([1, 3]), {}),
                ([1., 2.], [1., 2.1], {}), (torch.tensor(1.), torch.tensor(1., dtype=torch.float64), {}), (torch.zeros(2), torch.zeros(3), {}),
                ({"a": 1}, {"b": 1}, {}), (1.0, 1.1, {}), (torch.zeros(2), torch.zeros(2) + 1, dict(rtol=0, atol=0)),
                (torch.tensor(nan), torch.tensor(nan), {}), (torch.tensor(nan), torch.tensor(nan), dict(equal_nan=True)),
                ([torch.zeros(2)], [torch.ones(2)], {}), (torch.tensor(1.), torch.tensor(2.), {}), (torch.tensor([True]), torch.tensor([False]), {}),
                ("a", "a", {}), ([1], [1, 2], {}), (torch.ones(3), torch.ones(3), {}), (torch.ones(2), torch.ones(2), dict(rtol=1)),
                (torch.ones(2), torch.ones(2) + 1e-6, {}), (torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64) + 1e-6, {}),
                (torch.ones(1), torch.zeros(1), dict(msg="mine")), (torch.ones(2, 2), torch.tensor([[1, nan], [1, 1]]), {}), (None, None, {}),
                (torch.ones(2), torch.ones(2).double(), dict(check_dtype=False)), (torch.ones(2, 1), torch.ones(1, 2), {})]
        for a, b, options in rows:
            try:
                assert_close(a, b, **options)
                print("close")
            except Exception as e:
                print(type(e).__name__, e)
    """,
    "version": """
        from torch.torch_version import TorchVersion
        v = TorchVersion("2.13.0")
        print(v > "2.9", v >= (2, 13), v < "3", v == "2.13.0", v != "2.13.1", v <= "2.13", "1.4" < v, (1, 0) < v)
        print(torch.version.cuda, torch.version.hip, torch.version.debug, torch.__version__.split("+")[0])
    """,
    "small": """
        from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors, _take_tensors
        ts = [torch.ones(2, 2), torch.zeros(3)]
        flat = _flatten_dense_tensors(ts)
        print(flat.tolist(), [t.shape for t in _unflatten_dense_tensors(flat, ts)], [len(g) for g in _take_tensors(ts, 16)])
        print(torch.overrides.has_torch_function((torch.ones(1), 2)), torch.overrides.is_tensor_like(torch.ones(1)))
        from torch.nn.common_types import _size_2_t
        from torch.types import Number
        print(torch.hub._get_torch_home().endswith("torch"), torch.hub.get_dir().endswith("hub"))
        with torch.profiler.record_function("x"), torch.autograd.profiler.record_function("y"):
            pass
        print(torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)(3).name, [torch.profiler.schedule(wait=1, warmup=1, active=1)(i).name
              for i in range(4)])
        print(torch.testing.make_tensor(2, 3, dtype=torch.int64, device="cpu").dtype, torch.distributed.is_available())
    """,
}


def printed(script, under, folder):
    through = ["-m", "ringgrad.compat"] if under == "ringgrad" else []
    (folder / "script.py").write_text("import torch\n" + textwrap.dedent(script))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-W", "ignore", *through, "script.py"], cwd=folder, env=environment, text=True, capture_output=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("<class 'ringgrad._core.tensor.Tensor'>", "<class 'torch.Tensor'>")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """{"ringgrad" or "torch": {name of a script: what it printed}}; an exception is printed, too."""
    pytest.importorskip("torch", reason="PyTorch is not installed: make oracle")
    folder = tmp_path_factory.mktemp("scripts")
    for number, text in enumerate(SCRIPTS.values()):
        (folder / f"part{number}.py").write_text("import torch\n" + textwrap.dedent(text))
    everyone = f"""
        import runpy
        for number in range({len(SCRIPTS)}):
            try:
                runpy.run_path(f"part{{number}}.py")
            except Exception as error:
                print("failed:", type(error).__name__, error)
            print("=====")
    """
    return {under: dict(zip(SCRIPTS, printed(everyone, under, folder).split("=====\n"))) for under in ("ringgrad", "torch")}


@pytest.mark.torch
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_print_what_they_print_under_torch(name, both):
    assert "failed:" not in both["torch"][name]
    assert both["ringgrad"][name] == both["torch"][name]


# -- pass-throughs say so once, and what is not built refuses -------------------------------------------------------------


def test_compile_and_script_say_once_that_they_do_nothing(tmp_path):
    script = ("import torch\nf = lambda x: x\nassert torch.compile(f) is f and torch.compile(f, mode='max-autotune') is f\n"
              "@torch.compile\ndef g(x):\n    return x\n@torch.compile(fullgraph=True)\ndef h(x):\n    return x\n"
              "assert torch.jit.script(f) is f is torch.jit.script(f)\n"
              "torch._dynamo.config.suppress_errors = True\n")
    (tmp_path / "s.py").write_text(script)
    done = subprocess.run([sys.executable, "-W", "error", "-m", "ringgrad.compat", "s.py"], cwd=tmp_path, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines() == ["ringgrad: torch.compile compiles nothing here: the code runs as it is",
                                        "ringgrad: torch.jit compiles nothing here: scripted and traced code runs as the Python that it is"]


@pytest.mark.parametrize(("use", "kind", "words"), [
    (lambda: jit.save(None, "x"), RuntimeError, "save the state_dict"),
    (lambda: jit.load("x"), RuntimeError, "compiled form"),
    (lambda: jit.freeze(ringgrad.nn.Linear(1, 1)), RuntimeError, "eval mode"),
    (lambda: ringgrad.compile(3), RuntimeError, "takes a module or a function"),
    (lambda: ringgrad.onnx.export(None), NotImplementedError, "not built"),
    (lambda: ringgrad.fx.symbolic_trace(None), NotImplementedError, "register forward hooks"),
    (lambda: ringgrad.fx.Tracer(), NotImplementedError, "torch.fx.Tracer"),
    (lambda: ringgrad.library.custom_op("a::b"), NotImplementedError, "autograd.Function"),
    (lambda: ringgrad.xpu.synchronize(), AssertionError, "XPU"),
    (lambda: cuda.CUDAGraph(), RuntimeError, "CUDA"),
    (lambda: ringgrad.multiprocessing.set_sharing_strategy("zork"), ValueError, "file_descriptor"),
    (lambda: testing.make_tensor(2, dtype=ringgrad.int64, device="cpu", requires_grad=True), ValueError, "requires_grad"),
    (lambda: profiler.schedule(wait=-1, warmup=0, active=1), AssertionError, "schedule"),
])
def test_what_is_refused(use, kind, words):
    with pytest.raises(kind, match=words):
        use()


def test_backends_are_modules_whose_switches_stay(monkeypatch):
    monkeypatch.setattr(backends.cudnn, "benchmark", True)
    assert backends.cudnn.benchmark and backends.cudnn.set_flags(_enabled=True)[:2] == (True, True)
    assert not backends.openmp.is_available() and backends.quantized.engine == "none"
    with backends.cuda.sdp_kernel(enable_flash=False):
        assert not backends.cuda.flash_sdp_enabled()
    assert backends.cuda.flash_sdp_enabled()


def test_set_num_threads_reaches_the_matrix_library():
    before = ringgrad.get_num_threads()
    try:
        ringgrad.set_num_threads(2)
        assert ringgrad.get_num_threads() == 2
    finally:
        ringgrad.set_num_threads(before)


def test_accelerator_index_none_changes_nothing():
    with accelerator.device_index(None):
        assert accelerator.device_count() == cuda.device_count()


def test_null_streams_and_events():
    first, second = (ringgrad.Event("cpu", enable_timing=True) for _ in range(2))
    with ringgrad.Stream("cpu") as stream:
        stream.record_event(first)
        stream.record_event(second)
    assert stream.query() and first.elapsed_time(second) >= 0
    with pytest.raises(RuntimeError, match="enable_timing"):
        first.elapsed_time(ringgrad.Event("cpu"))


# -- hub ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text('dependencies = ["os"]\nfrom helper import value\n\n\ndef model(n=1, **kwargs):\n    """A model."""\n'
                                         "    return n * value\n\n\ndef _private():\n    pass\n")
    (tmp_path / "helper.py").write_text("value = 3\n")
    yield tmp_path
    sys.modules.pop("helper", None)


def test_hub_loads_entry_points_of_a_folder(hub_folder):
    assert hub.load(str(hub_folder), "model", 2, source="local") == 6
    assert "model" in hub.list(str(hub_folder), source="local") and "_private" not in hub.list(str(hub_folder), source="local")
    assert hub.help(str(hub_folder), "model", source="local") == "A model."
    assert str(hub_folder) not in sys.path
    with pytest.raises(RuntimeError, match="Cannot find callable zork in hubconf"):
        hub.load(str(hub_folder), "zork", source="local")
    with pytest.raises(RuntimeError, match="fetches no code"):
        hub.load("owner/name", "model")
    with pytest.raises(ValueError, match="Unknown source"):
        hub.load(str(hub_folder), "model", source="zork")


def test_weight_files_are_fetched_once_and_checked(tmp_path, capsys):
    weights = {"a": ringgrad.arange(3.0)}
    source = tmp_path / "net.pth"
    ringgrad.save(weights, source)
    digest = __import__("hashlib").sha256(source.read_bytes()).hexdigest()
    good, bad = tmp_path / f"net-{digest[:8]}.pth", tmp_path / "net-00000000.pth"
    for path in (good, bad):
        path.write_bytes(source.read_bytes())
    cache = tmp_path / "cache"
    loaded = hub.load_state_dict_from_url(good.as_uri(), model_dir=str(cache), check_hash=True, progress=False)
    assert ringgrad.equal(loaded["a"], weights["a"])
    assert "Downloading" in capsys.readouterr().err
    good.unlink()
    assert ringgrad.equal(model_zoo.load_url(good.as_uri(), model_dir=str(cache))["a"], weights["a"])
    assert capsys.readouterr().err == ""
    with pytest.raises(RuntimeError, match='invalid hash value \\(expected "00000000"'):
        hub.load_state_dict_from_url(bad.as_uri(), model_dir=str(cache), check_hash=True)
    with pytest.raises(OSError):
        hub.download_url_to_file((tmp_path / "absent").as_uri(), str(cache / "x"))
    assert sorted(os.listdir(cache)) == [good.name]


def test_a_zip_with_one_file_in_it_is_unpacked(tmp_path):
    ringgrad.save({"a": ringgrad.ones(2)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(tmp_path / "w.pth", "w.pth")
    assert hub.load_state_dict_from_url((tmp_path / "packed.zip").as_uri(), model_dir=str(tmp_path / "c"))["a"].tolist() == [1, 1]


def test_the_hub_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "_dir", None)
    assert hub.get_dir() == str(tmp_path / "hub")
    hub.set_dir(str(tmp_path / "other"))
    assert hub.get_dir() == str(tmp_path / "other")


# -- profiler -------------------------------------------------------------------------------------------------------------


def test_a_profile_lists_operations_and_blocks(tmp_path):
    x = ringgrad.ones(4, 4)
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], record_shapes=True) as p:
        with profiler.record_function("block"):
            (x @ x).relu_()
        x + x
    counts = {e.key: e.count for e in p.key_averages()}
    assert counts == {"aten::matmul": 1, "aten::relu_": 1, "block": 1, "aten::add": 1}
    block = next(e for e in p.events() if e.name == "block")
    inside = sum(e.cpu_time_total for e in p.events() if e.name in ("aten::matmul", "aten::relu_"))
    assert block.cpu_time_total >= inside and abs(block.cpu_time_total - block.self_cpu_time_total - inside) < 1e-6
    assert "aten::matmul" in p.key_averages().table(sort_by="cpu_time_total", row_limit=10)
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    assert '"aten::add"' in (tmp_path / "trace.json").read_text()
    y = x + x
    assert {e.key for e in p.key_averages()} == set(counts) and y.sum() == 32


def test_a_schedule_chooses_the_steps():
    seen = []
    x = ringgrad.ones(2)
    with profiler.profile(schedule=profiler.schedule(wait=1, warmup=1, active=2, repeat=1),
                          on_trace_ready=lambda p: seen.append([e.name for e in p.events()])) as p:
        for step in range(6):
            (x + step).exp() if step == 2 else x + step
            p.step()
    assert seen == [["aten::add", "aten::exp", "aten::add"]]


# -- tensorboard ----------------------------------------------------------------------------------------------------------


def test_tensorboard_reads_what_the_writer_wrote(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install 'ringgrad[examples]'")
    script = """
        from torch.utils.tensorboard import SummaryWriter
        with SummaryWriter("log") as w:
            w.add_scalar("loss", torch.tensor(1.5), 3)
            w.add_scalars("both", {"a": 1, "b": 2.0}, 1)
            w.add_histogram("h", torch.linspace(-1, 1, 100), 1)
            w.add_image("image", torch.rand(3, 8, 8))
            w.add_images("images", torch.rand(9, 1, 4, 4))
            w.add_text("text", "hello")
            w.add_hparams({"lr": 0.1, "name": "x", "flag": True}, {"acc": 1.0}, run_name="run")
            w.add_embedding(torch.rand(4, 3), metadata=list("abcd"), label_img=torch.rand(4, 3, 5, 5))
            w.add_pr_curve("pr", torch.tensor([0, 1, 1]), torch.tensor([0.2, 0.8, 0.4]))
            w.add_custom_scalars_multilinechart(["loss"])
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        a = EventAccumulator("log")
        a.Reload()
        print(sorted(a.Tags()["images"]), a.Tags()["scalars"], a.Tags()["histograms"], sorted(a.Tags()["tensors"]))
        s, h = a.Scalars("loss")[0], a.Histograms("h")[0].histogram_value
        print(s.step, s.value, h.num, round(h.sum, 5), round(h.sum_squares, 4), len(h.bucket) == len(h.bucket_limit), h.min, h.max)
        i = a.Images("images")[0]
        print(a.Images("image")[0].width, [round(float(x), 4) for x in a.Tensors("pr")[0].tensor_proto.float_val[:4]])
        import os
        print(sorted(n for n in os.listdir("log") if "tfevents" not in n), sorted(os.listdir("log/00000/default")))
    """
    assert printed(script, "ringgrad", tmp_path).splitlines() == [
        "['image', 'images'] ['loss'] ['h'] ['custom_scalars__config__', 'pr', 'text/text_summary']",
        "3 1.5 100.0 0.0 34.0067 True -1.0 1.0", "8 [2.0, 2.0, 2.0, 2.0]",
        "['00000', 'both_a', 'both_b', 'projector_config.pbtxt', 'run'] ['metadata.tsv', 'sprite.png', 'tensors.tsv']"]


@pytest.mark.torch
def test_events_are_those_that_torch_writes(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: make oracle")
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install 'ringgrad[examples]'")
    script = """
        import glob, shutil
        from torch.utils.tensorboard import SummaryWriter
        shutil.rmtree("log", ignore_errors=True)
        with SummaryWriter("log") as w:
            w.add_scalar("loss", torch.tensor(1.5), 3)
            w.add_histogram("h", torch.tensor([-2., -1, -1, 0, 0.5, 7]), 1)
            w.add_text("text", "hello", 2)
            w.add_pr_curve("pr", torch.tensor([0, 1, 1, 0]), torch.tensor([0.2, 0.8, 0.4, 0.45]), num_thresholds=9)
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
        from tensorboard.compat.proto.event_pb2 import Event
        for path in glob.glob("log/*"):
            for raw in RawEventFileLoader(path).Load():
                event = Event.FromString(raw)
                if event.HasField("summary"):
                    print(event.step, event.summary)
    """
    assert printed(script, "ringgrad", tmp_path) == printed(script, "torch", tmp_path)
