"""`streamer log`: what is in recorded logs, and new logs out of old ones."""
