"""`funksvd data fetch`."""

import json
import sys

from funksvd.datasets import DATASETS


def test_for_a_person(cli, publisher, tmp_path):
    result = cli("data", "fetch", "ml-1m")
    path = tmp_path / "downloads" / "ml-1m.zip"
    assert (result.code, result.err) == (0, "")
    assert "MovieLens 1M: 1,000,209 ratings of films" in result.out
    assert "Terms: for research" in result.out
    assert "https://grouplens.org/datasets/movielens/1m/" in result.out
    assert f"Downloaded {path} (0.0 MB, checksum as published)" in result.out
    assert result.out.endswith(f"Next: funksvd train {path}\n")
    assert f"--user-features {path} --item-features {path}\n" in result.out
    assert f"Already there: {path}" in cli("data", "fetch", "ml-1m").out


def test_the_next_command_works(cli, publisher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = cli("data", "fetch", "ml-1m", "--quiet").out.strip()
    assert cli("train", path, "-k", "2", "--n-epochs", "1").code == 0


def test_json(cli, publisher, tmp_path):
    facts = json.loads(cli("data", "fetch", "ml-1m", "--json", "--dir", tmp_path / "x").out)
    assert facts["path"] == str(tmp_path / "x" / "ml-1m.zip")
    assert (facts["name"], facts["how"]) == ("ml-1m", "downloaded")
    assert facts["checksum"] == publisher.checksum


def test_from_a_file(cli, error_of, publisher, tmp_path):
    given = tmp_path / "given.zip"
    given.write_bytes(publisher.archive)
    assert "Copied to" in cli("data", "fetch", "ml-1m", "--from", given).out
    given.write_bytes(b"PK")
    message = error_of("data", "fetch", "ml-1m", "--dir", tmp_path / "x", "--from", given)
    assert "is not the archive of ml-1m that was published" in message


def test_a_failed_download_is_a_failure(error_of, publisher):
    publisher.status = 404
    assert "answers 404" in error_of("data", "fetch", "ml-1m", code=1)


def test_an_unknown_name_is_wrong_usage(error_of, publisher):
    assert "Did you mean ml-10m?" in error_of("data", "fetch", "ml10m")


def test_without_a_name_there_is_a_list(cli, error_of):
    lines = cli("data", "fetch").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *DATASETS]
    assert [facts["name"] for facts in json.loads(cli("data", "fetch", "--json").out)] == [
        *DATASETS
    ]
    assert "NAME is missing" in error_of("data", "fetch", "--dir", "x")


def test_a_bar_on_a_terminal(cli, publisher, monkeypatch):
    monkeypatch.setattr(sys.modules["funksvd_cli.data.fetch"], "is_terminal", lambda stream: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = cli("data", "fetch", "ml-1m")
    assert result.code == 0
    assert "ml-1m.zip" in result.err
    assert "━" in result.err
    publisher.sent, publisher.promised = publisher.archive[:-9], len(publisher.archive)
    again = cli("data", "fetch", "ml-1m", "--dir", "elsewhere")
    assert again.code == 1
    assert "broke off" in again.err
    assert "\x1b[?25h" in again.err  # the cursor is back
