"""What all commands share: help, exit codes, errors."""

import inspect
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from types import SimpleNamespace

import click
import pytest
from commands import COMMANDS

import funksvd
from funksvd.splitting import hold_out
from funksvd_cli.groups import parameters_of
from funksvd_cli.main import _end_in_order
from funksvd_cli.main import cli as group
from funksvd_cli.reading import layout_options, reading_options
from funksvd_cli.train import train

FUNKSVD = [sys.executable, "-m", "funksvd"]


def test_the_commands():
    ref = "train tune update evaluate compare cross-validate predict recommend similar serve info"
    assert list(group.commands) == [*ref.split(), "report", "data", "export", "gradcheck", "warmup"]
    assert [name for name in COMMANDS if " " in name] == [
        f"data {name}" for name in ("convert", "describe", "fetch", "sample", "split")
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_has_the_first_lines_of_their_help(command):
    *path, name = command.split()
    within = COMMANDS[path[0]] if path else group
    assert within.summaries[name] == COMMANDS[command].help.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "modules"),
    [
        (["--help"], []),
        (["data", "--help"], ["data"]),
        (["info", "--help"], ["info"]),
        (["train", "--help"], ["train"]),
        (["data", "split", "--help"], ["data", "split"]),
        (["evaluate", "--help"], ["evaluate"]),
    ],
    ids=" ".join,
)
def test_only_the_command_that_runs_is_imported(arguments, modules):
    program = (
        "import sys\nfrom funksvd_cli.main import run\n"
        f"run({arguments})\n"
        "names = {m.rpartition('.')[2] for m in sys.modules if m.startswith('funksvd_cli.')}\n"
        f"print(sorted(names & { ({part for name in COMMANDS for part in name.split()}) }))"
    ).replace("cross-validate", "cross_validate")
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert out.splitlines()[-1] == str(modules)


@pytest.mark.parametrize("command", ["data split r.csv", "data sample r.csv -o s.csv", "gradcheck"])
def test_seeds_are_not_negative(error_of, command):
    assert "--seed" in error_of(*command.split(), "--seed", -1)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_explains_every_option(cli, command):
    result = cli(*command.split(), "--help")
    assert result.code == 0
    assert "Example" in result.out
    assert f"  funksvd {command}" in result.out
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name
    assert max(map(len, result.out.splitlines())) <= 80


def examples():
    """All command lines in the epilogs of the help texts."""
    for command in (group, *COMMANDS.values()):
        for line in command.epilog.splitlines():
            if "funksvd " in line:
                yield shlex.split(line[line.index("funksvd ") :])[1:]


@pytest.mark.parametrize("arguments", list(examples()), ids=" ".join)
def test_the_examples_of_the_help_are_valid(arguments):
    command = group
    while isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments)  # parses, does not run


@pytest.mark.parametrize("command", COMMANDS)
def test_no_two_options_of_a_command_go_by_one_name(command):
    names = [parameter.name for parameter in COMMANDS[command].params]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["train", "-h"]])
def test_help_exits_with_0(cli, arguments):
    assert cli(*arguments).code == 0


def test_help_lists_whole_sentences(cli):
    out = cli("--help").out
    assert out.count("...") == 1  # COMMAND [ARGS]...
    assert out.index("  train ") < out.index("  evaluate ") < out.index("  recommend ")


def test_the_test_fraction_in_the_help_is_the_real_one():
    options = {parameter.name: parameter for parameter in train.params}
    test_fraction = inspect.signature(hold_out).parameters["test_fraction"]
    assert options["test_fraction"].default == test_fraction.default


def test_the_reading_options_are_those_of_the_library():
    names = [parameter.name for parameter in parameters_of(reading_options)]
    assert names == [field.name for field in fields(funksvd.ReadOptions)]
    assert [parameter.name for parameter in parameters_of(layout_options)] == names[:-1]


def test_the_version(cli):
    assert cli("--version").out == f"funksvd, version {funksvd.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["train"], ["train", "--no-such-option"], ["recommend", "-n", "0"], ["similar"]],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(error_of, arguments):
    error_of(*arguments)


def test_without_a_command_there_is_help(cli):
    result = cli()
    assert result.code == 2
    assert "Usage: funksvd" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "missing.funksvd"],
        ["info", "missing.funksvd"],
        ["predict", "-m", "missing.funksvd", "--user", "1", "--item", "1"],
        ["recommend", "-m", "missing.funksvd", "--user", "1"],
        ["similar", "-m", "missing.funksvd", "1"],
    ],
    ids=" ".join,
)
def test_a_missing_model_is_named_with_what_to_do(error_of, here, arguments):
    message = error_of(*arguments)
    assert "missing.funksvd: there is no such model file" in message
    assert "funksvd train RATINGS" in message


