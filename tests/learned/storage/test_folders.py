"""The model folder: the bytes of the file, read where they lie, and never believed."""

import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from learned.storage.cases import (
    FILES,
    INTEGER_IDS,
    MALICIOUS,
    TEXT_IDS,
    message_of,
    read,
    run,
    small_model,
    write_altered,
)

from funksvd import FunkSVD, Interactions, ModelFileError, Ratings, copy_model
from funksvd.errors import ModelWriteError
from funksvd.learned import LearnedRatings, storage
from funksvd.learned.storage import folders, is_model, size_of, write_model
from funksvd.ratings.compressed import CompressedRows

FILES_OF_SMALL = 14
"""Number of files of a folder of the small model."""


def contents(folder):
    """The bytes of each file of a folder."""
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def ref_joined(folder):
    """The bytes of the single file, by the description of the format."""
    found = contents(folder)
    header = found.pop("header.json")
    entries = json.loads(header)
    del entries["__metadata__"]
    order = sorted(entries, key=lambda name: entries[name]["data_offsets"])
    assert {f"{name}.bin" for name in order} == found.keys()
    return len(header).to_bytes(8, "little") + header + b"".join(found[f"{n}.bin"] for n in order)


@pytest.fixture
def path(tmp_path):
    """A small model folder."""
    write_model(tmp_path / "model.funksvd", small_model(TEXT_IDS), as_folder=True)
    return tmp_path / "model.funksvd"


# -- the same bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [INTEGER_IDS, TEXT_IDS])
@pytest.mark.parametrize("seen", [True, False])
def test_the_folder_has_the_bytes_of_the_file(tmp_path, ids, seen):
    model = small_model(ids, seen)
    write_model(tmp_path / "file", model, as_folder=False)
    write_model(tmp_path / "folder", model, as_folder=True)
    assert ref_joined(tmp_path / "folder") == (tmp_path / "file").read_bytes()
    n_bytes = sum(map(len, contents(tmp_path / "folder").values()))
    assert size_of(tmp_path / "folder") == n_bytes == size_of(tmp_path / "file") - 8


def models(kind):
    """A fitted model of a kind."""
    random = np.random.default_rng(0)
    users = [f"user {n:02}é" for n in random.integers(0, 12, 90)]
    items = random.integers(0, 9, 90)
    pairs, values = (users, items), random.integers(1, 6, 90)
    ratings = Ratings.from_arrays(*pairs, values.astype(float))
    few = {"n_factors": 2, "n_epochs": 2}
    if kind == "choice":
        return FunkSVD(algorithm="ials", **few).fit(Interactions.from_arrays(*pairs))
    if kind == "features":
        import pandas as pd

        table = pd.DataFrame({"item": range(12), "genre": ["a|b", "b", "c"] * 4})
        return FunkSVD(**few).fit(ratings, item_features=table)
    return FunkSVD(algorithm=kind, **few).fit(ratings)


@pytest.mark.parametrize("kind", ["sgd", "svd++", "bayes", "choice", "features"])
def test_joined_and_split_again_each_kind_of_model_has_the_same_bytes(tmp_path, kind):
    model = models(kind)
    file, folder = tmp_path / "file", tmp_path / "folder"
    model.save(file, as_folder=False)
    model.save(folder, as_folder=True)
    assert ref_joined(folder) == file.read_bytes()
    copy_model(file, tmp_path / "split", as_folder=True)
    copy_model(folder, tmp_path / "joined", as_folder=False)
    copy_model(tmp_path / "split", tmp_path / "back", as_folder=False)
    assert contents(tmp_path / "split") == contents(folder)
    assert (tmp_path / "joined").read_bytes() == file.read_bytes()
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    FunkSVD.load(folder).save(tmp_path / "again", as_folder=False)
    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    if kind != "choice":
        pairs = np.repeat(model.user_ids, 2), np.tile(model.item_ids[:2], len(model.user_ids))
        for in_memory in (True, False):
            found = FunkSVD.load(folder, in_memory=in_memory)
            np.testing.assert_array_equal(found.predict(*pairs), model.predict(*pairs))


def test_a_file_of_an_older_format_stays_one(tmp_path):
    old = FILES / "sgd.funksvd"
    copy_model(old, tmp_path / "folder", as_folder=True)
    copy_model(tmp_path / "folder", tmp_path / "file", as_folder=False)
    assert (tmp_path / "file").read_bytes() == old.read_bytes()
    assert FunkSVD.load(tmp_path / "folder").global_mean == FunkSVD.load(old).global_mean


def test_a_damaged_model_is_not_copied(path, tmp_path):
    tensor = path / "rating.user_factors.bin"
    tensor.write_bytes(tensor.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelFileError, match="its checksum does not match"):
        copy_model(path, tmp_path / "copy", as_folder=False)
    assert os.listdir(tmp_path) == ["model.funksvd"]


