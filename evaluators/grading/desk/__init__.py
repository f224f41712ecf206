"""What a grader's browser is shown of a screen; nothing in it tells whose reply is whose."""
