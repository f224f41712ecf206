"""What of a run is graded: declared by its manager, allotted to graders, counted beforehand."""
