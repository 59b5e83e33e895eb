"""`streamer calibrate`: the conventions that agree best with the pictures, and temperatures."""
