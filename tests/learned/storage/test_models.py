"""The model file: exact, reproducible, and never believed."""

import json
import math
import os
import pickle
import stat
from dataclasses import replace

import numpy as np
import pytest
from learned.storage.cases import (
    DRAWS,
    FILES,
    INTEGER_IDS,
    MALICIOUS,
    TEXT_IDS,
    info_of,
    message_of,
    read,
    run,
    small_model,
    write_altered,
)
from safetensors.numpy import load_file, save_file

from funksvd import FunkSVD, Interactions, ModelFileError
from funksvd.errors import ModelWriteError
from funksvd.learned import storage
from funksvd.learned.storage import (
    content,
    files,
    write_model,
)
from funksvd.training.stopping import Stopped


@pytest.fixture
def path(tmp_path):
    """A small model file."""
    write_model(tmp_path / "model.funksvd", small_model(TEXT_IDS))
    return tmp_path / "model.funksvd"


# -- round trip ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [INTEGER_IDS, TEXT_IDS])
@pytest.mark.parametrize("seen", [True, False])
def test_a_model_comes_back_as_it_was(tmp_path, ids, seen):
    model = small_model(ids, seen)
    write_model(tmp_path / "m", model)
    back, learned = read(tmp_path / "m")
    assert back.info == model.info
    assert back.parts.keys() == {"rating"}
    assert back.parts["rating"].info == model.parts["rating"].info
    assert learned.global_mean == 3.5
    assert learned.parameters.user_factors.dtype == np.float32
    tensors = model.parts["rating"].tensors
    assert back.parts["rating"].tensors.keys() == learned.tensors().keys() == tensors.keys()
    for name, ref in tensors.items():
        for comp in (back.parts["rating"].tensors[name], learned.tensors()[name]):
            assert comp.dtype == ref.dtype
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
    other.parts["rating"].tensors["user_factors"][0, 0] += 1
    write_model(tmp_path / "c", other)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_numpy_scalars_from_a_parameter_grid_are_saved_as_numbers(tmp_path):
    model = small_model()
    model.parts["rating"].info["hyperparameters"] = {
        "n_factors": np.int64(8),
        "reg": np.float32(0.5),
    }
    write_model(tmp_path / "m", model)
    info = read(tmp_path / "m")[0].parts["rating"].info
    assert info["hyperparameters"] == {"n_factors": 8, "reg": 0.5}


def test_loaded_arrays_can_be_changed_without_changing_the_file(path):
    before = path.read_bytes()
    read(path)[1].user_factors[:] = 0
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
    for name, written in contents.items():
        foreign.write_bytes(written)
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


# -- files that someone has made with care: the checksum is right ----------------------------------


def test_the_checksum_of_these_tests_is_right(path):
    before = path.read_bytes()
    write_altered(path)
    assert path.read_bytes() == before


def test_draws_come_back_as_they_were(path):
    write_altered(path, DRAWS)
    draws = read(path)[1].draws
    for ref, comp in zip(DRAWS.values(), draws, strict=True):
        assert comp.dtype == ref.dtype
        np.testing.assert_array_equal(comp, ref)
    assert read(path)[1].user_factors.shape == (3, 2)  # of their mean


@pytest.mark.parametrize("tensors", MALICIOUS.values(), ids=MALICIOUS.keys())
def test_a_crafted_file_is_refused(path, tensors):
    write_altered(path, tensors)
    assert "damaged or was altered" in message_of(path)


@pytest.mark.parametrize("side", ["user", "item"])
def test_a_model_of_nobody_or_nothing_is_refused(tmp_path, side):
    path = tmp_path / "model.funksvd"
    saved = small_model(seen=False)
    tensors = saved.parts["rating"].tensors
    for name in (f"{side}_biases", f"{side}_factors"):
        tensors[name] = tensors[name][:0]
    write_model(path, replace(saved, **{f"{side}_ids": np.array([], np.int64)}))
    assert f"there are no {side}_ids" in message_of(path)


@pytest.mark.parametrize(
    "name",
    [
        "rating.global_mean",
        "rating.user_factors",
        "seen.items",
        "user_ids.utf8",
        "item_ids.offsets",
    ],
)
def test_a_missing_tensor_is_named(path, name):
    write_altered(path, drop=[name])
    message = message_of(path)
    assert "damaged or was altered" in message
    assert name.removeprefix("rating.") in message


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
    mapped = files.cut(np.fromfile(tmp_path / "m", np.uint8)).tensors
    with pytest.raises(ValueError, match="user_ids is not an aligned"):
        content._take(mapped, "user_ids", np.int64)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sample):
    """A model file as `FunkSVD.save` writes it."""
    path = tmp_path_factory.mktemp("trained") / "model.funksvd"
    FunkSVD(n_factors=4, n_epochs=2).fit(sample).save(path)
    return path


