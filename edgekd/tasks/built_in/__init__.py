"""The tasks that edgekd brings: one module each, named after it."""
