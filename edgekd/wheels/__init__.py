"""Libraries and Pythons of machines other than this one."""
