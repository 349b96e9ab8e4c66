"""`python -m facette` is the command `facette`."""

from facette.cli import main

main()
