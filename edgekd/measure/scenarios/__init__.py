"""How load arrives: by length, all at once, or at random times."""
