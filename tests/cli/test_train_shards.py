"""`funksvd train --shards`: the same model file, and what a person sees."""

import shutil
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "data" / "ratings.csv"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copy(SAMPLE, tmp_path / "ratings.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


QUICK = ("-k", 4, "--n-epochs", 6)


def test_the_model_file_is_that_of_memory(cli, folder):
    assert cli("train", "ratings.csv", *QUICK, "-o", "ref").code == 0
    result = cli("train", "ratings.csv", *QUICK, "--shards", "there", "-o", "comp")
    assert result.code == 0
    assert (folder / "comp").read_bytes() == (folder / "ref").read_bytes()
    assert "ratings from 0.5 to 5 to learn from" in result.out
    assert "Set aside" in result.out
    result = cli("train", "ratings.csv", *QUICK, "--shards", "there", "-o", "again", "-k", 3)
    assert "Using the shards in there, of the same files and settings" in result.out
    assert cli("evaluate", "comp").code == 0


def test_shards_of_other_files_are_kept_unless_it_is_said(cli, error_of, folder):
    assert cli("train", "ratings.csv", *QUICK, "--shards", "there").code == 0
    lines = (folder / "ratings.csv").read_text().splitlines()
    (folder / "ratings.csv").write_text("\n".join(lines[:1000]) + "\n")
    message = error_of("train", "ratings.csv", *QUICK, "--shards", "there", code=1)
    assert "there holds ratings that were prepared with other files" in message
    assert "--overwrite" in message
    assert cli("train", "ratings.csv", *QUICK, "--shards", "there", "--overwrite").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--test", "ratings.csv"), "--test cannot go with --shards yet"),
        (("--valid", "ratings.csv"), "--valid cannot go with --shards yet"),
        (("--algorithm", "svd++"), "does not learn from shards yet"),
        (("--shards", ""), "--shards is given an empty text; is a variable not set?"),
        (("--positive-from", "4"), "--positive-from cannot go with --shards yet"),
    ],
)
def test_what_does_not_go_with_shards_is_refused(cli, folder, options, message):
    result = cli("train", "ratings.csv", "--shards", "there", *options)
    assert result.code != 0
    assert message in result.err
    assert not (folder / "there").exists()


def test_shards_may_lie_among_the_parts_of_the_ratings(cli, folder):
    header, *lines = (folder / "ratings.csv").read_text().splitlines()
    (folder / "parts").mkdir()
    for part in range(2):
        text = "\n".join([header, *lines[part::2]]) + "\n"
        (folder / "parts" / f"part-{part}.csv").write_text(text)
    assert cli("train", "parts", *QUICK, "-o", "ref").code == 0
    for said in ("to learn from", "Using the shards in parts/shards"):
        result = cli("train", "parts", *QUICK, "--shards", "parts/shards", "-o", "comp")
        assert said in result.out
        assert (folder / "comp").read_bytes() == (folder / "ref").read_bytes()


def test_an_address_is_no_place_for_shards(error_of, folder):
    message = error_of("train", "ratings.csv", "--shards", "s3://bucket/shards", code=1)
    assert "s3://bucket/shards is an address; ratings in shards need a folder" in message
    assert [path.name for path in folder.iterdir()] == ["ratings.csv"]


def test_overwriting_needs_a_folder(error_of, folder):
    assert "--overwrite needs --shards" in error_of("train", "ratings.csv", "--overwrite")


def test_ctrl_c_keeps_the_best_epoch(cli, folder, monkeypatch):
    from funksvd_cli.progress import TrainingProgress

    monkeypatch.setattr(TrainingProgress, "ratings_done", _interrupt_in_epoch(3))
    result = cli("train", "ratings.csv", *QUICK, "--shards", "there", "--n-groups", 4)
    assert result.code == 130
    assert "interrupted; keeping epoch" in result.err
    assert (folder / "model.funksvd").exists()


def _interrupt_in_epoch(epoch):
    calls = []

    def ratings_done(progress, n):
        calls.append(n)
        if len(calls) == 4 * (epoch - 1) + 2:
            raise KeyboardInterrupt

    return ratings_done


def test_clicks_are_told_that_they_do_not_learn_from_shards(error_of, folder):
    (folder / "clicks.csv").write_text("user,item\n1,2\n1,3\n2,3\n3,4\n")
    message = error_of("train", "clicks.csv", "--shards", "there")
    assert message == (
        "Error: clicks.csv: there is no column of ratings, and clicks do not learn from shards "
        "yet. Name the column with --rating-col if there is one; otherwise have the clicks in "
        "memory\n"
    )
    rows = "".join(f"{user},{user % 3},4\n" for user in range(20))
    (folder / "equal.csv").write_text("user,item,rating\n" + rows)
    message = error_of("train", "equal.csv", "--shards", "there")
    assert "ratings are 4, so that they are no more than clicks" in message
