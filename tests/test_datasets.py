"""Data sets: what is known of them, and fetching them from a server of our own."""

import hashlib
import os
import re
import zipfile
from dataclasses import replace

import pytest
import requests

from funksvd import DownloadError, RatingsError, datasets, read_ratings, read_titles
from funksvd.datasets import DATASETS, fetch


def the_only_error(kind, *arguments, **options):
    with pytest.raises(kind) as caught:
        fetch(*arguments, **options)
    return str(caught.value)


def test_what_is_known_of_each():
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        algorithm, digest = dataset.checksum.split(":")
        assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]
        assert re.fullmatch("[0-9a-f]+", digest)
        assert all(url.startswith("https://") for url in (*dataset.urls, dataset.home))
        assert dataset.file_name.endswith(".zip")
    assert len({dataset.checksum for dataset in DATASETS.values()}) == len(DATASETS)
    assert len({dataset.file_name for dataset in DATASETS.values()}) == len(DATASETS)


def test_download_and_read(publisher, tmp_path):
    path, how = fetch("ml-1m")
    assert (path, how) == (tmp_path / "downloads" / "ml-1m.zip", "downloaded")
    assert path.read_bytes() == publisher.archive
    assert os.listdir(path.parent) == ["ml-1m.zip"]
    assert len(read_ratings(path)) == 400


def test_only_once(publisher):
    fetch("ml-1m")
    assert fetch("ML-1M").how == "there"
    assert publisher.n_asked == 1


def test_what_was_kept_and_is_damaged_is_downloaded_again(publisher):
    path, _ = fetch("ml-1m")
    path.write_bytes(publisher.archive[:-1])
    assert fetch("ml-1m").how == "downloaded"
    assert path.read_bytes() == publisher.archive


def test_another_folder(publisher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, _ = fetch("ml-1m", "a/b")
    assert path == tmp_path / "a" / "b" / "ml-1m.zip"


def test_the_users_cache_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("FUNKSVD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert datasets.default_folder().name == "funksvd"
    monkeypatch.setenv("FUNKSVD_DATA", "~/elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.default_folder() == tmp_path / "elsewhere"


def tampered(publisher):
    publisher.sent = publisher.archive.replace(b"ratings.dat", b"ratings.bad")


def cut_short(publisher):
    publisher.sent = publisher.archive[:-100]


def broken_off(publisher):
    publisher.sent, publisher.promised = publisher.archive[:-100], len(publisher.archive)


def gone(publisher):
    publisher.status = 404


def overloaded(publisher):
    publisher.status = 503


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (tampered, "is not the archive of ml-1m that was published"),
        (cut_short, "or not all of it"),
        (broken_off, "broke off"),
        (gone, "answers 404 Not Found"),
        (overloaded, "answers 503"),
    ],
)
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failed_download_leaves_things_as_they_were(publisher, tmp_path, fault, said, before):
    fault(publisher)
    kept = tmp_path / "downloads" / "ml-1m.zip"
    if before:
        kept.parent.mkdir()
        kept.write_bytes(before)
    message = the_only_error(DownloadError, "ml-1m")
    assert said in message
    assert f"{publisher.url} with it, and fetch ml-1m again with source= and the name" in message
    assert [path.read_bytes() for path in kept.parent.iterdir()] == ([before] if before else [])


def test_the_wrong_digest_is_named(publisher):
    tampered(publisher)
    message = the_only_error(DownloadError, "ml-1m")
    assert f"sha256 is {hashlib.sha256(publisher.sent).hexdigest()} instead of" in message
    assert publisher.checksum.removeprefix("sha256:") in message


def test_no_network(publisher, monkeypatch):
    nobody = replace(DATASETS["ml-1m"], urls=("http://127.0.0.1:9/ml-1m.zip",))
    monkeypatch.setitem(DATASETS, "ml-1m", nobody)
    assert (
        "127.0.0.1:9 cannot be reached (is there a network?). If a browser can"
        in the_only_error(DownloadError, "ml-1m")
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.SSLError("expired"), "the certificate of"),
        (requests.exceptions.ReadTimeout("30"), "does not answer in time"),
        (requests.exceptions.TooManyRedirects("30 times"), "30 times"),
    ],
)
def test_what_else_goes_wrong_on_the_way(publisher, monkeypatch, error, said):
    def get(*arguments, **options):
        raise error

    monkeypatch.setattr(requests, "get", get)
    assert said in the_only_error(DownloadError, "ml-1m")


