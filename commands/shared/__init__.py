"""What all commands share: how they are found, their options, where they write, how they stop."""
