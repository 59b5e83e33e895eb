"""`streamer doctor`: one file a check, each a function that returns what it found."""
