"""Which rows of the traffic are worth a label, and how much of the traffic a sample sees."""
