"""Rules of the house that a machine can check."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from commands import COMMANDS

import funksvd

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "funksvd").rglob("*.py")) + sorted((ROOT / "cli").rglob("*.py"))


def run_tool(*command):
    tool = shutil.which(command[0], path=str(Path(sys.executable).parent)) or command[0]
    result = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff_finds_nothing():
    run_tool("ruff", "check", "--no-cache")


def test_ruff_would_format_nothing():
    run_tool("ruff", "format", "--check", "--no-cache")


def test_the_type_checker_finds_nothing():
    run_tool("mypy", "funksvd", "cli")


def test_imports_go_down_only():
    run_tool("lint-imports", "--no-cache")


def test_messages_of_the_library_name_no_options():
    """They name arguments by `funksvd.errors.argument`, which the command line words as options."""
    options = {
        option
        for command in COMMANDS.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    assert "--item-col" in options
    named = []
    for path in (ROOT / "funksvd").rglob("*.py"):
        if path.name == "hyperparameters.py":  # options and their help are declared there
            continue
        tree = ast.parse(path.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in docstrings:
                words = re.findall(r"(?<![\w-])--[a-z][a-z-]*", str(node.value))
                named += [f"{path.name}: {word}" for word in words if word in options]
    assert named == []


def test_the_readme_lists_all_modules_in_the_order_of_the_import_contract():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = config["tool"]["importlinter"]["contracts"][0]
    assert contract["exhaustive"]
    layers = [set(layer.split(" | ")) for layer in contract["layers"] if layer != "__main__"]
    table = (ROOT / "README.md").read_text().partition("## Layout")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `funksvd/")]
    named = [
        {re.sub(r"^funksvd/|/$|\.py$", "", name) for name in re.findall("`(.+?)`", row)}
        for row in rows
    ]
    assert named == layers


def test_all_packages_are_installed():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in SOURCES
        if path.name == "__init__.py"
    }
    ref = {re.sub(r"^cli\b", "funksvd_cli", name) for name in folders}
    assert set(config["tool"]["setuptools"]["packages"]) == ref


def test_the_source_distribution_holds_all_that_the_tests_need():
    """MANIFEST.in names each file that is kept with the source, or a folder that it is in."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text().splitlines()]
    named = {words[1] for words in lines if words[0] in ("include", "graft")}
    named |= {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}  # setuptools knows them
    assert {name.partition("/")[0] for name in listed.splitlines()} == named
    assert all((ROOT / words[1]).is_dir() for words in lines if words[0] == "graft")


def test_the_changelog_knows_this_version():
    assert f"## {funksvd.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 700, "is it really one subject?"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_has_too_many_arguments_and_all_have_type_hints(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef):
            continue
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        assert len(arguments) <= 12, f"{node.name} has {len(arguments)} arguments"
        if "kernels" in path.parts:
            continue  # the compiler infers the types there
        bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        assert not bare, f"{node.name}: no type hint for {bare}"
        assert node.returns is not None or node.name == "__init__", f"{node.name}: what it returns"


def test_the_public_names_are_there():
    for name in funksvd.__all__:
        assert getattr(funksvd, name) is not None
    assert set(funksvd.__all__) <= set(dir(funksvd))
    errors = {name for name, value in vars(funksvd.errors).items() if name.endswith("Error")}
    assert errors <= set(funksvd.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        funksvd.nonsense  # noqa: B018


def test_type_checkers_see_the_public_names_where_imports_find_them():
    """The imports under TYPE_CHECKING, in the form that exports a name, and the table."""
    tree = ast.parse(Path(funksvd.__file__).read_text())
    (choice,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = [
        (node.module.removeprefix("funksvd."), name.name, name.asname)
        for node in choice.body
        for name in node.names
    ]
    table = [(home, name, name) for home, names in funksvd._NAMES.items() for name in names]
    assert seen == table


@pytest.mark.parametrize(
    "command", ["import funksvd", "from funksvd_cli.main import cli; dict(cli.commands)"]
)
def test_importing_loads_nothing_heavy(command):
    heavy = ["numpy", "scipy", "numba", "pandas", "pooch", "pyarrow", "rich", "safetensors"]
    code = f"{command}; import sys; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_training_imports_nothing_that_it_does_not_need(tmp_path):
    heavy = ["pandas", "scipy.linalg", "scipy.special", "sympy", "matplotlib", "requests"]
    arguments = ["train", str(ROOT / "data" / "ratings.csv"), "-o", str(tmp_path / "model")]
    code = f"""
import sys
from funksvd_cli.main import run
assert run({arguments}) == 0
print([m for m in {heavy} if m in sys.modules], "numba.np.arraymath" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[] True"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_readme_and_has_an_example(name):
    assert f"`funksvd {name}" in (ROOT / "README.md").read_text()
    assert re.search(r"Examples?:\n +funksvd " + name, COMMANDS[name].epilog)
