"""Is what is promoted still good enough: figures from logs and events, their targets and trends."""
