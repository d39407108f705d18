"""The pages in docs/ keep their word: blocks are run, or read as their programs would."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pyarrow.csv
import pytest
from commands import COMMANDS

from funksvd_cli.main import run

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "beyond-one-machine.md").read_text(encoding="utf-8")
OTHERS = {"chmod", "export", "kubectl", "pip"}
"""Programs that are not asked whether they know their options."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def lines_of(language):
    return [line for block in blocks(language) for line in block.splitlines()]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the sample in parts: two of CSV in ratings/."""
    table = pyarrow.csv.read_csv(ROOT / "data" / "ratings.csv")
    (tmp_path / "ratings").mkdir()
    half = table.num_rows // 2
    for number, part in enumerate((table[:half], table[half:])):
        pyarrow.csv.write_csv(part, tmp_path / "ratings" / f"part-{number}.csv")
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(workplace, capsys):
    for line in lines_of("console"):
        program, *arguments = shlex.split(line.removeprefix("$ "), comments=True)
        if program == "python":
            continue  # the next test but one
        assert program == "funksvd"
        if "--cluster" in arguments and find_spec("ray") is None:
            continue
        assert run(arguments) == 0, line
        assert capsys.readouterr().out or "--quiet" in arguments


def test_the_python_example(workplace):
    (block,) = blocks("python")
    result = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "item" in result.stdout


def test_the_table_of_costs_is_what_the_script_prints():
    script = ROOT / "scripts" / "model_cluster.py"
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert result.stdout in blocks("text")


def check_options(arguments):
    """Raise if a command of funksvd would not take arguments."""
    name = next(name for name in (" ".join(arguments[:2]), arguments[0]) if name in COMMANDS)
    COMMANDS[name].make_context(name, arguments[len(name.split()) :])


def check_ray(arguments):
    """Raise if Ray's own command line would not take arguments."""
    scripts = pytest.importorskip("ray.scripts.scripts")
    if "--" in arguments:  # options of `ray start`, and a command
        at = arguments.index("--")
        assert arguments.pop(0) == "symmetric-run"
        check_command(arguments[at:])
        address, count = arguments.index("--address"), arguments.index("--min-nodes")
        taken = {address, address + 1, count, count + 1}
        arguments = ["start", *(x for i, x in enumerate(arguments[: at - 1]) if i not in taken)]
    command = scripts.cli.commands[arguments[0]]
    command.make_context(arguments[0], arguments[1:])


def check_command(words):
    program, *arguments = words
    if program == "funksvd":
        check_options(arguments)
    elif program == "ray":
        check_ray(arguments)
    elif program == "kubectl" and "--" in arguments:
        check_command(arguments[arguments.index("--") + 1 :])
    else:
        assert program.partition("=")[0] in {*OTHERS, "head"}, program


@pytest.mark.parametrize("line", lines_of("sh"))
def test_commands_for_other_machines_can_be_read(line):
    line = re.sub(r"\s*> /dev/null$", "", line)
    check_command(shlex.split(line, comments=True))


def test_what_is_wrong_is_found():
    with pytest.raises(click.UsageError):
        check_command(shlex.split("funksvd train a.csv --cluster auto --no-such-option"))
    with pytest.raises(AssertionError):
        check_command(["nonsense"])


def test_the_batch_script_can_be_read():
    (script,) = blocks("bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (command,) = (
        line for line in script.replace("\\\n", " ").splitlines() if line.startswith("srun")
    )
    words = shlex.split(command.replace('"$SLURM_CPUS_PER_TASK"', "16"))
    words = [re.sub(r"\$SLURM_JOB_NUM_NODES|\$SLURM_CPUS_PER_TASK", "4", word) for word in words]
    check_command(words[words.index("ray") :])


def test_the_cluster_of_kubernetes_is_whole():
    yaml = pytest.importorskip("yaml")
    (block,) = blocks("yaml")
    cluster = yaml.safe_load(block)
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    spec = cluster["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    (image,) = {
        container["image"]
        for group in groups
        for container in group["template"]["spec"]["containers"]
    }
    assert image
    assert all(isinstance(value, str) for value in groups[0]["rayStartParams"].values())
    (dockerfile,) = blocks("dockerfile")
    assert f"ray:{spec['rayVersion']}-" in dockerfile
    (label,) = re.findall(r"ray.io/cluster=(\w+)", PAGE)
    assert label == cluster["metadata"]["name"]


def test_no_other_kind_of_block_goes_unchecked():
    kinds = set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE))
    assert kinds == {"console", "sh", "python", "text", "bash", "dockerfile", "yaml"}


def test_links_within_the_page_lead_somewhere():
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.+?)\)", PAGE)) <= anchors