def copy_of(path, folder):
    """A file of its own that may be altered."""
    (folder / "model.funksvd").write_bytes(path.read_bytes())
    return folder / "model.funksvd"


@pytest.mark.parametrize(
    "part",
    [
        {"hyperparameters": {"n_factors": "many"}},
        {"hyperparameters": {"n_factors": 5}},
        {"hyperparameters": None},
        {"rating_scale": [1]},
        {"rating_scale": [float("nan"), 5]},
        {"rating_scale": "ab"},
        {"history": [{"epoch": 1}]},
        {"history": []},
        {
            "history": [
                {"epoch": 1, "learning_rate": None, "train_rmse": 1.0, "valid_rmse": -math.inf}
            ],
            "best_epoch": 1,
        },
        {"best_epoch": 99},
        {"best_epoch": "1"},
        {"rating_spread": 0},
        {"rating_spread": float("inf")},
        {"reg_used": -1},
        {"stopped": "bored"},
        {"n_unrated": "3"},
    ],
    ids=str,
)
def test_crafted_information_of_the_part_is_refused(trained, tmp_path, part):
    path = copy_of(trained, tmp_path)
    write_altered(path, part=part)
    with pytest.raises(ModelFileError, match="damaged or was altered") as caught:
        FunkSVD.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "info",
    [
        {"provenance": {"ratings": None}},
        {"provenance": 3},
        {"n_ratings": "3"},
        {"format_version": [2]},
        {"parts": None},
        {"parts": ["rating"]},
        {"parts": {"rating": None}},
        {"parts": {"rating": ["version"]}},
    ],
    ids=str,
)
def test_crafted_information_is_refused(trained, tmp_path, info):
    path = copy_of(trained, tmp_path)
    write_altered(path, info=info)
    with pytest.raises(ModelFileError, match="damaged or was altered") as caught:
        FunkSVD.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "hyperparameters",
        "rating_scale",
        "rating_spread",
        "history",
        "best_epoch",
        "refitted",
        "reg_used",
        "version",
        "n_ratings",
        "provenance",
        "parts",
        "format_version",
    ],
)
def test_missing_information_is_refused(trained, tmp_path, name):
    path = copy_of(trained, tmp_path)
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
    model.parts["rating"].tensors["implicit_factors"] = implicit_factors
    write_model(tmp_path / "m", model)
    with pytest.raises(ModelFileError, match=message):
        read(tmp_path / "m")


def test_a_single_draw_says_nothing_of_how_sure_it_is_and_is_refused(tmp_path):
    path = copy_of(FILES / "bayes.funksvd", tmp_path)
    FunkSVD.load(path).save(path)
    found = load_file(path)
    one = {
        name: found[name][:, :2].copy() for name in ("rating.user_factors", "rating.item_factors")
    }
    one["rating.draws.global_means"] = found["rating.draws.global_means"][:1]
    for name in ("rating.draws.user_biases", "rating.draws.item_biases"):
        one[name] = found[name][:, :1].copy()
    write_altered(path, one)
    with pytest.raises(ModelFileError, match="damaged or was altered"):
        FunkSVD.load(path)


# -- what programs of other times have written -----------------------------------------------------

# Written by the last program of format 1: twelve users, nine items and sixty ratings, two factors.
# expected.json has what that program answered.
EXPECTED = json.loads((FILES / "expected.json").read_text())


