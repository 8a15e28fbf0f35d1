"""Logs of a service that answers with an artifact: what to keep of each request, and where.

    from edgekd.serve_log import Asked, LogPolicy, ServeLog

    log = ServeLog("logs", LogPolicy(key=key, full_share=0.004, risky=("safety",)))
    said = respond(model, text, slices)
    log.record(Asked(request_id, text, 3.1, model.digest, slices), said)

Only the standard library is imported, so it can be shipped beside the loader. See docs/logging.md.
"""

from __future__ import annotations

from .policy import LogPolicy, Mode
from .record import Asked
from .redact import redact
from .serve_log import ServeLog

__all__ = ["Asked", "LogPolicy", "Mode", "ServeLog", "redact"]
