"""Where compiled code is kept."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import funksvd
from funksvd.kernels import cache_folder, compiling, telling_of_compilation

TRAIN = """
from funksvd import FunkSVD, Ratings
FunkSVD(n_factors=2).fit(Ratings.from_arrays([1, 2], [1, 2], [1, 2]))
"""
IMPORT_ALL = """
import importlib, pkgutil
import funksvd, funksvd_cli
for package in (funksvd, funksvd_cli):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from funksvd.kernels.compiling import KERNELS
assert len(KERNELS) > 10
print([kernel.__name__ for kernel in KERNELS if kernel.signatures])
"""


@pytest.fixture
def no_folder(monkeypatch):
    """There is none to keep compiled code in, so that all is compiled anew."""
    monkeypatch.setattr(compiling, "_folders", lambda *_: ([], None))
    monkeypatch.setattr(compiling, "KERNELS", [])


@pytest.fixture
def double(monkeypatch, tmp_path):
    """Make a kernel that has not been called, as a new process does; its code is in `tmp_path`."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def double(x):
        return 2 * x

    return lambda: compiling.compiled(double)


def is_compiled(kernel):
    """Call a kernel that doubles a number; whether it was compiled, and not found."""
    told = []
    with telling_of_compilation(told.append):
        assert kernel(21) == 42
    return bool(told)


@pytest.mark.parametrize("kernel", compiling.KERNELS, ids=lambda kernel: kernel.__name__)
def test_it_is_kept_in_the_users_folder_and_not_in_the_package(kernel):
    assert kernel._cache.cache_path == cache_folder()
    assert Path(funksvd.__file__).parent not in Path(cache_folder()).parents


def test_nothing_is_compiled_at_import():
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_what_needs_a_blas_finds_it():
    from numba.np import arraymath, linalg

    assert arraymath._HAVE_BLAS
    assert arraymath.ensure_blas is linalg.ensure_blas
    assert linalg.ensure_blas.__module__ == linalg.__name__

    @numba.njit
    def product(a, b):
        return a @ b

    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(product(a, a.T), a @ a.T)


def test_a_later_process_finds_it(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    written = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", TRAIN], check=True, env=environment)
        written.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")})
    assert written[0]
    assert written[0] == written[1]


@pytest.mark.parametrize("inner", ["inner", "sub.inner"])
def test_a_change_in_another_kernels_file_is_noticed(tmp_path, inner):
    inner_file = tmp_path / (inner.replace(".", "/") + ".py")
    inner_file.parent.mkdir(exist_ok=True)
    (tmp_path / "outer.py").write_text(
        "from funksvd.kernels.compiling import compiled\n"
        f"from {inner} import step\n"
        "@compiled\n"
        "def twice(x):\n"
        "    return step(step(x))\n"
        "print(twice(1))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for by in (1, 10):
        inner_file.write_text(
            "from funksvd.kernels.compiling import compiled\n"
            "@compiled\n"
            "def step(x):\n"
            f"    return x + {by}\n"
        )
        result = subprocess.run(
            [sys.executable, "outer.py"], cwd=tmp_path, env=environment, capture_output=True
        )
        assert int(result.stdout) == 1 + 2 * by, result.stderr
    assert list(tmp_path.rglob("*.twice*.nbc"))


def test_what_was_compiled_for_a_class_that_is_gone_is_out_of_date(tmp_path):
    program = (
        "from typing import NamedTuple\n"
        "from funksvd.kernels.compiling import compiled\n"
        "class {name}(NamedTuple):\n"
        "    by: int\n"
        "@compiled\n"
        "def add(x, step):\n"
        "    return x + step.by\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("Step", "Stride"):
        (tmp_path / "steps.py").write_text(program.format(name=name))
        call = f"import steps; print(steps.add(1, steps.{name}(2)))"
        result = subprocess.run(
            [sys.executable, "-c", call], cwd=tmp_path, env=environment, capture_output=True
        )
        assert result.stdout == b"3\n", result.stderr
    assert list(tmp_path.rglob("steps.add*.nbc"))


def test_what_a_kernel_is_made_of_are_all_files_of_the_package():
    for kernel in compiling.KERNELS:
        folder = Path(kernel.py_func.__code__.co_filename).resolve().parent
        assert compiling._sources_of(folder) == Path(compiling.__file__).resolve().parent


def test_without_any_folder_it_compiles_all_the_same(no_folder):
    double = compiling.compiled(lambda x: 2 * x)
    assert double(21) == 42
    assert cache_folder() is None


def test_compilation_is_told_of_once_and_not_its_parts(no_folder):
    def step(x):
        return x + 1

    inner = compiling.compiled(step)

    def twice(x):
        return inner(inner(x))

    outer = compiling.compiled(twice)
    told = []
    with telling_of_compilation(told.append):
        outer(1)
        outer(2)
        assert told == ["twice"]
        outer(1.5)
        inner(1.5)  # compiled as a part of the other
    inner(1j)  # after that
    assert told == ["twice", "twice"]


def test_a_full_disk_does_no_harm(monkeypatch, double):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(compiling, "replacing", full)
    assert is_compiled(double())


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: bytes(len(data)),
        lambda data: np.random.default_rng(0).bytes(len(data)),
        lambda data: data.replace(b"numba", b"lumba"),
        lambda data: data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:],
    ],
    ids=["empty", "half-written", "zeros", "random", "a class that is gone", "a bit"],
)
def test_damaged_code_is_compiled_again_and_replaced(double, tmp_path, damage):
    assert is_compiled(double())
    assert not is_compiled(double())
    files = list(tmp_path.rglob("*.nb?"))
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    assert is_compiled(double())
    assert not is_compiled(double())
    assert list(tmp_path.rglob("*.nb?")) == files


