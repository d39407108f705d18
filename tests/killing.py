"""Training that is killed at a checkpoint, as far as one process can be."""

import contextlib

from funksvd.training.checkpoints import RunCheckpoints


class Killed(BaseException):
    """What nobody catches."""


@contextlib.contextmanager
def killed_at(monkeypatch, n, *, half_written=False):
    """Raise `Killed` once checkpoint n is there; or when it is about to be.

    Yields a list: of each checkpoint, whether it is of a run that had ended.
    """
    saved, dead, real = [], [], RunCheckpoints.save

    def save(run, state, dump, *, is_result=False):
        if len(dead):
            raise Killed

        def dump_half(write):
            dump(write)
            if half_written and len(saved) + 1 == n:
                die()

        real(run, state, dump_half, is_result=is_result)
        saved.append(is_result)
        if len(saved) == n:
            die()

    def die():
        dead.append(True)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunCheckpoints, "save", save)
        yield saved
