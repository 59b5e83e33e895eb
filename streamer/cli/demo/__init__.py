"""`streamer demo`: what a simulated robot believes, beside the truth."""
