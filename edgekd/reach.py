"""Whether the Hugging Face hub can be reached, asked once: its own client tries for 45 seconds."""

from __future__ import annotations

import os
import sys
import threading
import urllib.error
import urllib.request
from functools import cache

_SECONDS = 3.0


def stay_offline_unless_reachable() -> bool:
    """Say whether the hub answers; where it does not, its client is told to use what it has kept.

    Nothing is asked where the client is told so already (`HF_HUB_OFFLINE`).
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    try:
        from huggingface_hub.constants import ENDPOINT
    except ImportError:
        return True  # who asks the hub then says that its client is missing
    if _answers(os.environ.get("HF_ENDPOINT") or ENDPOINT):
        return True
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        os.environ[name] = "1"
    for module in (
        "huggingface_hub.constants",
        "datasets.config",
    ):  # read the variables when they were imported
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            if hasattr(sys.modules.get(module), name):
                setattr(sys.modules[module], name, True)
    return False


@cache
def _answers(address: str) -> bool:
    found: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            urllib.request.urlopen(request, timeout=_SECONDS).close()
        except urllib.error.HTTPError:  # an answer all the same
            found.append(True)
        except (OSError, ValueError):
            found.append(False)
        else:
            found.append(True)

    asking = threading.Thread(target=ask, daemon=True)  # a name server may let one wait for longer
    asking.start()
    asking.join(_SECONDS + 1)
    return bool(found and found[0])
