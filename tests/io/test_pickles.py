"""A zoo of pickles: everything that annotation files hold is read, everything that could do harm is
refused without running."""

import builtins
import functools
import operator
import os
import pickle
import runpy
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from vidsgg.errors import DataError
from vidsgg.io.pickles import load_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def load_bytes(tmp_path: Path, data: bytes):
    path = tmp_path / "annotations.pkl"
    path.write_bytes(data)
    return load_pickle(path)


def same(a, b) -> bool:
    if isinstance(a, np.ndarray | np.generic):
        return (
            type(a) is type(b) and a.dtype.newbyteorder("=") == b.dtype and a.shape == b.shape and np.array_equal(a, b)
        )
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


# ---- Opcodes, to write by hand what no pickler would write.


def glob(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def put(value) -> bytes:
    """Opcodes that push ``value``; a Raw is pushed as it is."""
    if isinstance(value, Raw):
        return value.code
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):  # the 8-bit string of Python 2
        return b"T" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(put, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(put, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(put(k) + put(v) for k, v in value.items()) + b"u"
    raise TypeError(value)


class Raw:
    def __init__(self, code: bytes) -> None:
        self.code = code


def call(function: bytes, *args) -> Raw:
    return Raw(function + put(args) + b"R")


def build(made: Raw, state) -> Raw:
    return Raw(made.code + put(state) + b"b")


def dtype(code="f4", state=(3, "<", None, None, None, -1, -1, 0)) -> Raw:
    return build(call(glob("numpy", "dtype"), code, 0, 1), state)


def array(shape=(2,), kind=None, data=b"\0" * 8, preset=(0,)) -> Raw:
    empty = call(glob("numpy.core.multiarray", "_reconstruct"), Raw(glob("numpy", "ndarray")), preset, "b")
    return build(empty, (1, shape, kind or dtype(), False, data))


def program(value: Raw) -> bytes:
    return b"\x80\x02" + value.code + b"."


# ---- What is read.

VALUES = {
    "plain": {"a": [1, -2, 3.5, True, None, 2**70], "b": ("x", b"y\xff", b"", "ü"), "c": {}, "d": [], "e": ()},
    "sets": [{1, 2}, frozenset("ab"), set(), 1 + 2j, bytearray(b"z\xfe"), bytearray()],
    "boxes": {"clip_000001": {"bbox": np.arange(8, dtype=np.float32).reshape(2, 4)}},
    "array": np.arange(6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    "empty array": np.zeros((0, 4), np.float32),
    "no axis": np.array(3.0),
    "bools": np.array([True, False]),
    "other byte order": np.array([1.5, -2.0], ">f4"),
    "complex array": np.array([1j, 2.0]),
    "texts": [np.array(["cup", "table"]), np.array([b"cup", b""])],
    "scalars": [np.float32(1.5), np.int64(-7), np.bool_(True), np.str_("cup"), np.str_(""), np.bytes_(b"")],
    "tuple of arrays": (np.zeros(2), (np.ones(3), "x"), [np.zeros(1)]),
    "dtype": np.dtype("float32"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_reads_what_python_and_numpy_write(tmp_path, value, protocol):
    data = pickle.dumps(value, protocol)
    read = load_bytes(tmp_path, data)
    assert same(value, read)
    if isinstance(read, np.ndarray):
        assert read.flags.writeable


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_reads_arrays_of_numpy_1_and_2(tmp_path, core):
    value = {"box": np.float32([1, 2]), "n": np.int64(4)}
    here = np.ones(1).__reduce__()[0].__module__.removesuffix(".multiarray")
    for protocol in range(4):
        data = pickle.dumps(value, protocol).replace(f"c{here}.".encode(), f"c{core}.".encode())
        assert same(load_bytes(tmp_path, data), value)
    frombuffer = put(f"{core}.numeric") + put("_frombuffer") + b"\x93"  # protocol 5
    data = np.float32([1, 2]).tobytes()
    assert same(load_bytes(tmp_path, program(call(frombuffer, data, dtype(), (2,), "C"))), value["box"])


def test_reads_python_2_files(tmp_path):
    raw = np.float32([1.5, -2.25]).tobytes()  # bytes over 0x7f: only Latin-1 keeps them
    py2 = build(
        call(glob("numpy.core.multiarray", "_reconstruct"), Raw(glob("numpy", "ndarray")), (0,), b"b"),
        (1, (2,), dtype(b"f4", (3, b"<", None, None, None, -1, -1, 0)), False, raw),
    )
    number = call(glob("numpy.core.multiarray", "scalar"), dtype(b"i8"), np.int64(-3).tobytes())
    things = call(glob("__builtin__", "set"), [b"cup"])
    read = load_bytes(tmp_path, program(Raw(put({b"box": py2, b"n": number, b"s": things}))))
    assert same(read, {"box": np.float32([1.5, -2.25]), "n": np.int64(-3), "s": {"cup"}})


def test_reads_protocol_0_as_python_2_wrote_it(tmp_path):
    assert load_bytes(tmp_path, b"(dp0\nS'cup'\np1\n(lp2\nI3\naL5L\nasS'n'\np3\nF0.5\ns.") == {"cup": [3, 5], "n": 0.5}


def test_shared_and_cyclic_values_stay_so(tmp_path):
    box = np.zeros(4)
    ring: list = [box]
    ring.append((ring, box))
    read = load_bytes(tmp_path, pickle.dumps({"a": box, "b": box, "ring": ring}))
    assert read["a"] is read["b"] is read["ring"][0] is read["ring"][1][1]
    assert read["ring"][1][0] is read["ring"]


# ---- What is refused.


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


CALLS = {
    "os.system": (os.system, "touch {marker}"),
    "eval": (eval, "open('{marker}', 'w')"),
    "exec": (exec, "open('{marker}', 'w')"),
    "getattr": (getattr, "x", "upper"),
    "open": (open, "{marker}", "w"),
    "import": (builtins.__import__, "os"),
    "subprocess": (subprocess.check_output, "touch {marker}"),
    "popen": (subprocess.Popen, "touch {marker}"),
    "partial": (functools.partial, print, "x"),
    "np.load": (np.load, "{marker}"),
    "np.fromfile": (np.fromfile, "{marker}"),
    "np.memmap": (np.memmap, "{marker}"),
    "np.zeros": (np.zeros, 10**15),
    "runpy": (runpy.run_path, "{marker}"),
    "methodcaller": (operator.methodcaller, "upper"),
    "attrgetter": (operator.attrgetter, "__class__"),
    "map": (map, print, ["x"]),
    "type": (type, "X", (), {}),
    "object": (object,),
    "path": (Path, "x"),
    "range": (range, 3),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("harm", CALLS.values(), ids=CALLS.keys())
def test_refuses_calls(tmp_path, harm, protocol):
    marker = tmp_path / "executed"
    function, *args = harm
    args = [a.format(marker=marker) if isinstance(a, str) else a for a in args]
    data = pickle.dumps({"boxes": [Calls(function, *args)]}, protocol)
    with pytest.raises(DataError, match=r"annotations\.pkl.*it was not executed"):
        load_bytes(tmp_path, data)
    assert not marker.exists()


HOSTILE = {
    "os.system by hand": call(glob("os", "system"), "exit 1"),
    "posix.system": call(glob("posix", "system"), "exit 1"),
    "eval of Python 2": call(glob("__builtin__", "eval"), "1"),
    "dotted name": call(Raw(put("numpy") + put("ndarray.tofile") + b"\x93").code, "x"),
    "dotted name in builtins": call(Raw(put("builtins") + put("bytes.fromhex") + b"\x93").code, "00"),
    "an old-style instance": Raw(b"(" + put("exit 1") + b"ios\nsystem\n"),
    "an object": Raw(b"(" + glob("os", "system") + put("exit 1") + b"o"),
    "another codec": call(glob("_codecs", "encode"), "x", "utf-8"),
    "codec rot13": call(glob("_codecs", "encode"), "x", "rot13"),
    "filled bytes": call(glob("builtins", "bytes"), 10**12),
    "filled bytearray": call(glob("builtins", "bytearray"), 10**12),
    "set of a text": call(glob("builtins", "set"), "abc"),
    "complex of a text": call(glob("builtins", "complex"), "1", "2"),
    "preset shape": array(preset=(10**9,)),
    "preset shape of another class": call(
        glob("numpy.core.multiarray", "_reconstruct"), Raw(glob("builtins", "set")), (0,), "b"
    ),
    "ndarray called": call(glob("numpy", "ndarray"), (10**9,)),
    "ndarray made by NEWOBJ": Raw(glob("numpy", "ndarray") + put((10**9,)) + b"\x81"),
    "object dtype": array(kind=dtype("O8"), data=[1, 2]),
    "structured dtype": array(kind=dtype("V8")),
    "dtype by list": array(kind=call(glob("numpy", "dtype"), [("a", "O")])),
    "dtype with fields": array(kind=dtype(state=(3, "<", None, ("a",), {"a": (dtype("f8"), 10**6)}, 8, 1, 0))),
    "dtype with subdtype": array(kind=dtype(state=(3, "<", (dtype(), (2**30,)), None, None, -1, -1, 0))),
    "dtype of another size": array(kind=dtype("S4", (3, "|", None, None, None, 10**6, 1, 0))),
    "huge shape": array(shape=(2**31, 2**31)),
    "negative shape": array(shape=(-1,)),
    "more shape than data": array(shape=(3,)),
    "datetime": array(kind=dtype("M8")),
    "array of another dtype object": array(kind=Raw(put("f4"))),
    "array data that is a list": array(data=[1, 2]),
    "scalar of a text": call(glob("numpy.core.multiarray", "scalar"), "f4", b"\0" * 4),
    "scalar that is too long": call(glob("numpy.core.multiarray", "scalar"), dtype(), b"\0" * 8),
    "numpy.load": call(glob("numpy", "load"), "x"),
    "numpy internals": call(glob("numpy.core.multiarray", "fromfile"), "x"),
    "persistent id": Raw(b"Pid\n"),
    "copyreg": call(glob("copyreg", "_reconstructor"), None, None, None),
    "array among the keys": Raw(b"}(" + array().code + b"Nu"),
    "our own function": call(glob("vidsgg.io.pickles", "load_pickle"), "x"),
    "out-of-band buffer": Raw(b"\x97"),
    "extension code": Raw(b"\x82\x01"),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_refuses_hostile_files(tmp_path, hostile):
    with pytest.raises(DataError, match=r"annotations\.pkl"):
        load_bytes(tmp_path, program(hostile))


def test_object_array_of_numpy_is_refused(tmp_path):
    for protocol in PROTOCOLS:
        with pytest.raises(DataError, match=r"dtype 'O8'"):
            load_bytes(tmp_path, pickle.dumps(np.array([None, "x"], object), protocol))


def test_names_what_was_refused(tmp_path):
    with pytest.raises(DataError, match=r"asks for os\.popen, .*If you trust the file"):
        load_bytes(tmp_path, program(call(glob("os", "popen"), "x")))


def test_alters_nothing_for_the_next_file(tmp_path):
    """A file may set attributes of the functions it is given; the next file gets new ones."""
    spoil = Raw(put((None, {"__defaults__": (1, 2, 3), "__doc__": "x"})))
    for module, name in [
        ("numpy", "dtype"),
        ("_codecs", "encode"),
        ("numpy.core.multiarray", "scalar"),
        ("builtins", "bytes"),
    ]:
        load_bytes(tmp_path, program(Raw(glob(module, name) + spoil.code + b"b")))
    assert same(load_bytes(tmp_path, program(array())), np.zeros(2, np.float32))
    with pytest.raises(DataError):
        load_bytes(tmp_path, program(call(glob("_codecs", "encode"), "x")))


# ---- Damaged files.


def test_every_cut_is_an_error_that_names_the_file(tmp_path):
    whole = pickle.dumps({"clip": [np.zeros((1, 4), np.float32), {"obj": "cup"}]}, 2)
    for end in range(len(whole)):
        with pytest.raises(DataError, match=r"annotations\.pkl"):
            load_bytes(tmp_path, whole[:end])


def test_flipped_bytes_never_crash(tmp_path):
    whole = pickle.dumps({"clip": [np.zeros((1, 4), np.float32), {"obj": "cup"}, np.int64(3)]}, 4)
    random, errors = np.random.default_rng(0), 0
    for _ in range(300):
        data = bytearray(whole)
        data[random.integers(len(data))] = random.integers(256)
        try:
            load_bytes(tmp_path, bytes(data))
        except DataError as error:
            errors += "annotations.pkl" in str(error)
    assert errors > 100


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"PK\x03\x04", b"\x89PNG\r\n", b"not a pickle\n"], ids=["empty", "json", "zip", "png", "text"]
)
def test_other_files_are_errors(tmp_path, data):
    why = "It may be cut short, or be another kind of file" if data else "It is empty"
    with pytest.raises(DataError, match=rf"annotations\.pkl: not a readable pickle\. {why}\. Get the file again\.$"):
        load_bytes(tmp_path, data)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"absent\.pkl: cannot be read"):
        load_pickle(tmp_path / "absent.pkl")
    with pytest.raises(DataError, match="is a folder, not a file"):
        load_pickle(tmp_path)


@pytest.mark.parametrize("store", [b"r\xff\xff\xff\x7f", b"p2147483647\n"], ids=["binary", "text"])
def test_a_place_far_out_in_the_memo_makes_no_table(tmp_path: Path, store: bytes) -> None:
    """The unpickler would make a table of so many places, 32 GB of them."""
    with pytest.raises(DataError, match="not a readable pickle"):
        load_bytes(tmp_path, b"\x80\x02N" + store + b".")


def test_numbers_that_look_like_places_in_the_memo_are_read(tmp_path: Path) -> None:
    array = np.frombuffer(b"r\xff\xff\xff\x7fp21474836470" * 3, np.uint8)
    assert same(load_bytes(tmp_path, pickle.dumps({"a": array}, protocol=2)), {"a": array})
