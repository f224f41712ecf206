"""Our figures beside peers and the kernel, in one run; nothing here is on a user's way."""
