"""The GPU campaign: its items, their results, and the page written from them."""
