"""`funksvd warmup`: compile all kernels ahead of time."""

from __future__ import annotations

import time
from collections import Counter

import click

from .console import Output
from .groups import GroupedCommand, option
from .options import light_output_options


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd warmup
  funksvd warmup -k 32 -k 128
  funksvd warmup --portable""",
)
@option(
    "--n-factors",
    "-k",
    metavar="N",
    type=int,
    multiple=True,
    default=(64,),
    help="Length of the factor vectors to prepare for; may be given several times.  [default: 64]",
)
@option(
    "--portable",
    is_flag=True,
    help="Compile for all x86-64 processors with AVX2 and FMA (Intel's since 2013, AMD's since "
    "2015), or for all 64-bit ARM processors, not for this one only.",
)
@light_output_options
def warmup(*, n_factors: tuple[int, ...], portable: bool, output: Output) -> None:
    """Compile all kernels now, not at their first use.

    Compiled code is kept in a folder of the user's (NUMBA_CACHE_DIR names another one), and is
    found there by later processes. Training is compiled for the default loss; for another one, at
    its first use.

    Code is compiled for the processor at hand. On a machine with another one, all is compiled again
    at its first use. To build a container that runs anywhere, compile with --portable: the results
    are the same, bit for bit, and training is somewhat slower. Set NUMBA_CACHE_DIR in the container
    to a folder that its user can read.
    """
    from funksvd.kernels import cache_folder
    from funksvd.warmup import warm_up

    started = time.perf_counter()
    with output.busy("Compiling"):
        compiled = warm_up(n_factors, portable=portable)
    seconds = time.perf_counter() - started
    folder = cache_folder()
    if output.as_json:
        output.json({"compiled": compiled, "folder": folder, "seconds": seconds})
    elif compiled:
        kernels = [
            name if times == 1 else f"{name} ({times} kinds)"
            for name, times in Counter(name.strip("_") for name in compiled).items()
        ]
        output.note(f"Compiled {', '.join(kernels)} in {seconds:.1f} s")
    else:
        output.note("Nothing to do: all kernels are compiled already")
    if folder is not None:
        output.note(f"They are kept in {folder}")
    elif compiled:
        output.warn(
            "they cannot be kept, so that each process will compile them again: no folder can be "
            "written to; name one in NUMBA_CACHE_DIR"
        )
