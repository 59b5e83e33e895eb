"""What makes a flight recorder write. Each calls a function with a cause, and knows no more."""
