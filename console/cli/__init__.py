"""The command line: a command and its signature in one file; ``commands`` lists them, ``program`` runs them."""

from console.cli.program import app as app
from console.cli.program import main as main
