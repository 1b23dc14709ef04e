"""Data pipes: every row of pipe_rows under ringgrad and under torch gives the same values, the same errors and the same warnings."""
import importlib.util
import random
import sys
import warnings

import pytest

import ringgrad
import ringgrad.utils.data as data
import ringgrad.utils.data.datapipes.utils.snapshot

from . import pipe_rows
from .pipe_rows import FILES, GRAPHS, ITER, MAP, TYPES, argument_checked, double, is_even, kind_of_error, validated, wrap, write_files

WORDS_ARE_OURS = {"demux lengths", "unknown method"}  # the type is torch's, the words are not
ROWS = [(kind, name) for kind, rows in {"ITER": ITER, "MAP": MAP, "GRAPHS": GRAPHS, "TYPES": TYPES}.items() for name in rows]


def outcome(row, *args):
    """("value", it) or ("error", its type, its first line), and the kinds of warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = ("value", row(*args))
        except Exception as error:
            text = " ".join(str(error).split()).replace("torch.utils.data", "").replace("ringgrad.utils.data", "")
            result = ("error", type(error).__name__, text.split("This exception is")[0])
    return result, [(w.category.__name__, str(w.message)[:40]) for w in said]


def same(name, mine, other):
    (kind, *rest), said = mine
    (other_kind, *other_rest), other_said = other
    if name in WORDS_ARE_OURS and kind == "error":
        rest, other_rest = rest[:1], other_rest[:1]
    assert (kind, *rest) == (other_kind, *other_rest)
    assert said == other_said


@pytest.fixture(scope="module")
def oracle():
    pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    for name in ("backward_compatibility", "datapipes.utils.snapshot"):
        importlib.import_module(f"torch.utils.data.{name}")
    return sys.modules["torch.utils.data"]


@pytest.mark.torch
@pytest.mark.parametrize(("kind", "name"), ROWS, ids=[f"{k.lower()}: {n}" for k, n in ROWS])
def test_equal_torch(kind, name, oracle):
    row = getattr(pipe_rows, kind)[name]
    same(name, outcome(row, data, data), outcome(row, oracle, oracle))


@pytest.mark.torch
@pytest.mark.parametrize("name", FILES)
def test_files_equal_torch(name, oracle, tmp_path):
    pytest.importorskip("PIL.Image")
    folder = write_files(tmp_path)
    same(name, outcome(FILES[name], data, data, folder), outcome(FILES[name], oracle, oracle, folder))


VALIDATED = [
    ([1, "a"], None, [1, "a"]), ([1, 2], int, [1, 2]), ([1, "a"], int, ("RuntimeError", "Expected an instance as subtype of int, but found a")),
    ([(1, "a")], (int, str), [(1, "a")]), ([1], 3, ("TypeError", "'expected_type' must be a type")),
]


@pytest.mark.parametrize(("elements", "narrow", "expected"), VALIDATED, ids=[str(row[1]) + str(len(row[2])) for row in VALIDATED])
def test_elements_are_compared_with_the_type(elements, narrow, expected):
    """Not against torch, whose pipes have lost their type."""
    got = kind_of_error(validated, data, int, elements, narrow)
    assert got == expected if isinstance(expected, list) else got[0] == expected[0] and expected[1] in got[1]
    with data.runtime_validation_disabled():
        assert narrow == 3 or validated(data, int, elements, narrow) == elements


def test_arguments_are_compared_with_their_types():
    assert argument_checked(data, wrap(data, [1])) == "Takes"


def test_the_error_names_the_pipe():
    with pytest.raises(ValueError, match=r"no 1\nThis exception is thrown by __iter__ of MapperIterDataPipe\(datapipe=IterableWrapperIterDataPipe, "
                                         r"fn=throws, input_col=None, output_col=None\)$"):
        list(wrap(data, [1]).map(pipe_rows.throws).filter(is_even))


def test_orders_follow_manual_seed():
    def order(seed):
        ringgrad.manual_seed(seed)
        return list(wrap(data, range(50)).shuffle())
    assert order(1) == order(1) != order(2) and sorted(order(1)) == list(range(50))


def test_a_snapshot_goes_on_where_it_was():
    pipe = wrap(data, range(30)).shuffle(buffer_size=5).map(double)
    data.graph_settings.apply_random_seed(pipe, ringgrad.Generator().manual_seed(1))
    whole = list(pipe)
    data.datapipes.utils.snapshot._simple_graph_snapshot_restoration(pipe, 7, ringgrad.Generator().manual_seed(1))
    assert list(pipe) == whole[7:]
    data.datapipes.utils.snapshot._simple_graph_snapshot_restoration(pipe, 2)
    with pytest.raises(RuntimeError, match="Snapshot restoration cannot be applied"):
        data.datapipes.utils.snapshot._simple_graph_snapshot_restoration(pipe, 2)


def test_pipes_are_named_in_a_profile():
    from ringgrad.profiler import profile
    with profile() as p:
        list(wrap(data, range(3)).map(double))
    assert any(e.key.startswith("Mapper(") for e in p.key_averages())


# -- data frames -------------------------------------------------------------------------------------------------------

class Frame:
    """A small data frame: rows under names."""

    def __init__(self, rows, columns):
        self.rows, self.columns = [list(r) for r in rows], list(columns)

    def __len__(self):
        return len(self.rows)

    @property
    def index(self):
        return range(len(self))

    def __getitem__(self, key):
        if isinstance(key, slice):
            return Frame(self.rows[key], self.columns)
        return Column(r[self.columns.index(key)] for r in self.rows)

    def __setitem__(self, key, column):
        self.columns.append(key)
        self.rows = [[*r, x] for r, x in zip(self.rows, column)]

    @property
    def iloc(self):
        return [dict(zip(self.columns, r)) for r in self.rows]


class Column(list):
    def __add__(self, other):
        return Column(a + b for a, b in zip(self, other))

    def __mul__(self, number):
        return Column(a * number for a in self)

    def __gt__(self, number):
        return Column(a > number for a in self)


class FrameWrapper:
    """What pipes ask of a library of frames."""

    create_dataframe = Frame

    @staticmethod
    def is_dataframe(x):
        return isinstance(x, Frame)

    @staticmethod
    def is_column(x):
        return isinstance(x, Column)

    @staticmethod
    def iterate(x):
        return iter([tuple(r) for r in x.rows] if isinstance(x, Frame) else x)

    @staticmethod
    def concat(frames):
        return Frame([r for f in frames for r in f.rows], frames[0].columns)

    @staticmethod
    def get_item(frame, i):
        return frame[i:i + 1]

    @staticmethod
    def get_len(frame):
        return len(frame.rows)

    @staticmethod
    def get_columns(frame):
        return frame.columns


FRAMES = {
    "rows": lambda d: [f.rows for f in frames(d)],
    "tuples": lambda d: list(frames(d).trace_as_dataframe()),
    "a sum of columns": lambda d: list(summed(frames(d).trace_as_dataframe())),
    "operations": lambda d: [f.rows for f in summed(frames(d).trace_as_dataframe()).raw_iterator()],
    "columns": lambda d: summed(frames(d).trace_as_dataframe()).columns,
    "batches": lambda d: [list(b) for b in frames(d).trace_as_dataframe().batch(2)],
    "batches drop_last": lambda d: [len(b) for b in frames(d).trace_as_dataframe().batch(2)],
    "filtered rows": lambda d: list(frames(d).trace_as_dataframe().filter(lambda r: r["a"] > 1)),
    "filtered by a column": lambda d: [f.rows for f in frames(d).filter(lambda f: f["a"] > 1)],
    "shuffled": lambda d: random.seed(3) or list(frames(d).trace_as_dataframe().shuffle()),
    "groups": lambda d: [[r.rows for r in g] for g in frames(d).trace_as_dataframe().groupby(lambda f: f.rows[0][0] % 2)],
    "unbatched collation": lambda d: frames(d).trace_as_dataframe().collate(),
    "collated": lambda d: list(frames(d).batch(1).collate({"a": list, "b": sum})),
    "collated by unknown columns": lambda d: list(frames(d).batch(1).collate({"c": list})),
    "aggregated": lambda d: list(wrap(d, [(1, 2), (3, 4), (5, 6)])._to_dataframes_pipe(dataframe_size=2, columns=["a", "b"])),
    "written down": lambda d: str(summed(frames(d).trace_as_dataframe())).count("=") > 0,
}


def frames(d):
    return wrap(d, [Frame([(0, 10), (1, 11)], "ab"), Frame([(2, 12), (3, 13)], "ab"), Frame([(4, 14)], "ab")], deepcopy=False)


def summed(df):
    df["c"] = df["a"] + df["b"] * 2
    return df


@pytest.mark.torch
@pytest.mark.parametrize("name", FRAMES)
def test_frames_equal_torch(name, oracle):
    results = []
    for d in (data, oracle):
        wrapper = d.datapipes.dataframe.dataframe_wrapper
        before = wrapper.get_df_wrapper()
        wrapper.set_df_wrapper(FrameWrapper)
        try:
            results.append(outcome(FRAMES[name], d)[0])
        finally:
            wrapper.set_df_wrapper(before)
    assert results[0] == results[1]


def test_frames_without_pandas():
    if importlib.util.find_spec("pandas"):
        pytest.skip("pandas is installed")
    with pytest.raises(RuntimeError, match="DataFrames prototype requires pandas to function"):
        list(wrap(data, [1])._to_dataframes_pipe())
