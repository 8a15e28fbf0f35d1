"""Teach: rows in, one loop, what it needs to go on after a kill."""
