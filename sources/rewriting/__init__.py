"""Logs into new logs: what of a damaged one is whole, a part of one, several as one."""
