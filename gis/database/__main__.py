"""Check of this machine for the PostgreSQL that the service needs: `python -m gis.database`."""

import sys

from gis.database.cluster import installation
from gis.errors import SetupError

if __name__ == "__main__":
    try:
        print(installation())
    except SetupError as missing:
        print(missing, file=sys.stderr)
        raise SystemExit(missing.exit_code) from None
