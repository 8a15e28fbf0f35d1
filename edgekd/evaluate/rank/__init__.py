"""Quality where answers are orders of candidates."""
