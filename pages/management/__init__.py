"""The manager's tab: progress, invitations, remarks and exports of a grading."""
