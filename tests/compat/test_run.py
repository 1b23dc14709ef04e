"""python -m ringgrad.compat: the program is the real __main__, and everything it starts sees the same torch."""
import subprocess
import sys

import pytest


def ok(result):
    code, out, err = result
    assert code == 0, err
    return out.splitlines()


def test_modules_are_the_very_same_objects(run_program):
    assert ok(run_program("""
        import torch, ringgrad, sys
        import torch.nn as nn, torch.nn.functional as F
        import torch.optim.lr_scheduler, torch.utils.data.dataloader
        from torch.optim.lr_scheduler import _LRScheduler, StepLR
        from torch.autograd import Variable
        assert torch.nn is nn is ringgrad.nn is sys.modules["torch.nn"]
        assert F is ringgrad.nn.functional is sys.modules["torch.nn.functional"]
        assert torch.Tensor is ringgrad.Tensor and issubclass(StepLR, _LRScheduler)
        assert sys.modules["torch"] is torch and torch.__name__ == "torch" and nn.__spec__.name == "ringgrad.nn"
        assert callable(torch.nn.utils.clip_grad_norm_) and torch.nn.parallel.DistributedDataParallel.__name__ == "DistributedDataParallel"
        import torch.nn.parallel.data_parallel
        assert callable(nn.parallel.data_parallel)          # a function and a module of the same name
        print(torch.ones(2).type(), torch.ones(2).dtype, torch.Size([2]))
    """)) == ["torch.FloatTensor torch.float32 torch.Size([2])"]


def test_version_as_programs_ask_for_it(run_program):
    assert ok(run_program("""
        import torch
        from torch import version
        assert torch.__version__ >= "1.4" and torch.__version__ > "1.13.1" and torch.__version__ < "3" and torch.__version__ > (2, 9)
        assert [int(x) for x in torch.__version__.split("+")[0].split(".")[:2]] >= [2, 0]
        assert (version.cuda is None or int(version.cuda.split('.')[0]) > 10) and torch.version.hip is None and isinstance(version.git_version, str)
        assert torch.__version__ == version.__version__ and isinstance(torch.__version__, str)
        assert "NumPy" in torch.__config__.show()
        from packaging.version import Version
        print(Version(torch.__version__).release, hasattr(torch, "__file__"), bool(torch.__path__))
    """)) == ["(2, 13, 0) True True"]


def test_the_program_is_the_real_main(run_program, tmp_path):
    lines = ok(run_program("""
        import sys, os, torch, pickle
        class Mine: pass
        assert pickle.loads(pickle.dumps(Mine())).__class__ is Mine
        print(__name__, sys.argv, os.path.basename(__file__), sys.path[0] == os.getcwd(), sys.modules["__main__"].Mine is Mine)
    """, "--epochs", "1"))
    assert lines == ["__main__ ['program.py', '--epochs', '1'] program.py True True"]


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(5)", 5), ("raise SystemExit", 0), ("os._exit(7)", 7), ("raise ValueError('so')", 1),
                                              ("os.kill(os.getpid(), 9)", -9)])
def test_exit_codes_are_the_programs(run_program, ending, code):
    assert run_program(f"import torch, sys, os\n{ending}\n")[0] == code


def test_a_traceback_is_the_programs_alone(run_program):
    _, _, err = run_program("""
        import torch
        def f():
            return torch.relux(torch.ones(2))
        f()
    """)
    assert err.count("File ") == 2 and "/compat/" not in err and "ringgrad.compat.MissingName: torch.relux" in err
    assert "torch.relux is not in ringgrad (asked for at" in err and "program.py:4)" in err and "torch.relu" in err


