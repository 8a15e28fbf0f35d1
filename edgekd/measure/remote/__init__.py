"""Rounds on another machine: code and artifact travel there, samples come back."""
