"""`streamer embed`: vectors of files, and the outputs that keep them."""