@pytest.mark.parametrize(("statement", "kind", "words"), [
    ("import torch.zork", "ModuleNotFoundError", "No module named 'torch.zork'"),
    ("from torch import zork", "ImportError", "cannot import name 'zork' from 'torch'"),
    ("from torch.nn.functional import reluz", "ImportError", "the nearest it has: torch.nn.functional.relu"),
    ("from torch.nn import Linaer", "ImportError", "the nearest it has: torch.nn.Linear"),
    ("torch.nn.functional.crossentropy", "AttributeError", "torch.nn.functional.cross_entropy"),
    ("torch.optim.lr_scheduler.StepLr", "AttributeError", "torch.optim.lr_scheduler.StepLR"),
    ("torch._config", "AttributeError", "torch._config is not in ringgrad"),
    ("torch.kernels", "AttributeError", "torch.kernels is not in ringgrad"),
])
def test_a_name_that_is_not_there(run_program, statement, kind, words):
    lines = ok(run_program(f"""
        import torch
        try:
            {statement}
        except {kind} as error:
            print(error)
    """))
    assert words in lines[0] and "program.py:4" in lines[0]


def test_asking_whether_a_name_is_there(run_program):
    assert ok(run_program("""
        import torch, importlib.util
        find = importlib.util.find_spec
        print(hasattr(torch, "zork"), getattr(torch.nn, "Zork", 3), find("torch.zork"), find("torch") is not None)
        try:
            from torch._zork import x
        except ImportError:
            print("another way")
    """)) == ["False 3 None True", "another way"]


def test_a_method_that_tensors_lack_is_explained_at_the_end(run_program):
    code, _, err = run_program("""
        import torch
        torch.ones(2).cudaz()
    """)
    assert code == 1 and "Tensor.cudaz is not in ringgrad (asked for at" in err and "Tensor.cuda" in err and "program.py:3" in err


