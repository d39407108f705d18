"""Ctrl-C at a moment when nothing is lost by it."""

import signal

import pytest

from funksvd.training import Interrupts


def test_interrupts_wait_only_while_there_is_something_to_lose():
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.armed = True
        signal.raise_signal(signal.SIGINT)  # nothing happens yet
        assert interrupts.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # the person insists
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt), Interrupts(armed=True):
        signal.raise_signal(signal.SIGINT)


def test_someone_elses_handler_is_left_alone():
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with Interrupts(armed=True) as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.requested
    finally:
        signal.signal(signal.SIGINT, before)
