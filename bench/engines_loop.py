"""The least that times ONNX Runtime: a loop around `run`, which prints the median in us.

python engines_loop.py FOLDER IDS CALLS
"""

from __future__ import annotations

import statistics
import sys
import time

from engines_subjects import open_onnx

run, given = open_onnx(sys.argv[1], sys.argv[2])
for _ in range(100):
    run(None, given)
print("measuring")
times = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter_ns()
    run(None, given)
    times.append(time.perf_counter_ns() - start)
print(f"Median: {statistics.median(times) / 1e3} us")
