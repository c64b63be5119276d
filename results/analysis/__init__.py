"""What the tables say: pure functions from frames to frames, each with its definition's source."""
