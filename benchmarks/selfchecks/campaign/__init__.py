"""The items of the GPU campaign, what they find, and the page that is written from it."""