# -- a file or a folder ----------------------------------------------------------------------------


def test_large_models_are_folders_and_folders_stay_folders(tmp_path, monkeypatch):
    model, path = small_model(), tmp_path / "m"
    n_bytes = sum(each.nbytes for each in storage.content.to_tensors(model).values())
    for limit, is_folder in ((n_bytes, False), (n_bytes - 1, True), (n_bytes, True)):
        monkeypatch.setattr("funksvd.learned.storage.models.FOLDER_ABOVE", limit)
        write_model(path, model)
        assert path.is_dir() == is_folder, limit
        read(path)
    write_model(path, model, as_folder=False)
    assert path.is_file()
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_model_can_be_saved_over_the_folder_it_is_mapped_from(path, tmp_path, as_folder):
    before = ref_joined(path)
    model = small_model(TEXT_IDS)
    saved, learned = read(path)
    model.parts["rating"].tensors = saved.parts["rating"].tensors
    write_model(path, replace(model, seen=saved.seen), as_folder=as_folder)
    assert (ref_joined(path) if as_folder else path.read_bytes()) == before
    np.testing.assert_array_equal(learned.user_factors, read(path)[1].user_factors)
    assert os.listdir(tmp_path) == ["model.funksvd"]


def test_loaded_arrays_can_be_changed_without_changing_the_folder(path):
    before = contents(path)
    read(path)[1].user_factors[:] = 0
    assert contents(path) == before


def test_what_looks_like_a_model(path, tmp_path):
    assert is_model(path)
    assert not is_model(tmp_path)
    assert not is_model(tmp_path / "nothing")
    (path / "notes.txt").write_text("mine")
    assert not is_model(path)
    with pytest.raises(ModelWriteError, match="cannot write the model: Is a directory"):
        write_model(path, small_model(), as_folder=True)
    assert (path / "notes.txt").read_text() == "mine"
    (path / "notes.txt").unlink()
    (path / "sub.bin").mkdir()
    assert not is_model(path)
    (path / "sub.bin").rmdir()
    (path / "header.json").write_bytes(b"{}")
    assert not is_model(path)


def test_a_folder_that_is_replaced_while_it_is_read_is_read_again(path, monkeypatch):
    other = small_model(TEXT_IDS)
    other.parts["rating"].tensors["user_factors"] += 1
    read_one, n_read = folders._read, []

    def read_and_replace(*arguments):
        n_read.append(arguments)
        if len(n_read) == 3:
            write_model(path, other)
        return read_one(*arguments)

    monkeypatch.setattr(folders, "_read", read_and_replace)
    ref = other.parts["rating"].tensors["user_factors"]
    np.testing.assert_array_equal(read(path)[1].user_factors, ref)
    assert len(n_read) > FILES_OF_SMALL


def test_a_model_that_was_moved_aside_when_a_process_was_killed_is_read(path):
    aside = path.rename(path.with_name(".model.funksvd.01234567.old"))
    assert read(path)[1].global_mean == 3.5
    assert size_of(path) == size_of(aside)
    write_model(path, small_model())
    assert os.listdir(path.parent) == ["model.funksvd"]


# -- folders that are not what they should be ------------------------------------------------------


def test_a_file_cut_short_anywhere_is_one_clear_error(path):
    for name, whole in contents(path).items():
        for length in {*range(0, len(whole), 37), len(whole) - 1} - {len(whole), -1}:
            (path / name).write_bytes(whole[:length])
            assert "damaged or was altered" in message_of(path), (name, length)
        (path / name).write_bytes(whole + bytes(8))
        assert "damaged or was altered" in message_of(path), name
        (path / name).write_bytes(whole)
    read(path)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_anywhere_is_one_clear_error(path, mask):
    n_files = 0
    for name, whole in contents(path).items():
        n_files += len(whole) > 0
        for at in range(0, len(whole.rstrip(b" ")), 3):
            changed = bytearray(whole)
            changed[at] ^= mask
            (path / name).write_bytes(changed)
            assert len(message_of(path)) < 600, (name, at)
        (path / name).write_bytes(whole)
    assert n_files == FILES_OF_SMALL - 1  # nobody's pairs were set aside
    read(path)


def test_a_missing_file_is_named(path):
    for name, whole in contents(path).items():
        (path / name).unlink()
        message = message_of(path)
        if name == "header.json":
            assert "is a folder without header.json, and so not a model" in message
        else:
            assert f"({name} is missing)" in message
        (path / name).write_bytes(whole)


@pytest.mark.parametrize("name", ["colours.bin", "notes.txt", ".DS_Store"])
def test_a_file_too_many_is_named(path, name):
    (path / name).write_bytes(b"")
    assert f"({name} is not part of it)" in message_of(path)


