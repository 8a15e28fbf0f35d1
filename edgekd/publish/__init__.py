"""Tell a registry outside what is promoted."""

from edgekd.publish.mlflow_registry import Published, publish

__all__ = ["Published", "publish"]
