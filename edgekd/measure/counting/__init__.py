"""Instructions instead of time, for machines whose time is too noisy."""