def test_right_checksum_and_wrong_content(double, tmp_path):
    """It was pickled by a program that has other classes, or for other arguments."""
    kernel = double()
    assert is_compiled(kernel)
    (file,) = tmp_path.rglob("*.nbc")
    for code in (b"cnowhere\nGone\n.", pickle.dumps(("another key", ()))):
        file.write_bytes(kernel._cache._checksum(code) + code)
        assert is_compiled(double())
        assert not is_compiled(double())


def test_a_folder_in_the_place_of_code_is_left_there(double, tmp_path):
    assert is_compiled(double())
    (file,) = tmp_path.rglob("*.nbc")
    file.unlink()
    file.mkdir()
    assert is_compiled(double())
    assert file.is_dir()


def test_a_folder_that_cannot_be_written_to_is_read(double, monkeypatch, tmp_path):
    """Another user has filled it, when a container was built."""
    assert is_compiled(double())

    def make(dir):
        if tmp_path in dir.parents:
            raise PermissionError
        return io.BytesIO()

    compiling._folders.cache_clear()
    monkeypatch.setattr(compiling.tempfile, "TemporaryFile", make)
    kernel = double()
    compiling._folders.cache_clear()
    assert not is_compiled(kernel)
    assert not kernel._cache.cache_path.startswith(str(tmp_path))


def test_portable_code_is_found_without_any_setting(tmp_path):
    features = numba.core.codegen.get_host_cpu_features().split(",")
    if compiling.IS_X86 and not set(features) >= compiling.PORTABLE_FEATURES:
        pytest.skip("this processor is too old for portable code")
    (tmp_path / "doubling.py").write_text(
        "from funksvd.kernels.compiling import compiled, telling_of_compilation\n"
        "@compiled\n"
        "def double(x):\n"
        "    return 2 * x\n"
        "with telling_of_compilation(print):\n"
        "    print(double(21))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    printed = [
        subprocess.run(
            [sys.executable, "doubling.py"],
            cwd=tmp_path,
            env=environment | settings,
            capture_output=True,
            text=True,
        ).stdout
        for settings in (compiling.PORTABLE, {}, {"NUMBA_CPU_NAME": "nocona"})
    ]
    assert printed == ["double\n42\n", "42\n", "double\n42\n"]
