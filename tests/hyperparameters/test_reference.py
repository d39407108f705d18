"""docs/hyperparameters.md, and that algorithms name objectives and checks that there are."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from funksvd.gradcheck import OBJECTIVES
from funksvd.hyperparameters import ALGORITHMS, DECLARATIONS, LOSSES, OPTIMIZERS, SCHEDULES
from funksvd.kernels import RULES
from funksvd.training import LEARNERS

SCRIPT = Path(__file__).parents[2] / "scripts" / "write_reference.py"
spec = importlib.util.spec_from_file_location("write_reference", SCRIPT)
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def test_the_page_is_what_the_declarations_say():
    written = reference.TARGET.read_text()
    assert written == reference.page(), "run scripts/write_reference.py"


def test_everything_that_can_be_chosen_is_on_the_page():
    page = reference.page()
    for name in (*DECLARATIONS, *ALGORITHMS, *LOSSES, *OPTIMIZERS, *SCHEDULES):
        assert f"| `{name}` |" in page
    for table in re.findall(r"(?:\|.*\n)+", page):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_is_declared_stated_checked_and_learned(name):
    algorithm = ALGORITHMS[name]
    assert importlib.import_module(algorithm.objective).__doc__
    assert name in LEARNERS
    assert set(algorithm.gradient_checks) <= OBJECTIVES.keys()
    assert algorithm.gradient_checks


def test_each_gradient_check_is_of_an_algorithm_or_of_a_loss():
    checks = {check for each in ALGORITHMS.values() for check in each.gradient_checks}
    assert checks | (LOSSES.keys() - {"squared"}) == OBJECTIVES.keys()


def test_each_optimizer_has_a_rule_in_the_kernels():
    assert OPTIMIZERS.keys() == RULES.keys()
