"""The least that times ONNX Runtime: a loop around `run`, which prints the median in ns.

python engines_loop.py FOLDER IDS SECONDS
"""

from __future__ import annotations

import statistics
import sys
import time

from engines_subjects import open_onnx

run, given = open_onnx(sys.argv[1], sys.argv[2])
for _ in range(100):
    run(None, given)
times = []
end = time.perf_counter_ns() + int(float(sys.argv[3]) * 1e9)
while time.perf_counter_ns() < end:
    start = time.perf_counter_ns()
    run(None, given)
    times.append(time.perf_counter_ns() - start)
print(statistics.median(times))
