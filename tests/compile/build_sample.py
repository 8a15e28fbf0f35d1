"""Compile an exported sample with the settings that the tests share; by itself, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "export"))

import sample_students as samples

from edgekd.compile import Examples, compile_graph
from edgekd.config import Build, Hardware

X86 = Hardware(arch="x86_64", isa=("avx2", "avx512f", "avx512_vnni"), vendor="intel", memory_mib=8192)


def compile_sample(graph, runtime, recipe, folder, *, hardware=X86, rows=None, streams=1, **changes):
    """Compile; `changes` are of `Examples`. A temperature is fitted where the head has one."""
    fit = (lambda logits: 1 + float(logits[0, 0] > 0)) if graph.head.labels else None
    texts = samples.make_requests(20) if graph.head.name == "rank" else samples.make_texts(60)
    examples = {"texts": texts, "fit_temperature": fit, **changes}
    return compile_graph(
        graph,
        Build(runtime=runtime, recipe=recipe, rows=rows, streams=streams),
        hardware,
        Examples(**examples),
        task="intent",
        provenance={"data": "made up", "teacher": "none"},
        folder=folder,
    )


if __name__ == "__main__":
    where, runtime, *asked = sys.argv[1:]  # each asked for as student:recipe:folder
    for name, recipe, out in (one.split(":") for one in asked):
        print(compile_sample(samples.open_sample(name, Path(where)), runtime, recipe, Path(out)).digest)