def test_a_part_that_is_not_built_imports_and_refuses_when_used(run_program):
    assert ok(run_program("""
        import torch
        from torch.distributed.fsdp import FullyShardedDataParallel as FSDP, fully_shard
        import torch.distributed.rpc as rpc
        model = torch.nn.Linear(2, 2)
        print(isinstance(model, FSDP))
        for use in (lambda: FSDP(model), lambda: fully_shard(model), lambda: rpc.init_rpc("worker"), lambda: torch.ops.aten.add(1, 2)):
            try:
                use()
            except NotImplementedError as error:
                print(error)
    """))[:4] == ["False", "torch.distributed.fsdp.FullyShardedDataParallel is not built in ringgrad",
                  "torch.distributed.fsdp.fully_shard is not built in ringgrad", "torch.distributed.rpc.init_rpc is not built in ringgrad"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_see_the_same_torch(run_program, method):
    assert ok(run_program("""
        import sys
        import multiprocessing
        import torch
        from torch.utils.data import DataLoader, Dataset

        class Numbers(Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, i):
                import torch.nn.functional as F
                return F.relu(torch.tensor(float(i) - 1)), torch.__version__

        def child(queue):
            queue.put(torch.__version__)

        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            print([(x.tolist(), v[0]) for x, v in DataLoader(Numbers(), batch_size=2, num_workers=1, multiprocessing_context=context)])
            queue = context.Queue()
            process = context.Process(target=child, args=(queue,))
            process.start()
            print(queue.get(timeout=30))
            process.join()
    """, method)) == ["[([0.0, 0.0], '2.13.0+ringgrad'), ([1.0, 2.0], '2.13.0+ringgrad')]", "2.13.0+ringgrad"]


def test_a_script_that_the_program_starts_sees_it_too(run_program):
    assert ok(run_program("""
        import subprocess, sys
        subprocess.run([sys.executable, "-c", "import torch.nn as nn; print(nn.__name__)"], check=True)
    """)) == ["ringgrad.nn"]


def test_modules_and_packages_run_as_with_python_m(compat, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "helper.py").write_text("import torch\nvalue = torch.ones(2).sum().item()\n")
    (tmp_path / "pack" / "train.py").write_text("import sys\nfrom .helper import value\nprint(__name__, __package__, value, sys.argv[1:])\n")
    code, out, err = compat("-m", "pack.train", "--lr", "1")
    assert (code, out) == (0, "__main__ pack 2.0 ['--lr', '1']\n"), err


def test_ranks_through_the_launcher(tmp_path, plain_environment):
    (tmp_path / "train.py").write_text("""
import os, torch, torch.distributed as dist, torch.nn as nn
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo")
torch.manual_seed(0)
model = DistributedDataParallel(nn.Linear(3, 1, bias=False))
model(torch.full((2, 3), float(dist.get_rank()))).sum().backward()
print(torch.__version__, model.module.weight.grad.tolist(), dist.get_world_size(), flush=True)
dist.destroy_process_group()
""")
    for command in (["-m", "ringgrad.launch", "--as-torch"], ["-m", "ringgrad.compat", "-m", "torch.distributed.run"]):
        done = subprocess.run([sys.executable, *command, "--nproc-per-node", "2", "train.py"], cwd=tmp_path, env=plain_environment, text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert sorted(done.stdout.splitlines()) == [f"[rank{r}]: 2.13.0+ringgrad [[1.0, 1.0, 1.0]] 2" for r in (0, 1)]


def test_without_the_flag_the_launcher_leaves_torch_alone(tmp_path, plain_environment):
    (tmp_path / "see.py").write_text("import sys\nprint([p for p in sys.path if 'shadow' in p])\n")
    done = subprocess.run([sys.executable, "-m", "ringgrad.launch", "see.py"], cwd=tmp_path, env=plain_environment, text=True, capture_output=True,
                          timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_install_in_a_notebook(plain_environment, tmp_path):
    code = ("import ringgrad.compat; ringgrad.compat.install(); ringgrad.compat.install(); import torch.nn.functional as F, torch; "
            "print(F.relu(torch.tensor([-1., 2.])))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=plain_environment, text=True, capture_output=True, timeout=60)
    assert done.stdout == "tensor([0., 2.])\n", done.stderr


def test_a_torch_that_is_imported_already_is_left_alone(plain_environment, tmp_path):
    (tmp_path / "torch.py").write_text("mine = 1\n")
    code = ("import torch, sys; import ringgrad.compat\ntry:\n ringgrad.compat.install()\nexcept RuntimeError as e:\n print(e)\n"
            "print(sys.modules['torch'].mine, len([f for f in sys.meta_path if 'compat' in type(f).__module__]))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=plain_environment, text=True, capture_output=True, timeout=60)
    first, second = done.stdout.splitlines()
    assert first.startswith("torch is already imported here, from ") and second == "1 0"


def test_help_and_bad_command_lines(compat):
    code, out, _ = compat("--help")
    assert code == 0 and out.splitlines()[0].startswith("Run a program written for torch on ringgrad, unmodified")
    for arguments, words in (((), "usage"), (("--frob",), "no option --frob"), (("absent.py",), "no script absent.py"), (("-m",), "needs a module")):
        code, _, err = compat(*arguments)
        assert code == 2 and words in err


TRAIN = """
    import torch, torch.nn as nn, torch.nn.functional as F, torch.optim as optim
    from torch.utils.data import DataLoader, TensorDataset
    g = torch.Generator().manual_seed(0)
    class Net(nn.Module):
        def __init__(self):
            super(Net, self).__init__()
            self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 3)
        def forward(self, x):
            return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)
    net = Net()
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(torch.linspace(-1, 1, p.numel()).view_as(p) / (i + 1))
    x = torch.sin(torch.arange(80.)).view(20, 4)
    y = torch.arange(20) % 3
    opt = optim.Adam(net.parameters(), lr=0.02)
    sched = optim.lr_scheduler.StepLR(opt, 3, gamma=0.5)
    for epoch in range(6):
        for a, b in DataLoader(TensorDataset(x, y), batch_size=5):
            opt.zero_grad()
            loss = F.nll_loss(net(a), b)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
        sched.step()
        print("%.4f" % loss.item())
    torch.save({"model": net.state_dict(), "optimizer": opt.state_dict(), "epoch": epoch}, "out_%s.pt" % torch.__version__.split("+")[1][:4])
    print(sorted(torch.load("out_%s.pt" % torch.__version__.split("+")[1][:4])["model"]))
"""


@pytest.mark.torch
def test_a_training_program_prints_the_same_under_both(run_program):
    pytest.importorskip("torch", reason="PyTorch is not installed: make oracle")
    assert ok(run_program(TRAIN)) == ok(run_program(TRAIN, under="torch"))


@pytest.mark.torch
def test_an_installed_torch_does_not_shadow_ringgrad(run_program):
    pytest.importorskip("torch", reason="PyTorch is not installed: make oracle")
    assert ok(run_program("""
        import sys, torch, torch.nn, torch.utils.data
        files = [getattr(m, "__file__", None) or "" for name, m in sys.modules.items() if name.startswith("torch.")]
        print(torch.__version__, [f for f in files if "site-packages/torch/" in f])
    """)) == ["2.13.0+ringgrad []"]


def test_what_libraries_reach_for_in_torchs_own_files(run_program):
    assert ok(run_program("""
        import torch, warnings
        import torch._subclasses.fake_tensor as fake
        from torch.fx.experimental.proxy_tensor import get_proxy_mode
        from torch.nn.modules.transformer import _get_activation_fn, _get_clones
        assert torch.torch is torch and isinstance(torch.ones(2), torch.torch.Tensor)
        assert torch.distributed.ReduceOp.RedOpType is type(torch.distributed.ReduceOp.SUM)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        assert not fake.is_fake(torch.ones(2)) and get_proxy_mode() is None
        assert _get_activation_fn("gelu") is torch.nn.functional.gelu and len(_get_clones(torch.nn.Linear(1, 1), 3)) == 3
        seen = []
        torch.func.vmap(lambda x: seen.append(torch._C._are_functorch_transforms_active()) or x + 1)(torch.ones(3))
        print(seen[0], torch._C._are_functorch_transforms_active())
    """)) == ["True False"]


def test_torchvisions_files_are_found_by_their_paths(run_program):
    pytest.importorskip("PIL", reason="Pillow, an optional library, is not installed")
    assert ok(run_program("""
        import torchvision
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
        from torchvision.ops.giou_loss import generalized_box_iou_loss
        from torchvision.datasets.svhn import SVHN
        from torchvision.datasets.coco import CocoDetection
        from torchvision.models._api import WeightsEnum, register_model
        from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
        from torchvision.models.detection.rpn import AnchorGenerator
        from torchvision.models.segmentation.deeplabv3 import DeepLabHead
        from torchvision.models.video import r3d_18
        assert SVHN is torchvision.datasets.SVHN and torchvision.models.get_model_builder("r3d_18") is r3d_18
        print(torchvision.models.detection.FasterRCNN_ResNet50_FPN_Weights.DEFAULT)
    """)) == ["FasterRCNN_ResNet50_FPN_Weights.COCO_V1"]


def test_functorch_comes_along(run_program):
    assert ok(run_program("""
        import functorch, torch
        model = torch.nn.Linear(2, 1)
        function, parameters = functorch.make_functional(model)
        grads = functorch.grad(lambda p, x: function(p, x).sum())(parameters, torch.ones(3, 2))
        print([tuple(g.shape) for g in grads], functorch.vmap is torch.func.vmap)
        models = [torch.nn.Linear(2, 1) for _ in range(3)]
        f, p, b = functorch.combine_state_for_ensemble(models)
        print(tuple(functorch.vmap(f, (0, 0, None))(p, b, torch.ones(4, 2)).shape))
    """)) == ["[(1, 2), (1,)] True", "(3, 4, 1)"]


def test_the_configuration_is_an_attribute_and_a_module(run_program):
    assert ok(run_program("""
        import torch
        text = torch.__config__.show()
        import torch.__config__ as config
        print(isinstance(text, str), config is torch.__config__)
    """)) == ["True True"]