def test_the_next_address_is_tried(publisher, monkeypatch):
    urls = ("http://127.0.0.1:9/ml-1m.zip", publisher.url)
    monkeypatch.setitem(DATASETS, "ml-1m", replace(DATASETS["ml-1m"], urls=urls))
    assert fetch("ml-1m").how == "downloaded"
    tampered(publisher)
    fetch("ml-1m").path.unlink()
    message = the_only_error(DownloadError, "ml-1m")
    assert "127.0.0.1:9 cannot be reached" in message
    assert "is not the archive" in message


def test_an_interrupted_download_leaves_nothing(publisher, tmp_path):
    class Impatient:
        total = None

        def update(self, n_bytes):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("ml-1m", progress=Impatient())
    assert list((tmp_path / "downloads").iterdir()) == []


def test_progress(publisher, monkeypatch):
    monkeypatch.setattr(datasets, "CHUNK_BYTES", 64)

    class Bar:
        calls = ()
        total = None

        def update(self, n_bytes):
            self.calls += (n_bytes,)

        def reset(self):
            self.before_reset, self.calls = sum(self.calls), ()

        def close(self):
            self.is_closed = True

    bar = Bar()
    fetch("ml-1m", progress=bar)
    size = len(publisher.archive)
    assert (bar.total, sum(bar.calls), bar.is_closed) == (size, size, True)
    assert size <= bar.before_reset < size + 64


def test_from_a_file(publisher, tmp_path):
    given = tmp_path / "given.zip"
    given.write_bytes(publisher.archive)
    path, how = fetch("ml-1m", source=given)
    assert (path.read_bytes(), how) == (publisher.archive, "copied")
    assert publisher.n_asked == 0
    assert given.is_file()


def test_from_a_file_that_is_another(publisher, tmp_path):
    given = tmp_path / "given.zip"
    given.write_bytes(publisher.archive[:-1])
    message = the_only_error(RatingsError, "ml-1m", source=given)
    assert message.startswith(f"{given} is not the archive of ml-1m")
    assert publisher.url in message
    assert not (tmp_path / "downloads" / "ml-1m.zip").exists()


@pytest.mark.parametrize("name", ["nothing.zip", "."])
def test_from_a_file_that_is_not_there(publisher, tmp_path, name):
    message = the_only_error(RatingsError, "ml-1m", source=tmp_path / name)
    assert message.startswith(f"{tmp_path / name} cannot be read")


def test_a_folder_that_cannot_be_made(publisher, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    message = the_only_error(DownloadError, "ml-1m", tmp_path / "file")
    assert f"{tmp_path / 'file' / 'ml-1m.zip'}: ml-1m cannot be kept there" in message
    assert "Name another folder with folder= or in the environment variable" in message


@pytest.mark.parametrize(
    ("name", "said"), [("ml1m", "Did you mean ml-1m?"), ("netflix", "only ml-100k, ml-1m")]
)
def test_unknown_names(name, said):
    assert said in the_only_error(RatingsError, name)


# -- archives with the members that the published ones have, read as they are ---------------------


def archive(tmp_path, **members):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in members.items():
            packed.writestr(name.replace("__", "."), text)
    return path


def test_an_archive_like_that_of_jester(tmp_path):
    path = archive(
        tmp_path,
        jester_items__dat="5:\n<p>\nA joke\n</p>\n\n7:\n<p>\nAnother\n</p>\n",
        jester_ratings__dat="1\t\t5\t\t0.219\n1\t\t7\t\t-9.281\n63978\t\t5\t\t10.000\n",
    )
    ratings = read_ratings(path)
    assert ratings.user_ids[ratings.user_index].tolist() == [1, 1, 63978]
    assert ratings.item_ids[ratings.item_index].tolist() == [5, 7, 5]
    assert ratings.values.tolist() == pytest.approx([0.219, -9.281, 10])


def test_an_archive_like_that_of_goodbooks(tmp_path):
    path = archive(
        tmp_path,
        book_tags__csv="goodreads_book_id,tag_id,count\n1,30574,167697\n",
        books__csv="book_id,goodreads_book_id,authors,original_title,title\n258,7,C,Sombra,Wind\n",
        ratings__csv="user_id,book_id,rating\n1,258,5\n2,4081,4\n",
        sample_book__xml="<xml/>",
        tags__csv="tag_id,tag_name\n0,-\n",
        to_read__csv="user_id,book_id\n9,8\n",
    )
    assert read_ratings(path).item_ids.tolist() == [258, 4081]
    assert read_titles(path) == {258: "Wind"}
