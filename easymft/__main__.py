"""`python -m easymft` is `python -m easymft.run`."""

from easymft.run import cli

cli()