@pytest.mark.parametrize("name", EXPECTED)
class TestFormat1:
    @pytest.fixture
    def model(self, name):
        return FunkSVD.load(FILES / f"{name}.funksvd")

    def test_it_answers_as_before(self, name, model):
        assert info_of(FILES / f"{name}.funksvd")["format_version"] == 1
        ref = EXPECTED[name]
        assert model.user_ids.tolist() == ref["users"]
        assert model.item_ids.tolist() == ref["items"]
        pairs = np.repeat(model.user_ids, 9), np.tile(model.item_ids, 12)
        np.testing.assert_allclose(model.predict(*pairs), ref["predictions"], rtol=1e-6)
        if ref["deviations"]:
            np.testing.assert_allclose(model.predict_std(*pairs), ref["deviations"], rtol=1e-6)
        else:
            assert model.draws is None
        found = model.recommend(ref["users"][0])
        found.sort(key=lambda each: -each.prediction)  # they are listed with a margin
        assert [each.item for each in found] == [item for item, _ in ref["recommended"]]
        folded = model.fold_in([0, 30], [4.5, 1.0])
        assert folded.bias == pytest.approx(ref["folded_in"][0], rel=1e-5)
        np.testing.assert_allclose(folded.factors, ref["folded_in"][1], rtol=1e-5)

    def test_how_it_was_learned_is_known_as_far_as_it_was_recorded(self, name, model):
        ref = EXPECTED[name]
        record = model.training
        assert model.hyperparameters.algorithm == name
        assert (model.n_ratings, record.best_epoch) == (ref["n_ratings"], ref["best_epoch"])
        assert (len(record.history), record.refitted) == (ref["n_epochs"], ref["refitted"])
        assert record.reg == ref["reg_used"]
        assert (record.stopped, record.n_unrated) == (None, 0)
        assert (model.provenance is not None) == ref["knows_origin"]

    def test_it_is_saved_in_the_present_format(self, name, model, tmp_path):
        model.save(tmp_path / "m")
        info = info_of(tmp_path / "m")
        assert info["format_version"] == storage.FORMAT_VERSION == 2
        assert info.keys() == {"format_version", "n_ratings", "provenance", "parts", "sha256"}
        assert info["parts"].keys() == {"rating"}
        before, after = load_file(FILES / f"{name}.funksvd"), load_file(tmp_path / "m")
        shared = ("user_ids", "item_ids", "seen.", "held_out.")
        new_names = {old if old.startswith(shared) else f"rating.{old}": old for old in before}
        assert after.keys() == new_names.keys()
        for new, old in new_names.items():
            np.testing.assert_array_equal(after[new], before[old])
        FunkSVD.load(tmp_path / "m").save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()

    def test_its_checksum_counts(self, name, tmp_path):
        path = tmp_path / "m"
        path.write_bytes(changed := bytearray((FILES / f"{name}.funksvd").read_bytes()))
        FunkSVD.load(path)
        changed[-1] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ModelFileError, match="its checksum does not match"):
            FunkSVD.load(path)

    def test_what_it_does_not_have_is_missing(self, name, tmp_path):
        for missing in ("n_ratings", "rating_spread", "global_mean"):
            path = copy_of(FILES / f"{name}.funksvd", tmp_path)
            write_altered(path, drop=[missing])
            with pytest.raises(ModelFileError, match=f"damaged .*'{missing}' is missing"):
                FunkSVD.load(path)


def test_older_formats_are_upgraded_step_by_step(tmp_path, monkeypatch):
    path = copy_of(FILES / "sgd.funksvd", tmp_path)
    mean = load_file(path)["global_mean"]
    write_altered(path, {"mean": mean}, {"format_version": 0}, drop=["global_mean"])
    with pytest.raises(ModelFileError, match=r"written in format 0, .* reads format 1, 2; use"):
        FunkSVD.load(path)

    def from_format_0(info, tensors):
        tensors["global_mean"] = tensors.pop("mean")
        return info | {"format_version": 1}, tensors

    monkeypatch.setitem(storage.UPGRADES, 0, from_format_0)
    assert FunkSVD.load(path).global_mean == mean[0]


