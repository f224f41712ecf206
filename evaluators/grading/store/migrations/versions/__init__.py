"""One file for each step; `schema.HEAD` names the last."""
