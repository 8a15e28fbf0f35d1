"""Answer texts through a measured callable, in its own environment.

python answer.py FACTORY FOLDER THREADS TEXTS OUT
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

factory, folder, threads, texts, out = sys.argv[1:]
module, _, function = factory.partition(":")
answer = getattr(importlib.import_module(module), function)(folder, threads)
answers = [answer(text) for text in json.loads(Path(texts).read_text(encoding="utf-8"))]
Path(out).write_text(json.dumps([getattr(found, "label", found) for found in answers]), encoding="utf-8")
