"""What a training tells while it runs: events, a profile, rows that dominate, trackers."""
