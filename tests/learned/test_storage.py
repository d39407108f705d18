"""The model file: exact, reproducible, and never believed."""

import hashlib
import json
import os
import pickle
import stat
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from funksvd import FunkSVD, ModelFileError
from funksvd.errors import ModelWriteError
from funksvd.learned import storage
from funksvd.learned.storage import SavedModel, read_model, write_model
from funksvd.objectives.parameters import Parameters
from funksvd.ratings.compressed import CompressedRows

INTEGER_IDS = (np.array([-5, 3, 2**62]), np.array([0, 7, 8, 900]))
TEXT_IDS = (
    np.array(["007", "a b", "żółw"], dtype=object),
    np.array(["7", "x,y", "千と千尋", "🎬"], dtype=object),
)


def small_model(ids=INTEGER_IDS, seen=True):
    """Three users, four items, two factors."""
    generator = np.random.default_rng(0)
    shapes = ((3,), (4,), (3, 2), (4, 2))
    arrays = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    pairs = (None, None)
    if seen:
        users, items = np.array([0, 0, 2], np.int32), np.array([1, 3, 0], np.int32)
        nobody = np.array([], np.int32)
        pairs = (
            CompressedRows.from_pairs(users, items, 3),
            CompressedRows.from_pairs(nobody, nobody, 3),
        )
    info = {"rating_scale": [1.0, 5.0], "history": [0.1, None], "name": "é"}
    return SavedModel(Parameters(3.5, *arrays), *ids, *pairs, info)


@pytest.fixture
def path(tmp_path):
    """A small model file."""
    write_model(tmp_path / "model.funksvd", small_model(TEXT_IDS))
    return tmp_path / "model.funksvd"


def message_of(path):
    """The message of the one error that reading the file is allowed to raise."""
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    message = str(caught.value)
    assert str(path) in message
    return message


# -- round trip ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [INTEGER_IDS, TEXT_IDS])
@pytest.mark.parametrize("seen", [True, False])
def test_a_model_comes_back_as_it_was(tmp_path, ids, seen):
    model = small_model(ids, seen)
    write_model(tmp_path / "m", model)
    back = read_model(tmp_path / "m")
    assert back.info == model.info
    assert back.parameters.global_mean == 3.5
    for ref, comp in zip(model.parameters[1:], back.parameters[1:], strict=True):
        assert comp.dtype == np.float32
        np.testing.assert_array_equal(comp, ref)
    for ref, comp in ((model.user_ids, back.user_ids), (model.item_ids, back.item_ids)):
        assert comp.dtype == ref.dtype
        assert comp.tolist() == ref.tolist()
    for ref, comp in ((model.seen, back.seen), (model.held_out, back.held_out)):
        if not seen:
            assert comp is None
            continue
        for ref_array, comp_array in zip(ref[:2], comp[:2], strict=True):
            assert comp_array.dtype == ref_array.dtype
            np.testing.assert_array_equal(comp_array, ref_array)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_model(tmp_path / name, small_model(TEXT_IDS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    other = small_model(TEXT_IDS)
    other.parameters.user_factors[0, 0] += 1
    write_model(tmp_path / "c", other)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_numpy_scalars_from_a_parameter_grid_are_saved_as_numbers(tmp_path):
    model = small_model()
    model.info["hyperparameters"] = {"n_factors": np.int64(8), "reg": np.float32(0.5)}
    write_model(tmp_path / "m", model)
    assert read_model(tmp_path / "m").info["hyperparameters"] == {"n_factors": 8, "reg": 0.5}


def test_loaded_arrays_can_be_changed_without_changing_the_file(path):
    before = path.read_bytes()
    read_model(path).parameters.user_factors[:] = 0
    assert path.read_bytes() == before


# -- files that are not what they should be --------------------------------------------------------


def test_a_file_cut_short_anywhere_is_one_clear_error(path, tmp_path):
    whole = path.read_bytes()
    cut = tmp_path / "cut"
    for length in {*range(0, 40), *range(40, len(whole), 37), len(whole) - 1}:
        cut.write_bytes(whole[:length])
        assert "restore a copy" in message_of(cut), length


def test_a_longer_file_is_an_error(path):
    path.write_bytes(path.read_bytes() + b"\0")
    message_of(path)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_anywhere_is_one_clear_error(path, tmp_path, mask):
    whole = path.read_bytes()
    flipped = tmp_path / "flipped"
    for at in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[at] ^= mask
        flipped.write_bytes(changed)
        assert len(message_of(flipped)) < 600, at


def test_foreign_files(tmp_path):
    foreign = tmp_path / "foreign"
    contents = {
        "text": b"userId,movieId,rating\n1,2,3\n",
        "zip": b"PK\x03\x04" + bytes(100),
        "header far too long": b"\xff" * 64,
        "pickle": pickle.dumps({"a": 1}),
        "NumPy": b"\x93NUMPY\x01\x00" + bytes(100),
        "empty": b"",
    }
    for name, content in contents.items():
        foreign.write_bytes(content)
        assert "not a model file" in message_of(foreign), name


def test_a_pickle_is_not_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    (tmp_path / "m").write_bytes(pickle.dumps(Evil()))
    message_of(tmp_path / "m")
    assert not (tmp_path / "evil").exists()


def test_another_safetensors_file(tmp_path):
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "m")
    assert "not one written by funksvd" in message_of(tmp_path / "m")
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "m", {"format": "pt"})
    assert "not one written by funksvd" in message_of(tmp_path / "m")


