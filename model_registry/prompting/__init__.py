"""From conversations to tokens and labels: chat templates, thinking, control tokens."""
