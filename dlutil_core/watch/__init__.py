"""How a search goes, from its trial folders alone: `dlutil plan` and `dlutil watch`.

============ ================================================================
`state`      reads the folders: which trials are done, running, failed, waiting
`text`       the plan and a summary as plain text
`live`       the same in a terminal, again and again
============ ================================================================
"""

from dlutil_core.watch.live import main
from dlutil_core.watch.text import plan_text

__all__ = ["main", "plan_text"]
