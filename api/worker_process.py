"""`python -m api.worker_process`: the `gis work` of `gis up`, which ends with it."""

import sys

from api.cli.output import complain
from api.cli.work import work
from gis.errors import GisError
from gis.jobs.parent import die_with

if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    try:
        work()
    except GisError as error:
        complain(str(error))
        sys.exit(error.exit_code)
