"""What a recorded run is made of: samples as messages, the order of arrival, digests of windows."""
