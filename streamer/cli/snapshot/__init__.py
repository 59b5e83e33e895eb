"""`streamer snapshot`: one picture a sensor, for a person to look at."""
