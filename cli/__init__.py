"""The command line: the only part that prints, asks or exits. One file a command.

Command bodies import `funksvd` when they run, so that `--help` answers at once.
"""
