"""`replacing`: whole or not at all."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from funksvd import WriteError
from funksvd.atomic import check_replaceable, present, replacing


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_exception_the_old_file_stays_and_nothing_else(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_two_at_once_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "file") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_the_target_of_a_symbolic_link_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(WriteError), replacing(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_what_is_not_a_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # stands for a device: the superuser could replace /dev/null
    with pytest.raises(OSError, match="not a regular file"), replacing(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(("name", "why"), [("nowhere/file", "does not exist"), ("", "is a folder")])
@pytest.mark.parametrize("check", [check_replaceable, lambda path: replacing(path).__enter__()])
def test_what_cannot_be_written_is_named(tmp_path, check, name, why):
    with pytest.raises(WriteError, match=f"{re.escape(str(tmp_path / name))} .*{why}") as caught:
        check(tmp_path / name)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno
    assert caught.value.strerror
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_mounted_by_itself_cannot_be_replaced(tmp_path, monkeypatch):
    mounts = f"36 35 98:0 / {tmp_path}/my\\040file rw - ext4 /dev/root rw\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    check_replaceable(tmp_path / "file")
    with pytest.raises(WriteError, match="mount its folder instead"):
        check_replaceable(tmp_path / "my file")


def test_a_folder_in_which_no_file_can_be_made(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(WriteError, match=r"file cannot be written: Read-only file system$"):
        check_replaceable(tmp_path / "file")


def test_errors_of_other_files_are_left_alone(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file"):
        (tmp_path / "input").read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_the_file(tmp_path, number):
    with pytest.raises(WriteError, match="my file cannot be written: ") as caught:  # noqa: SIM117
        with replacing(tmp_path / "my file"):
            raise OSError(number, os.strerror(number))
    assert caught.value.errno == number
    assert os.listdir(tmp_path) == []


WRITE = """
import os, signal, sys
from funksvd.atomic import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("half", flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    input()
    temporary.write_text("whole")
"""


def test_what_a_killed_process_left_is_removed_and_what_another_is_writing_is_not(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    others = [".file.0123456.tmp", ".file.01234567.tmp.x", ".a.file.01234567.tmp", ".file"]
    for name in others:
        (tmp_path / name).write_text("someone's")
    (tmp_path / ".file.00000000.tmp").symlink_to(tmp_path / ".file")
    (tmp_path / ".file.00000001.tmp").mkdir()
    others += [".file.00000000.tmp", ".file.00000001.tmp", "file"]
    command = [sys.executable, "-c", WRITE, path]
    for _ in range(2):
        assert subprocess.run([*command, "killed"], check=False, stdout=-1).returncode == -9
        (leftover,) = set(os.listdir(tmp_path)) - {*others}
        assert path.read_text() == "old"
    with subprocess.Popen([*command, ""], stdin=-1, stdout=-1) as living:
        living.stdout.readline()
        assert not (tmp_path / leftover).exists()
        with replacing(path) as temporary:
            temporary.write_text("new")
        assert len(os.listdir(tmp_path)) == len(others) + 1
        living.communicate(b"\n")
    assert living.returncode == 0
    assert path.read_text() == "whole"
    assert set(os.listdir(tmp_path)) == {*others}


def test_the_permissions_of_an_existing_file_are_kept(tmp_path):
    target = tmp_path / "private"
    target.write_text("old")
    target.chmod(0o600)
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_private_file_is_private_while_it_is_written(tmp_path):
    target = tmp_path / "private"
    target.write_text("old")
    target.chmod(0o600)
    with replacing(target) as temporary:
        assert temporary.stat().st_mode & 0o777 == 0o600


# -- folders ---------------------------------------------------------------------------------------


def any_folder(folder):
    return True


def put(path, **content):
    """Replace what is at a path by a folder with these files."""
    with replacing(path, as_folder=True, may_replace=any_folder) as temporary:
        for name, text in content.items():
            (temporary / name).write_text(text)


def texts(path):
    """The content of a file, or of each file of a folder."""
    if path.is_file():
        return path.read_text()
    return {each.name: each.read_text() for each in path.iterdir()}


def fill(path, kind):
    """Put something old there."""
    if kind == "file":
        path.write_text("old")
    elif kind == "folder":
        path.mkdir()
        (path / "a").write_text("old")
        (path / "b").write_text("old")


KINDS = pytest.mark.parametrize("kind", ["nothing", "file", "folder"])


@KINDS
@pytest.mark.parametrize("as_folder", [True, False])
def test_files_and_folders_take_each_others_places(tmp_path, kind, as_folder):
    path = tmp_path / "it"
    fill(path, kind)
    before = texts(path) if path.exists() else None
    with replacing(path, as_folder=as_folder, may_replace=any_folder) as temporary:
        (temporary / "a" if as_folder else temporary).write_text("new")
        assert (texts(path) if path.exists() else None) == before
        assert present(path) == path
    assert texts(path) == ({"a": "new"} if as_folder else "new")
    assert os.listdir(tmp_path) == ["it"]


@KINDS
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_exception_what_was_there_stays_and_nothing_else(tmp_path, kind, error):
    path = tmp_path / "it"
    fill(path, kind)
    before = texts(path) if path.exists() else None
    with (  # noqa: PT012
        pytest.raises(error),
        replacing(path, as_folder=True, may_replace=any_folder) as temporary,
    ):
        (temporary / "a").write_text("half")
        raise error
    assert (texts(path) if path.exists() else None) == before
    assert os.listdir(tmp_path) == ([] if kind == "nothing" else ["it"])


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_rename_that_fails_brings_back_what_was_there(tmp_path, kind, monkeypatch):
    path = tmp_path / "it"
    fill(path, kind)
    before = texts(path)
    replace, n_calls = os.replace, []

    def fail_at_last(source, target):
        n_calls.append(source)
        if len(n_calls) == 2:
            raise OSError(errno.EIO, "Input/output error", str(source))
        replace(source, target)

    monkeypatch.setattr("os.replace", fail_at_last)
    with pytest.raises(WriteError, match="it cannot be written: Input/output error"):
        put(path, a="new")
    assert len(n_calls) == 2
    assert texts(path) == before
    assert os.listdir(tmp_path) == ["it"]


def test_a_folder_that_may_not_be_replaced(tmp_path):
    path = tmp_path / "it"
    fill(path, "folder")
    before = texts(path)
    for as_folder in (True, False):
        for may_replace in (None, lambda folder: (folder / "mine").exists()):
            with (
                pytest.raises(
                    WriteError, match=r"it is a folder( with other files in it)?; give another name"
                ),
                replacing(path, as_folder=as_folder, may_replace=may_replace),
            ):
                pass
            with pytest.raises(WriteError, match="it is a folder"):
                check_replaceable(path, may_replace=may_replace)
    check_replaceable(path, may_replace=any_folder)
    assert texts(path) == before
    assert os.listdir(tmp_path) == ["it"]


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_folder_that_comes_meanwhile_and_may_not_be_replaced(tmp_path, as_folder):
    path = tmp_path / "it"
    with (  # noqa: PT012
        pytest.raises(WriteError, match="cannot be written"),
        replacing(path, as_folder=as_folder, may_replace=lambda folder: False) as temporary,
    ):
        (temporary / "a" if as_folder else temporary).write_text("new")
        fill(path, "folder")
    assert texts(path) == {"a": "old", "b": "old"}
    assert os.listdir(tmp_path) == ["it"]


def test_two_folders_at_once_do_not_meet(tmp_path):
    path = tmp_path / "it"
    fill(path, "file")
    with replacing(path, as_folder=True, may_replace=any_folder) as first:
        (first / "a").write_text("first")
        put(path, a="second")
    assert texts(path) == {"a": "first"}
    assert os.listdir(tmp_path) == ["it"]


def test_what_another_process_puts_there_at_the_last_moment_is_replaced_too(tmp_path, monkeypatch):
    path = tmp_path / "it"
    fill(path, "folder")
    rename, n_calls = os.rename, []

    def rename_and_put(source, target):
        rename(source, target)
        n_calls.append(source)
        if len(n_calls) < 3:
            fill(path, "folder")

    monkeypatch.setattr("os.rename", rename_and_put)
    put(path, a="new")
    assert n_calls == [path] * 3
    assert texts(path) == {"a": "new"}
    assert os.listdir(tmp_path) == ["it"]


def test_a_folder_that_is_open_can_be_read_on(tmp_path):
    path = tmp_path / "it"
    put(path, a="old")
    with open(path / "a") as file:
        put(path, a="new")
        assert file.read() == "old"


def test_a_link_to_a_folder_keeps_its_target(tmp_path):
    (tmp_path / "there").mkdir()
    put(tmp_path / "there" / "it", a="old")
    (tmp_path / "link").symlink_to(tmp_path / "there" / "it")
    put(tmp_path / "link", a="new")
    assert (tmp_path / "link").is_symlink()
    assert texts(tmp_path / "there" / "it") == {"a": "new"}


@pytest.mark.parametrize(
    ("kind", "old", "as_folder", "new"),
    [
        ("file", 0o600, True, 0o700),
        ("file", 0o644, True, 0o755),
        ("folder", 0o750, True, 0o750),
        ("folder", 0o750, False, 0o640),
    ],
)
def test_permissions_are_kept_from_file_to_folder_and_back(tmp_path, kind, old, as_folder, new):
    path = tmp_path / "it"
    fill(path, kind)
    path.chmod(old)
    with replacing(path, as_folder=as_folder, may_replace=any_folder) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == new
    assert stat.S_IMODE(path.stat().st_mode) == new


WRITE_FOLDER = """
import os, signal, sys
from pathlib import Path
from funksvd.atomic import replacing

path, when = Path(sys.argv[1]), sys.argv[2]
replace = os.replace

def replace_and_die(source, target):
    if Path(target).exists():
        replace(source, target)  # fails, as it must
    os.kill(os.getpid(), signal.SIGKILL)

if when == "aside":
    os.replace = replace_and_die
with replacing(path, as_folder=True, may_replace=lambda folder: True) as temporary:
    (temporary / "a").write_text("half")
    print("half", flush=True)
    if when == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if when == "waiting":
        input()
    (temporary / "a").write_text("whole")
"""


@KINDS
@pytest.mark.parametrize("as_folder", [True, False])
def test_a_folder_that_a_killed_process_left_is_removed_by_the_next(tmp_path, kind, as_folder):
    path = tmp_path / "it"
    fill(path, kind)
    before = texts(path) if path.exists() else None
    others = [".it.0123456.tmp", ".it.01234567.old.x", ".a.it.01234567.tmp"]
    for name in others:
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", WRITE_FOLDER, path]
    for _ in range(2):
        assert subprocess.run([*command, "killed"], check=False, stdout=-1).returncode == -9
        (leftover,) = set(os.listdir(tmp_path)) - {*others, "it"}
        assert (texts(path) if path.exists() else None) == before
    with subprocess.Popen([*command, "waiting"], stdin=-1, stdout=-1) as living:
        living.stdout.readline()
        assert not (tmp_path / leftover).exists()
        with replacing(path, as_folder=as_folder, may_replace=any_folder) as temporary:
            (temporary / "a" if as_folder else temporary).write_text("new")
        assert texts(path) == ({"a": "new"} if as_folder else "new")
        living.communicate(b"\n")
    assert living.returncode == 0
    assert texts(path) == {"a": "whole"}
    assert set(os.listdir(tmp_path)) == {*others, "it"}


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("as_folder", [True, False])
def test_what_was_moved_aside_when_a_process_was_killed_is_found_and_put_back(
    tmp_path, kind, as_folder
):
    path = tmp_path / "it"
    fill(path, kind)
    before = texts(path)
    command = [sys.executable, "-c", WRITE_FOLDER, path, "aside"]
    assert subprocess.run(command, check=False, stdout=-1).returncode == -9
    assert not path.exists()
    assert len(os.listdir(tmp_path)) == 2
    assert present(path).name.endswith(".old")
    assert texts(present(path)) == before
    with pytest.raises(KeyboardInterrupt), replacing(path, may_replace=any_folder):  # noqa: PT012
        assert texts(path) == before
        raise KeyboardInterrupt
    assert texts(path) == before
    assert os.listdir(tmp_path) == ["it"]
    assert subprocess.run(command, check=False, stdout=-1).returncode == -9
    with replacing(path, as_folder=as_folder, may_replace=any_folder) as temporary:
        (temporary / "a" if as_folder else temporary).write_text("new")
    assert texts(path) == ({"a": "new"} if as_folder else "new")
    assert os.listdir(tmp_path) == ["it"]
