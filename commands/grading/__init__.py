"""`ohlora grades`: what people grade, and what they graded."""
