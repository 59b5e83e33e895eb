"""`streamer replay`: a log through the same windows, encoder and sinks as when it was recorded."""
