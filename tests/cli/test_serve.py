"""`funksvd serve`."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from fuzz import models


def test_it_serves_until_interrupted(here, root):
    command = [sys.executable, "-m", "funksvd", "serve", "--items", "items.csv", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            line = process.stdout.readline().strip()
            address = re.search(r"http://127\.0\.0\.1:\d+$", line).group()
            body = json.dumps({"ratings": [{"item": 7, "rating": 4.5}], "n": 3}).encode()
            request = urllib.request.Request(
                f"{address}/fold-in", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request) as answer:
                assert len(json.load(answer)["recommendations"]) == 3
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.stdout.read(), process.stderr.read()
    assert "Ctrl-C ends it" in out
    assert "Traceback" not in err


def wait_for(ask, status):
    while ask("healthz")["status"] != status:
        time.sleep(0.01)


def test_models_that_take_the_place_of_the_old_one(here, root):
    from funksvd import FunkSVD

    command = [sys.executable, "-m", "funksvd", "serve", "--port", "0", "--reload-every", "0.05"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    content = (here / "model.funksvd").read_bytes()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline().strip()
            address = re.search(r"http://127\.0\.0\.1:\d+$", line).group()

            def ask(path):
                with urllib.request.urlopen(f"{address}/{path}") as answer:
                    return json.load(answer)

            before = ask("similar?item=7")
            (here / "model.funksvd").write_bytes(b"")
            for _ in range(20):
                assert ask("similar?item=7") == before
            (here / "model.funksvd").write_bytes(content)
            wait_for(ask, "ok")
            assert ask("similar?item=7") == before
            FunkSVD.load("model.funksvd").save("model.funksvd", with_seen=False)
            wait_for(ask, "stale")  # as where it is served from the start
            assert len(ask("recommend?user=1")) == 10
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
    assert process.returncode == 130


def test_folders_are_mapped_and_taken_over_as_a_whole(here, root):
    from funksvd import FunkSVD, copy_model

    copy_model("model.funksvd", "folder.funksvd", as_folder=True)
    command = [sys.executable, "-m", "funksvd", "serve", "folder.funksvd", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [*command, "--reload-every", "0.05"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            line = process.stdout.readline().strip()
            address = re.search(r"http://127\.0\.0\.1:\d+$", line).group()

            def ask(path):
                with urllib.request.urlopen(f"{address}/{path}") as answer:
                    return json.load(answer)

            def reloads():
                with urllib.request.urlopen(f"{address}/metrics") as answer:
                    text = answer.read().decode()
                    return re.search(r"^funksvd_model_reloads (\S+)", text, re.MULTILINE)[1]

            if sys.platform == "linux":
                maps = (here / "/proc" / str(process.pid) / "maps").read_text()
                assert f"{here}/folder.funksvd/choice.item_factors.bin" in maps
            before = ask("similar?item=7")
            (here / "folder.funksvd" / "seen.items.bin").rename("kept")
            wait_for(ask, "stale")
            assert ask("similar?item=7") == before
            (here / "kept").rename("folder.funksvd/seen.items.bin")
            wait_for(ask, "ok")
            assert ask("similar?item=7") == before
            other = FunkSVD.load("folder.funksvd")
            other.fitted.item_vectors[:] = other.fitted.item_vectors[::-1]
            n_reloads = reloads()
            other.save("folder.funksvd")
            while reloads() == n_reloads:
                time.sleep(0.01)
            assert ask("similar?item=7") != before
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
    assert process.returncode == 130


def test_a_port_in_use(error_of, here):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1, port {port}" in error_of("serve", "--port", port)


def test_rated_items_must_be_known(error_of, here):
    from funksvd import FunkSVD

    FunkSVD.load("model.funksvd").save("small.funksvd", with_seen=False)
    assert "rated items cannot be left out" in error_of("serve", "small.funksvd")


def test_a_model_that_nobody_new_can_ask(error_of, here, planted):
    from funksvd import FunkSVD, Ratings

    r = planted(40, 30, 2, 600, 0.3)
    binary = Ratings.from_arrays(
        r.user_index, r.item_index, (r.values > r.values.mean()).astype(int)
    )
    FunkSVD(loss="logistic", n_epochs=2).fit(binary).save("model.funksvd")
    assert "with the logistic loss nobody new can be recommended to" in error_of("serve")


def test_a_model_without_users(error_of, here):
    parsed = models.parse((here / "model.funksvd").read_bytes())
    for name in ("user_ids", "rating.user_factors", "rating.user_biases", "seen.items"):
        parsed.tensors[name] = parsed.tensors[name][:0]
    parsed.tensors["seen.indptr"] = parsed.tensors["seen.indptr"][:1]
    (here / "model.funksvd").write_bytes(models.write(parsed))
    assert "model.funksvd" in error_of("serve")


def test_what_is_missing_is_named(error_of, here, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("funksvd.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'installed from, pip install ".[serve]"' in error_of("serve")


@pytest.mark.parametrize("arguments", [["none.funksvd"], ["--items", "none.csv"]])
def test_files_that_are_not_there(error_of, here, arguments):
    assert "none." in error_of("serve", *arguments)
