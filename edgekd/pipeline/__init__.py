"""The order of stages, from teacher to promoted variants."""
