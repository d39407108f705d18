"""What every executor must do, and threads do."""

import threading
import time

import pytest

from funksvd.training.executors import Executor, Threads


class OneByOne(Executor):
    """As little as an executor can be."""

    n_threads = 1

    def map(self, function, *arguments):
        return [function(*each) for each in zip(*arguments, strict=True)]

    def __exit__(self, kind, error, trace):
        pass


@pytest.fixture(params=[OneByOne, lambda: Threads(1), lambda: Threads(3)])
def executor(request):
    with request.param() as executor:
        yield executor


def test_results_are_in_the_order_of_the_arguments(executor):
    def slowest_first(n, label):
        time.sleep((5 - n) / 500)
        return n, label

    assert executor.map(slowest_first, range(5), "abcde") == list(enumerate("abcde"))
    assert executor.map(slowest_first, [], []) == []


def test_sums_are_rounded_once(executor):
    parts = [1e16, 1.0, -1e16, 1.0]

    def slowest_first(part, n):
        time.sleep(n / 500)
        return part

    assert executor.sum(slowest_first, parts, [4, 3, 2, 1]) == 2.0
    assert executor.sum(slowest_first, parts[::-1], [4, 3, 2, 1]) == 2.0
    assert executor.sum(slowest_first, [], []) == 0


def test_arguments_of_different_lengths_are_refused(executor):
    with pytest.raises(ValueError, match="shorter"):
        executor.map(lambda a, b: None, range(3), range(2))


def test_an_error_is_passed_on_once_no_call_still_runs(executor):
    running, most = set(), []

    def fail_first(n):
        running.add(n)
        most.append(len(running))
        time.sleep(0.001 if n == 0 else 0.02)
        running.discard(n)
        if n == 0:
            raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        executor.map(fail_first, range(6))
    assert not running
    assert max(most) <= executor.n_threads


def test_several_threads_work_at_the_same_time():
    meeting = threading.Barrier(3)
    with Threads(3) as threads:
        threads.map(lambda n: meeting.wait(10), range(3))  # else it breaks


def test_threads_end_with_the_block():
    before = threading.active_count()
    with Threads(2) as threads:
        threads.map(time.sleep, [0.001] * 4)
        assert threading.active_count() > before
    assert threading.active_count() == before