def test_a_folder_and_a_missing_file(tmp_path):
    assert "is a folder" in message_of(tmp_path)
    assert "no such model file" in message_of(tmp_path / "nothing")


def test_a_file_that_may_not_be_read(path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("safetensors.safe_open", refuse)  # the superuser may read everything
    assert "cannot be read: Permission denied" in message_of(path)


def test_a_later_format_says_so(path):
    write_altered(path, info={"format_version": storage.FORMAT_VERSION + 1})
    message = message_of(path)
    assert f"format {storage.FORMAT_VERSION + 1}" in message
    assert "use the version that wrote it" in message


# -- files that someone has made with care: the checksum is right ----------------------------------


def write_altered(path, tensors=None, info=None, drop=()):
    """Write the file again with some tensors and entries replaced, and a checksum that fits."""
    arrays = {**load_file(path), **(tensors or {})}
    arrays = {name: array for name, array in arrays.items() if name not in drop}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    plain = {**json.loads(header["__metadata__"]["funksvd"]), **(info or {})}
    plain = {name: value for name, value in plain.items() if name not in {"sha256", *drop}}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    plain["sha256"] = digest.hexdigest()
    save_file(arrays, path, {"funksvd": json.dumps(plain, sort_keys=True)})


def test_the_checksum_of_these_tests_is_right(path):
    write_altered(path)
    read_model(path)


DRAWS = {
    "draws.global_means": np.array([3.5, 3.6]),
    "draws.user_biases": np.zeros((3, 2), np.float32),
    "draws.item_biases": np.zeros((4, 2), np.float32),
}


def test_draws_come_back_as_they_were(path):
    write_altered(path, DRAWS)
    draws = read_model(path).draws
    for ref, comp in zip(DRAWS.values(), draws, strict=True):
        assert comp.dtype == ref.dtype
        np.testing.assert_array_equal(comp, ref)
    assert read_model(path).parameters.user_factors.shape == (3, 2)  # a factor for each draw


INT64_MAX = 2**63 - 1
MALICIOUS = {
    "indptr beyond the items": {"seen.indptr": np.array([0, 10**6, 10**6, 3])},
    "indptr ends beyond the items": {"seen.indptr": np.array([0, 2, 2, 1000])},
    "indptr backwards": {"seen.indptr": np.array([0, 3, 2, 3])},
    "indptr negative": {"seen.indptr": np.array([0, -1, 2, 3])},
    "indptr does not start at 0": {"seen.indptr": np.array([1, 2, 2, 3])},
    "indptr whose differences overflow": {
        "seen.indptr": np.array([0, INT64_MAX, -2, 3]),
    },
    "indptr too short": {"seen.indptr": np.array([0, 3])},
    "indptr empty": {"seen.indptr": np.array([], np.int64)},
    "indptr of floats": {"seen.indptr": np.array([0.0, 2, 2, 3])},
    "indptr of two dimensions": {"seen.indptr": np.array([[0], [2], [2], [3]])},
    "items beyond the items": {"seen.items": np.array([1, 4, 0], np.int32)},
    "items negative": {"held_out.items": np.array([-1], np.int32)},
    "items of another type": {"seen.items": np.array([1, 3, 0])},
    "offsets beyond the text": {"user_ids.offsets": np.array([0, 3, 6, 10**6])},
    "offsets backwards": {"user_ids.offsets": np.array([0, 13, 3, 13])},
    "offsets negative": {"user_ids.offsets": np.array([0, -2, 6, 13])},
    "offsets inside a character": {"user_ids.offsets": np.array([0, 3, 7, 13])},
    "offsets empty": {"user_ids.offsets": np.array([], np.int64)},
    "not UTF-8": {"user_ids.utf8": np.full(13, 0xFF, np.uint8)},
    "an id twice": {"user_ids": np.array([1, 1, 2])},
    "ids not ascending": {"user_ids": np.array([1, 3, 2])},
    "ids of floats": {"user_ids": np.array([1.0, 2.0, 3.0])},
    "ids of two dimensions": {"user_ids": np.array([[1], [2], [3]])},
    "too many ids": {"user_ids": np.arange(4)},
    "too few rows": {"user_factors": np.zeros((2, 2), np.float32)},
    "factors of different length": {"item_factors": np.zeros((4, 3), np.float32)},
    "factors of one dimension": {"user_factors": np.zeros(6, np.float32)},
    "factors without dimension": {"user_factors": np.zeros((), np.float32)},
    "factors in float64": {"user_factors": np.zeros((3, 2))},
    "NaN among the factors": {"item_factors": np.full((4, 2), np.nan, np.float32)},
    "infinity among the biases": {"user_biases": np.array([0, np.inf, 0], np.float32)},
    "NaN as the mean": {"global_mean": np.array([np.nan])},
    "no mean": {"global_mean": np.array([])},
    "a mean without dimension": {"global_mean": np.array(3.0)},
    "a mean of integers": {"global_mean": np.array([3])},
    "more draws than factors": DRAWS | {"draws.global_means": np.zeros(3)},
    "a single draw": DRAWS | {"draws.global_means": np.zeros(1)},
    "no draws": DRAWS | {"draws.global_means": np.zeros(0)},
    "draws of too few users": DRAWS | {"draws.user_biases": np.zeros((2, 2), np.float32)},
    "draws in float64": DRAWS | {"draws.item_biases": np.zeros((4, 2))},
    "NaN among the draws": DRAWS | {"draws.user_biases": np.full((3, 2), np.nan, np.float32)},
    "draws without biases": {"draws.global_means": np.array([np.inf, 0.0])},
}


@pytest.mark.parametrize("tensors", MALICIOUS.values(), ids=MALICIOUS.keys())
def test_a_crafted_file_is_refused(path, tensors):
    write_altered(path, tensors)
    assert "damaged or was altered" in message_of(path)


@pytest.mark.parametrize(
    "name",
    ["global_mean", "user_factors", "seen.items", "user_ids.utf8", "item_ids.offsets"],
)
def test_a_missing_tensor_is_named(path, name):
    write_altered(path, drop=[name])
    message = message_of(path)
    assert "damaged or was altered" in message
    assert name in message


def rewrite_metadata(path, text):
    save_file(load_file(path), path, {"funksvd": text})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '"text"', "{}", '{"format_version": 1}', "[" * 100_000]
)
def test_crafted_metadata_is_refused(path, text):
    rewrite_metadata(path, text)
    message_of(path)


