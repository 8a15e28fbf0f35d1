"""Graph -> one artifact per build (runtime x recipe)."""

from edgekd.compile.artifact import Artifact, build_artifact, open_artifact
from edgekd.compile.compile import Examples, compile_graph

__all__ = ["Artifact", "Examples", "build_artifact", "compile_graph", "open_artifact"]
