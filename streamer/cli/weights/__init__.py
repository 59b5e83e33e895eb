"""`streamer weights`: the released checkpoint, pulled, listed, verified, converted."""
