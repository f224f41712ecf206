"""Reports of a run: HTML, Markdown, CSV, pictures, terminal tables. Computes nothing."""