def test_what_is_no_regular_file_is_not_waited_for(path):
    tensor = path / "rating.user_factors.bin"
    tensor.unlink()
    os.mkfifo(tensor)
    assert "rating.user_factors.bin is not a regular file" in message_of(path)
    tensor.unlink()
    tensor.mkdir()
    assert "rating.user_factors.bin is not a regular file" in message_of(path)
    (path / "header.json").unlink()
    os.mkfifo(path / "header.json")
    assert "without header.json" in message_of(path)


def test_a_folder_that_may_not_be_read(path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folders, "_read", refuse)  # the superuser may read everything
    assert "cannot be read: Permission denied" in message_of(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"text"', "[" * 100_000, "\xff"])
def test_a_header_that_is_none(path, text):
    raw = text.encode("latin-1")
    (path / "header.json").write_bytes(raw + b" " * (-len(raw) % 8))
    assert "damaged or was altered" in message_of(path)


def test_a_header_that_is_too_long(path):
    os.truncate(path / "header.json", 100_000_008)  # zeros that take no place on the disk
    assert "header.json is too long" in message_of(path)


def test_a_header_of_something_else(path):
    for each in path.iterdir():
        each.unlink()
    (path / "header.json").write_bytes(b"{}      ")
    assert "not one written by funksvd" in message_of(path)


def with_header(path, change):
    """Write the header again, changed by a function; padded as it must be."""
    header = json.loads((path / "header.json").read_bytes())
    change(header)
    raw = json.dumps(header).encode()
    (path / "header.json").write_bytes(raw + b" " * (-len(raw) % 8))


def test_a_header_that_is_written_in_another_way_is_read(path):
    with_header(path, lambda header: None)
    read(path)
    (path / "header.json").write_bytes((path / "header.json").read_bytes() + b"\n")
    assert "not padded to a multiple of 8" in message_of(path)


@pytest.mark.parametrize("name", ["../secret", "/tmp/secret", "a/b", "a\\b", "", "..", ".a", "A"])
def test_names_that_lead_elsewhere(path, tmp_path, name):
    """Also where the file that they lead to is the right one."""
    values = (path / "rating.global_mean.bin").read_bytes()
    for place in (tmp_path / "secret.bin", path / "rating.global_mean.bin"):
        place.write_bytes(values)

    def rename(header):
        header[name] = header.pop("rating.global_mean")

    with_header(path, rename)
    assert "cannot be the name of a file" in message_of(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F16"},
        {"dtype": ["F32"]},
        {"dtype": None},
        {"shape": [3, 3]},
        {"shape": [10**18, 10**18]},
        {"shape": [-3, -2]},
        {"shape": [3.0, 2]},
        {"shape": [True, 6]},
        {"shape": 6},
        {"shape": None},
        {"data_offsets": [0, 24]},
        {"data_offsets": [10**30, 10**30 + 24]},
        {"data_offsets": ["a", "b"]},
        {"data_offsets": [1]},
        {"data_offsets": [float("nan"), float("inf")]},
        {"data_offsets": None},
    ],
    ids=str,
)
def test_a_header_that_lies_about_a_tensor(path, entry):
    with_header(path, lambda header: header["rating.user_factors"].update(entry))
    assert "damaged or was altered" in message_of(path)


def test_a_tensor_that_the_header_has_larger_with_all_that_follow(path):
    """Consistent in itself, but the file is not there in that size."""

    def enlarge(header):
        entries = [each for name, each in header.items() if name != "__metadata__"]
        header["rating.user_factors"]["shape"] = [10**12, 2]
        added = 8 * 10**12 - 24
        start, stop = header["rating.user_factors"]["data_offsets"]
        for each in entries:
            if each["data_offsets"][0] >= stop:
                each["data_offsets"] = [place + added for place in each["data_offsets"]]
        header["rating.user_factors"]["data_offsets"] = [start, stop + added]

    with_header(path, enlarge)
    message = message_of(path)
    assert "rating.user_factors.bin has 24 bytes, not 8,000,000,000,000" in message


def test_whatever_is_refused_in_a_file_is_refused_in_a_folder(tmp_path):
    file, folder = tmp_path / "file", tmp_path / "folder"
    write_model(file, small_model(TEXT_IDS))
    whole = file.read_bytes()
    for name, tensors in MALICIOUS.items():
        file.write_bytes(whole)
        write_altered(file, tensors)
        copy_model(file, folder, as_folder=True)
        ref, comp = message_of(file), message_of(folder)
        assert comp.replace(str(folder), "") == ref.replace(str(file), ""), name


# -- memory ----------------------------------------------------------------------------------------

