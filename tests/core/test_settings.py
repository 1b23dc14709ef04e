"""Switches of the process, generators, dtypes of large unsigned integers, and what a missing thing says: as in torch where it has the same."""
import pytest

import ringgrad


def test_deterministic_debug_mode_is_the_other_switch_by_a_word():
    ringgrad.set_deterministic_debug_mode("warn")
    assert ringgrad.get_deterministic_debug_mode() == 1 and ringgrad.is_deterministic_algorithms_warn_only_enabled()
    ringgrad.set_deterministic_debug_mode(2)
    assert ringgrad.are_deterministic_algorithms_enabled() and not ringgrad.is_deterministic_algorithms_warn_only_enabled()
    ringgrad.set_deterministic_debug_mode("default")
    assert ringgrad.get_deterministic_debug_mode() == 0
    with pytest.raises(RuntimeError, match="expected 0, 1, or 2, but got 3"):
        ringgrad.set_deterministic_debug_mode(3)


def test_settings_are_reported_as_they_were_set():
    ringgrad.set_float32_matmul_precision("high")
    with pytest.warns(UserWarning, match="'highest', 'high', or 'medium'"):
        ringgrad.set_float32_matmul_precision("low")
    assert ringgrad.get_float32_matmul_precision() == "high"
    ringgrad.set_float32_matmul_precision("highest")
    before = ringgrad.get_num_threads(), ringgrad.get_num_interop_threads()
    assert min(before) > 0
    ringgrad.set_num_threads(3)
    assert ringgrad.get_num_threads() == 3
    ringgrad.set_num_threads(before[0])
    assert not ringgrad.set_flush_denormal(True) and not ringgrad.is_warn_always_enabled()
    ringgrad.set_warn_always(True)
    assert ringgrad.is_warn_always_enabled()
    ringgrad.set_warn_always(False)


def test_the_default_device_is_where_new_tensors_lie():
    ringgrad.set_default_device("cpu")
    assert ringgrad.get_default_device() == ringgrad.device("cpu") == ringgrad.ones(2).device
    ringgrad.set_default_device(None)
    with pytest.raises(RuntimeError, match="Expected one of"):
        ringgrad.set_default_device("abacus")


def test_a_cloned_generator_draws_the_same_numbers():
    g = ringgrad.Generator().manual_seed(5)
    twin = g.clone_state()
    assert ringgrad.equal(ringgrad.rand(4, generator=g), ringgrad.rand(4, generator=twin))
    assert ringgrad.random.default_generator is ringgrad.default_generator and ringgrad.thread_safe_generator() is None
    with pytest.raises(RuntimeError, match="does not use offset"):
        g.set_offset(4)


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_large_unsigned_integers_mix_with_floats_and_with_no_other_integers(name):
    kind = getattr(ringgrad, name)
    x = ringgrad.tensor([1, 2, 3], dtype=kind)
    assert x.dtype is kind and not kind.is_signed and (x * x).dtype is kind and (x + 0.5).dtype is ringgrad.float32
    assert x.sum().dtype is ringgrad.int64 and x.type() == f"ringgrad.{name[0].upper()}I{name[2:]}Tensor" and ringgrad.iinfo(kind).min == 0
    assert ringgrad.promote_types(kind, ringgrad.float16) is ringgrad.float16
    with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64 types is not supported"):
        x + ringgrad.tensor([1, 2, 3])
    with pytest.raises(TypeError, match="no place in this file format"):
        ringgrad.save(x, "never-written.pt")


def test_a_tensor_as_a_subclass_keeps_its_memory_and_history():
    class Named(ringgrad.Tensor):
        pass
    leaf = ringgrad.ones(3, requires_grad=True)
    x = leaf * 2
    named = x.as_subclass(Named)
    assert type(named) is Named and named.data_ptr() == x.data_ptr() and x.is_set_to(x) and not x.is_set_to(leaf)
    named.sum().backward()
    assert leaf.grad.tolist() == [2.0, 2.0, 2.0]


