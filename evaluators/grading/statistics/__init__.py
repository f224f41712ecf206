"""What people's grades say: agreement, differences with intervals, strengths."""
