"""`streamer devices`: what is plugged in, and the lines that configure it."""
