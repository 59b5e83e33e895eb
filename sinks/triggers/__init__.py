"""What makes a flight recorder write: each calls `trigger` with a cause, and knows no recordings."""
