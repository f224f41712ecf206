"""What the manager of a grading sees and hands out: progress, disagreement, remarks, exports."""
