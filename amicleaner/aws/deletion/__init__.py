"""Deleting: the order of the changes, their rate, what they answer, and asking again meanwhile."""
