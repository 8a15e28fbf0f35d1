"""Logs of a service: read back, packed into Parquet."""
