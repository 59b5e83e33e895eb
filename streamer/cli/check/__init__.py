"""`streamer check`: does each source deliver what it should, and what would be published?"""
