"""`streamer eval`: how good a model is, on the world or on labelled files."""
