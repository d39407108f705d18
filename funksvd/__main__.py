"""`python -m funksvd`: the command line."""

from funksvd_cli.main import main

main()
