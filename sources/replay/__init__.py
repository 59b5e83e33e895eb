"""Recorded logs as a source: our own, exactly as they happened, and those of others."""
