"""How a conversation becomes tokens and labels: chat templates, thinking, control tokens."""
