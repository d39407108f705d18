"""Print the two commands that README.md promises, one a line: they are its `sh` blocks."""

import re
import sys
from pathlib import Path


def main() -> None:
    """Print the commands; fail unless there are exactly two, of one line each."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^```sh\n(.*?)\n```$", readme, re.MULTILINE | re.DOTALL)
    if len(commands) != 2 or any("\n" in command for command in commands):
        sys.exit(f"README.md should have two sh blocks of one line each, but has: {commands}")
    print("\n".join(commands))


if __name__ == "__main__":
    main()
