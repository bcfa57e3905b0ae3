"""`python -m fem_rd` is the command line."""

from fem_rd.cli import main

main()
