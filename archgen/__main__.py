"""`python -m archgen` is the `archgen` command."""

from archgen.cli.main import run

run()
