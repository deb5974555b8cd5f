"""The receiver of webhooks that docs/how-to/delivery.md shows, to be run by the tests."""

import re
from pathlib import Path
from typing import Any

_PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "delivery.md"
(_CODE,) = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
_names: dict[str, Any] = {}
exec(_CODE, _names)

accept = _names["accept"]
is_ours = _names["is_ours"]
