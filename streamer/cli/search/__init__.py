"""`streamer search`: the nearest moments to a sentence, a picture, a sound."""
