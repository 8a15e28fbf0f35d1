"""Run the command line as `python -m edgekd`."""

from edgekd.cli.main import main

main()
