"""Graph -> one artifact per build (runtime x recipe)."""

from edgekd.compile.artifact import Artifact, build_artifact, open_artifact
from edgekd.compile.compile import compile_graph

__all__ = ["Artifact", "build_artifact", "compile_graph", "open_artifact"]