N_USERS, N_ITEMS, N_FACTORS, N_PAIRS = 20_000, 50, 64, 1_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A model whose arrays are maps, its bytes, and their number."""
    folder = tmp_path_factory.mktemp("arrays")
    random = np.random.default_rng(0)

    def mapped(name, values):
        np.save(folder / name, values)
        return np.load(folder / f"{name}.npy", mmap_mode="r")

    factors = [
        mapped(name, random.standard_normal((n, N_FACTORS)).astype(np.float32))
        for name, n in (("users", N_USERS), ("items", N_ITEMS))
    ]
    biases = [np.zeros(n, np.float32) for n in (N_USERS, N_ITEMS)]
    part = replace(
        small_model().parts["rating"], tensors=LearnedRatings(3.5, *biases, *factors).tensors()
    )
    items = np.tile(np.arange(N_ITEMS, dtype=np.int32), N_USERS)
    seen = CompressedRows(
        np.arange(N_USERS + 1) * N_ITEMS,
        mapped("seen", items),
        mapped("levels", (items * 5).astype(np.uint8)),
    )
    assert len(items) == N_PAIRS
    model = replace(
        small_model(),
        user_ids=np.arange(N_USERS),
        item_ids=np.arange(N_ITEMS),
        seen=seen,
        held_out=None,
        parts={"rating": part},
    )
    return model, sum(each.nbytes for each in storage.content.to_tensors(model).values())


def peak_of(function):
    """Largest number of bytes that NumPy and Python have had at a time."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("as_folder", [True, False])
def test_neither_writing_nor_loading_maps_has_them_in_memory(large, tmp_path, as_folder):
    model, n_bytes = large
    path, copy = tmp_path / "model", tmp_path / "copy"
    read_again = []

    def load():
        read_again.append(read(path))

    write_model(path, small_model(), as_folder=as_folder)  # what is loaded only once
    load()
    for function in (
        lambda: write_model(path, model, as_folder=as_folder),
        load,
        lambda: copy_model(path, copy, as_folder=not as_folder),
    ):
        assert peak_of(function) < n_bytes / 3
    saved, learned = read_again[-1]
    np.testing.assert_array_equal(saved.seen.columns, model.seen.columns)
    np.testing.assert_array_equal(saved.item_counts, np.full(N_ITEMS, N_USERS))
    ref = model.parts["rating"].tensors["user_factors"]
    np.testing.assert_array_equal(learned.user_factors, ref)


# -- writing ---------------------------------------------------------------------------------------


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_folder(tmp_path):
    path = tmp_path / "model"
    models("sgd").save(path, as_folder=True)
    before = contents(path)
    done = run(
        """
        import resource, sys
        from funksvd import FunkSVD
        model = FunkSVD.load(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
        try:
            model.save(sys.argv[1])
        except ValueError as error:
            print(type(error).__name__, error)
        """,
        path,
    )
    assert done.stdout.startswith(f"ModelWriteError {path}: cannot write the model"), done.stderr
    assert "File too large" in done.stdout
    assert contents(path) == before
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_kill_in_mid_save_leaves_the_old_model(tmp_path, is_folder):
    path = tmp_path / "model"
    write_model(path, small_model(TEXT_IDS), as_folder=is_folder)
    before = contents(path) if is_folder else path.read_bytes()
    program = """
        import os, signal, sys
        from funksvd import copy_model
        from funksvd.learned.storage import folders

        def die(array):
            os.kill(os.getpid(), signal.SIGKILL)

        folders.as_bytes = die
        copy_model(sys.argv[1], sys.argv[2], as_folder=True)
        """
    write_model(other := tmp_path / "other", small_model())
    assert run(program, other, path).returncode == -9
    assert (contents(path) if is_folder else path.read_bytes()) == before
    assert len(os.listdir(tmp_path)) == 3
    write_model(path, small_model(), as_folder=is_folder)
    assert sorted(os.listdir(tmp_path)) == ["model", "other"]


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(ModelWriteError, match="cannot write the model: No such file"):
        write_model(tmp_path / "nowhere" / "m", small_model(), as_folder=True)


def test_a_model_in_memory_outlives_its_folder(tmp_path):
    models("sgd").save(tmp_path / "m", as_folder=True)
    before = ref_joined(tmp_path / "m")
    program = """
import sys
from pathlib import Path
from funksvd import FunkSVD
model = FunkSVD.load(sys.argv[1], in_memory=True)
for each in Path(sys.argv[1]).iterdir():
    open(each, "wb").close()  # as `cp` begins
model.save(sys.argv[2])
"""
    command = [sys.executable, "-c", program, tmp_path / "m", tmp_path / "copy"]
    subprocess.run(command, check=True)
    assert (tmp_path / "copy").read_bytes() == before
