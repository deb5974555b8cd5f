"""`python -m api.cli` is `gis`."""

from api.cli import main

main()
