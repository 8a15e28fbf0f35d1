"""Tell a registry outside what is promoted."""

from edgekd.publish.mlflow_registry import Published, publish, retract

__all__ = ["Published", "publish", "retract"]