def test_a_tensor_that_is_not_aligned_is_refused(tmp_path):
    """Written by hand: save_file always aligns."""
    tensors = {"user_ids": np.arange(3), "odd": np.zeros(1, np.uint8)}
    header, data = {"__metadata__": {"funksvd": "{}"}}, b""
    for name in ("odd", "user_ids"):
        array = tensors[name]
        kind = {"uint8": "U8", "int64": "I64"}[array.dtype.name]
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    (tmp_path / "m").write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    mapped = storage._map_tensors(np.fromfile(tmp_path / "m", np.uint8))
    with pytest.raises(ValueError, match="user_ids is not an aligned"):
        storage._expect(mapped, "user_ids", np.int64)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sample):
    """A model file as `FunkSVD.save` writes it."""
    path = tmp_path_factory.mktemp("trained") / "model.funksvd"
    FunkSVD(n_factors=4, n_epochs=2).fit(sample).save(path)
    return path


@pytest.mark.parametrize(
    "info",
    [
        {"hyperparameters": {"n_factors": "many"}},
        {"hyperparameters": None},
        {"rating_scale": [1]},
        {"rating_scale": [float("nan"), 5]},
        {"rating_scale": "ab"},
        {"history": [{"epoch": 1}]},
        {"history": []},
        {"best_epoch": 99},
        {"best_epoch": "1"},
        {"rating_spread": 0},
        {"rating_spread": float("inf")},
        {"reg_used": -1},
        {"provenance": {"ratings": None}},
        {"provenance": 3},
    ],
    ids=str,
)
def test_crafted_information_is_refused(trained, tmp_path, info):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    write_altered(path, info=info)
    with pytest.raises(ModelFileError, match="damaged or was altered") as caught:
        FunkSVD.load(path)
    assert str(path) in str(caught.value)