@pytest.mark.parametrize("arguments", [["evaluate"], ["info"], ["similar", "1"]], ids=" ".join)
def test_a_damaged_model_is_one_error(error_of, here, arguments):
    whole = (here / "model.funksvd").read_bytes()
    (here / "model.funksvd").write_bytes(whole[: len(whole) // 2])
    assert "model.funksvd: not a model file, or one that was cut short" in error_of(*arguments)


def test_a_ratings_file_where_a_model_should_be(error_of, here):
    assert "ratings.csv: not a model file" in error_of("evaluate", "ratings.csv")


def test_a_mistake_of_ours_is_not_hidden(cli, here, monkeypatch):
    def fail(path):
        raise ValueError("a bug")

    monkeypatch.setattr("funksvd.FunkSVD.load", fail)
    with pytest.raises(ValueError, match="a bug"):
        cli("info")


SHORT = "Error: not enough memory"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (MemoryError(), 1, SHORT),
        (RuntimeError("can't start new thread"), 1, f"{SHORT}: can't start new thread"),
        (ImportError("x.so: failed to map segment"), 1, f"{SHORT}: x.so: failed to map segment"),
        (OSError(5, "Input/output error"), 1, "Error: [Errno 5] Input/output error"),
        (funksvd.DivergenceError("too large"), 1, "Error: too large"),
        (funksvd.DownloadError("gone"), 1, "Error: gone"),
    ],
    ids=["interrupt", "memory", "threads", "libraries", "disk", "divergence", "download"],
)
def test_failures_and_their_exit_codes(cli, here, monkeypatch, error, code, message):
    def fail(path):
        raise error

    monkeypatch.setattr("funksvd.FunkSVD.load", fail)
    result = cli("info")
    assert (result.code, result.err.strip()) == (code, message)


# -- as separate processes -------------------------------------------------------------------------


def test_help_does_not_load_what_is_slow():
    program = (
        "import sys\nfrom funksvd_cli.main import run\nrun(['train', '--help'])\n"
        "slow = {'numpy', 'numba', 'pandas', 'pooch', 'pyarrow', 'rich', 'scipy'}\n"
        "slow &= sys.modules.keys()\n"
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_exit_codes_reach_the_shell(here):
    codes = [
        subprocess.run([*FUNKSVD, *arguments], capture_output=True, check=False).returncode
        for arguments in (["info", "--json"], ["info", "nothing"], ["nonsense"])
    ]
    assert codes == [0, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "reader", "expected"),
    [
        (
            "--all-users -n 100 --format csv",
            "head -n 1",
            "user,rank,item,score,prediction,n_ratings\n",
        ),
        ("--user 1", "head -n 1", "rank   item   score   prediction   n_ratings\n"),
        ("--user 1 --format csv", "true", ""),  # gone before there is anything to write
    ],
)
def test_a_reader_that_has_had_enough_causes_no_traceback(here, arguments, reader, expected):
    command = f"unset PYTHONUNBUFFERED; {shlex.join(FUNKSVD)} recommend {arguments} | {reader}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal")
def test_a_signal_after_the_work_causes_no_traceback():
    """It comes while signals are about to be ignored."""
    program = (
        "import os, signal\nfrom funksvd_cli import main\nset_handler = signal.signal\n"
        "def hung_up(number, handler):\n"
        "    if handler is signal.SIG_IGN:\n"
        "        signal.signal = set_handler\n"
        "        os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return set_handler(number, handler)\n"
        "signal.signal = hung_up\nmain.main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (129, "")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_in_a_callback_from_c_is_not_lost(name, code):
    program = (
        "import ctypes, os, signal, time\nfrom funksvd_cli import main\n"
        f"shoot = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.{name}))\n"
        "def run(arguments):\n"
        "    shoot()\n"
        "    time.sleep(60)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main.run = run\nmain.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")


FULL = "Error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("| head -n 1", 1, ""),
        ("| true", 1, ""),
        ("--json > /dev/full", 1, FULL),
        ("--learning-rate 30 > /dev/null 2> /dev/full", 1, ""),  # warnings
        (">&- 2>&- <&-", 1, ""),
        ("> /dev/null 2>&-", 0, ""),
    ],
)
def test_a_model_is_not_lost_with_what_is_printed(here, quick, ending, code, said):
    train = shlex.join([*FUNKSVD, "train", "ratings.csv", "-o", "new.funksvd", *quick])
    command = f"{train} {ending}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, said)
    assert funksvd.FunkSVD.load(here / "new.funksvd").is_fitted


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("export -o out.npz", "out.npz"),
        ("data convert ratings.csv -o out.csv --json", "out.csv"),
        ("recommend --user 1 -o out.csv", "out.csv"),
        ("recommend --user 1 --format csv", None),
        ("recommend --user 1", None),
        ("data convert ratings.csv -o -", None),
        ("--help", None),
    ],
)
def test_a_full_disk_behind_standard_output(here, line, written):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*FUNKSVD, *line.split()], stdout=full, stderr=-1, text=True)
    assert (done.returncode, done.stderr) == (1, FULL)
    assert written is None or os.path.getsize(written)


def test_a_title_that_the_output_cannot_show_is_not_an_error(here):
    (here / "titles.csv").write_text("item,title\n" + "".join(f"{i},千 –\n" for i in range(500)))
    command = [*FUNKSVD, "recommend", "--user", "1", "--items", "titles.csv", "-n", "2"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? ?" in done.stdout


def test_python_m_funksvd_is_the_command(here, cli):
    done = subprocess.run([*FUNKSVD, "info", "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout) == json.loads(cli("info", "--json").out)


def test_a_signal_that_comes_while_it_is_sent_again_is_not_lost(monkeypatch):
    starts = []

    class Timer:
        def __init__(self, *how):
            pass

        def start(self):
            starts.append(self)
            if len(starts) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    monkeypatch.setattr(threading, "Timer", Timer)
    _end_in_order()
    sys.unraisablehook(SimpleNamespace(exc_value=KeyboardInterrupt()))
    assert len(starts) == 2