class TestUnknown:
    """Whatever wrote it meant something by it: a sentence of its own, and no talk of damage."""

    AN_ARRAY = np.zeros(3, np.float32)

    @pytest.fixture
    def path(self, trained, tmp_path):
        return copy_of(trained, tmp_path)

    def with_parts(self, path, **changed):
        return {"parts": info_of(path)["parts"] | changed}

    def refused(self, path, what):
        with pytest.raises(ModelFileError) as caught:
            FunkSVD.load(path)
        assert str(caught.value) == (
            f"{path}: the model file has {what}, which this version of funksvd does not know; "
            "use the version that wrote it, or train again"
        )

    @pytest.mark.parametrize("checksum_is_right", [True, False])
    def test_a_newer_format(self, path, checksum_is_right):
        if checksum_is_right:
            write_altered(path, info={"format_version": 3})
        else:  # as it may be reckoned in another way by then
            rewrite_metadata(path, json.dumps(info_of(path) | {"format_version": 3}))
        with pytest.raises(ModelFileError) as caught:
            FunkSVD.load(path)
        assert str(caught.value) == (
            f"{path}: written in format 3, but this version of funksvd reads format 1, 2; use the "
            "version that wrote it, or train again"
        )

    @pytest.mark.parametrize("version", [0, 0.5, 2])
    def test_another_version_of_the_part(self, path, version):
        write_altered(path, part={"version": version})
        self.refused(path, f"version {version} of the part 'rating'")

    def test_a_newer_version_of_the_part_with_arrays_of_its_own(self, path):
        write_altered(path, {"rating.colours": self.AN_ARRAY}, part={"version": 2})
        self.refused(path, "version 2 of the part 'rating'")

    def test_a_part_of_another_kind(self, path):
        ranking = {"version": 1, "hyperparameters": {}}
        array = {"ranking.item_factors": self.AN_ARRAY}
        write_altered(path, array, self.with_parts(path, ranking=ranking))
        self.refused(path, "a part of the kind 'ranking'")

    def test_no_part_of_the_kind_that_is_wanted(self, path):
        names = [name for name in load_file(path) if name.startswith("rating.")]
        write_altered(path, info={"parts": {}}, drop=names)
        with pytest.raises(ModelFileError, match=r"has no part of the kind 'choice' or 'rating'$"):
            FunkSVD.load(path)

    @pytest.mark.parametrize("name", ["colours", "ranking.colours", "seen.colours"])
    def test_a_tensor_outside_of_the_parts(self, path, name):
        write_altered(path, {name: self.AN_ARRAY})
        self.refused(path, f"a tensor '{name}'")

    def test_a_tensor_of_the_part(self, path):
        write_altered(path, {"rating.colours": self.AN_ARRAY})
        self.refused(path, "a tensor 'rating.colours'")

    def test_a_hyperparameter(self, path):
        chosen = info_of(path)["parts"]["rating"]["hyperparameters"]
        write_altered(path, part={"hyperparameters": chosen | {"colour": "red"}})
        self.refused(path, "a hyperparameter 'colour'")

    def test_in_a_file_of_format_1_too(self, tmp_path):
        path = copy_of(FILES / "sgd.funksvd", tmp_path)
        write_altered(path, {"colours": self.AN_ARRAY})
        self.refused(path, "a tensor 'rating.colours'")
        path = copy_of(FILES / "sgd.funksvd", tmp_path)
        chosen = info_of(path)["hyperparameters"]
        write_altered(path, info={"hyperparameters": chosen | {"colour": "red"}})
        self.refused(path, "a hyperparameter 'colour'")


# -- what a file keeps of training -----------------------------------------------------------------


@pytest.mark.parametrize("stopped", [*Stopped, None])
def test_why_training_ended_and_what_it_had_besides_are_kept(trained, tmp_path, stopped):
    model = FunkSVD.load(trained)
    record = replace(model.training, stopped=stopped, n_unrated=7)
    model._fitted = replace(model.fitted, record=record)
    model.save(tmp_path / "m")
    found = FunkSVD.load(tmp_path / "m").training
    assert found.stopped is stopped
    assert found.n_unrated == 7


def test_the_number_of_pairs_without_a_rating_is_kept(sample, tmp_path):
    rated = sample.subset(np.arange(len(sample)) % 2 > 0)
    pairs = sample.user_ids[sample.user_index], sample.item_ids[sample.item_index]
    model = FunkSVD(algorithm="svd++", n_factors=2, n_epochs=2)
    model.fit(rated, interactions=Interactions.from_arrays(*pairs))
    assert model.training.n_unrated == len(sample) - len(rated)
    model.save(tmp_path / "m")
    assert FunkSVD.load(tmp_path / "m").training.n_unrated == len(sample) - len(rated)


@pytest.mark.parametrize("algorithm", ["sgd", "svd++", "bayes"])
def test_learned_again_from_the_same_it_is_the_same_file(sample, tmp_path, algorithm):
    for name in "ab":
        model = FunkSVD(algorithm=algorithm, n_factors=2, n_epochs=3).fit(sample)
        model.save(tmp_path / name)
        assert not np.isnan(model.history[0].seconds)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


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
    read(tmp_path / "target")


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_file(trained, tmp_path):
    path = copy_of(trained, tmp_path)
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
    path = copy_of(trained, tmp_path)
    done = run(
        """
        import os, signal, sys
        from funksvd import FunkSVD
        from funksvd.learned.storage import files

        write = files.write

        def write_half(file, *content):
            write(file, *content)
            file.truncate(file.tell() // 2)
            os.kill(os.getpid(), signal.SIGKILL)

        files.write = write_half
        model = FunkSVD.load(sys.argv[1])
        model.user_factors[:] = 0
        model.save(sys.argv[1])
        """,
        path,
    )
    assert done.returncode == -9, done.stderr
    assert path.read_bytes() == trained.read_bytes()
    assert len(os.listdir(tmp_path)) == 2
    FunkSVD.load(path).save(path)
    assert os.listdir(tmp_path) == ["model.funksvd"]


def test_a_model_can_be_saved_over_the_file_it_is_mapped_from(trained, tmp_path):
    path = copy_of(trained, tmp_path)
    FunkSVD.load(path).save(path)
    assert path.read_bytes() == trained.read_bytes()


def test_a_model_in_memory_outlives_its_file(trained, tmp_path):
    path = copy_of(trained, tmp_path)
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