def test_an_unknown_hyperparameter_is_named(trained, tmp_path):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    write_altered(path, info={"hyperparameters": {"n_factors": 4, "from_later": 1}})
    with pytest.raises(ModelFileError) as caught:
        FunkSVD.load(path)
    ref = f"{path}: unknown hyperparameter 'from_later': written by a newer version?"
    assert str(caught.value) == ref


@pytest.mark.parametrize(
    "name",
    [
        "hyperparameters",
        "rating_scale",
        "rating_spread",
        "history",
        "best_epoch",
        "n_ratings",
        "provenance",
    ],
)
def test_missing_information_is_refused(trained, tmp_path, name):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    write_altered(path, drop=[name])
    with pytest.raises(ModelFileError, match=f"{name}.* is missing"):
        FunkSVD.load(path)


@pytest.mark.parametrize(
    ("implicit_factors", "message"),
    [
        (np.zeros((3, 2), np.float32), r"implicit_factors has the shape \(3, 2\), not \(4, 2\)"),
        (np.zeros((4, 2)), "implicit_factors is not an aligned array of float32"),
        (np.full((4, 2), np.nan, np.float32), "implicit_factors holds values that are not finite"),
    ],
)
def test_implicit_factors_that_do_not_fit_are_refused(tmp_path, implicit_factors, message):
    model = small_model()
    model.implicit_factors = implicit_factors
    write_model(tmp_path / "m", model)
    with pytest.raises(ModelFileError, match=message):
        read_model(tmp_path / "m")


# -- writing ---------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelWriteError, match="cannot write the model: No such file"):
        write_model(tmp_path / "nowhere" / "m", small_model())


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_model(tmp_path / "m", small_model())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640


def test_a_symbolic_link_keeps_its_target(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_model(tmp_path / "link", small_model())
    assert (tmp_path / "link").is_symlink()
    read_model(tmp_path / "target")


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_file(trained, tmp_path):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    done = run(
        """
        import resource, sys
        from funksvd import FunkSVD
        model = FunkSVD.load(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            model.save(sys.argv[1])
        except ValueError as error:
            print(type(error).__name__, error)
        """,
        path,
    )
    assert done.stdout.startswith(f"ModelWriteError {path}: cannot write the model"), done.stderr
    assert "File too large" in done.stdout
    assert path.read_bytes() == trained.read_bytes()
    assert os.listdir(tmp_path) == ["model.funksvd"]


def test_a_kill_in_mid_save_leaves_the_old_file(trained, tmp_path):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    done = run(
        """
        import os, signal, sys
        import safetensors.numpy
        from funksvd import FunkSVD

        def save_half(tensors, target, metadata):
            whole = safetensors.numpy.save(tensors, metadata)
            with open(target, "wb") as file:
                file.write(whole[: len(whole) // 2])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)

        safetensors.numpy.save_file = save_half
        model = FunkSVD.load(sys.argv[1])
        model.user_factors[:] = 0
        model.save(sys.argv[1])
        """,
        path,
    )
    assert done.returncode == -9, done.stderr
    assert path.read_bytes() == trained.read_bytes()
    FunkSVD.load(path)


def test_a_model_can_be_saved_over_the_file_it_is_mapped_from(trained, tmp_path):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    FunkSVD.load(path).save(path)
    assert path.read_bytes() == trained.read_bytes()


def test_a_model_in_memory_outlives_its_file(trained, tmp_path):
    path = tmp_path / "model.funksvd"
    path.write_bytes(trained.read_bytes())
    done = run(
        """
        import sys
        from funksvd import FunkSVD
        model = FunkSVD.load(sys.argv[1], in_memory=True)
        open(sys.argv[1], "wb").close()  # as `cp` begins
        model.save(sys.argv[2])
        """,
        path,
        tmp_path / "copy",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy").read_bytes() == trained.read_bytes()