def test_out_takes_the_result_of_linalg_fft_and_special():
    x = ringgrad.eye(2, dtype=ringgrad.float64) * 2
    for function, dtype in ((ringgrad.linalg.inv, "float64"), (ringgrad.fft.fft, "complex128"), (ringgrad.special.erfcx, "float64")):
        out = ringgrad.empty(0, dtype=getattr(ringgrad, dtype))
        assert function(x, out=out) is out
        assert ringgrad.equal(out, function(x))
    values, vectors = ringgrad.empty(0, dtype=x.dtype), ringgrad.empty(0, dtype=x.dtype)
    ringgrad.linalg.eigh(x, out=(values, vectors))
    assert values.tolist() == [2.0, 2.0] and vectors.shape == (2, 2)
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        ringgrad.linalg.inv(x.requires_grad_(), out=ringgrad.empty(0, dtype=x.dtype))


def test_removed_names_say_where_to_look():
    for name, new in (("eig", "linalg.eig"), ("lstsq", "linalg.lstsq"), ("symeig", "linalg.eigh")):
        with pytest.raises(RuntimeError, match=f"now removed. Use ringgrad.{new}"):
            getattr(ringgrad, name)(ringgrad.eye(2))
    with pytest.raises(NotImplementedError, match="not nested"):
        ringgrad.ones(2).to_padded_tensor(0.0)
    with pytest.warns(UserWarning, match="volatile was removed"):
        assert ringgrad.ones(2).volatile is False


def test_storages_are_made_and_recognised_by_their_kind():
    typed = ringgrad.FloatStorage([1, 2, 3])
    assert isinstance(typed, ringgrad.FloatStorage) and isinstance(typed, ringgrad.TypedStorage) and not isinstance(typed, ringgrad.UntypedStorage)
    assert typed.tolist() == [1.0, 2.0, 3.0] and ringgrad.is_storage(typed) and ringgrad.LongStorage(4).size() == 4
    x = ringgrad.zeros(2, dtype=ringgrad.int64)
    assert x.storage_type() is ringgrad.LongStorage and isinstance(x.storage(), ringgrad.LongStorage)
    x.storage().fill_(7)
    assert x.tolist() == [7, 7] and isinstance(x.untyped_storage(), ringgrad.UntypedStorage) and x.untyped_storage().nbytes() == 16
    twin = typed.clone().copy_(ringgrad.DoubleStorage([4, 5, 6]))
    assert twin.tolist() == [4.0, 5.0, 6.0] and typed.tolist() == [1.0, 2.0, 3.0] and " 4.0\n 5.0\n 6.0\n[" in repr(twin)
    with pytest.raises(RuntimeError, match="size mismatch"):
        typed.copy_(ringgrad.FloatStorage(2))


def test_a_tensor_over_a_buffer_or_a_file_shares_its_bytes(tmp_path):
    memory = bytearray(range(8))
    x = ringgrad.frombuffer(memory, dtype=ringgrad.int16, count=2, offset=2)
    assert x.tolist() == [0x0302, 0x0504]
    memory[2] = 0
    assert x.tolist() == [0x0300, 0x0504]
    path = tmp_path / "numbers"
    path.write_bytes(bytes(8))
    ringgrad.from_file(str(path), shared=True, size=2, dtype=ringgrad.float32).fill_(1)
    assert path.read_bytes() == b"\x00\x00\x80?" * 2
    alone = ringgrad.from_file(str(path), size=2, dtype=ringgrad.float32)
    alone.fill_(5)
    assert alone.tolist() == [5.0, 5.0] and path.read_bytes() == b"\x00\x00\x80?" * 2
    with pytest.raises(RuntimeError, match="is smaller than the required mapping size"):
        ringgrad.from_file(str(path), size=99)
    with pytest.raises(RuntimeError, match="unable to open file"):
        ringgrad.from_file(str(tmp_path / "none"), size=1)


def test_layouts_and_memory_formats_are_of_their_types():
    assert isinstance(ringgrad.strided, ringgrad.layout) and isinstance(ringgrad.channels_last, ringgrad.memory_format)
    assert not isinstance(ringgrad.strided, ringgrad.memory_format)
