"""The database of grades: its tables, its migrations, what is kept and how it is copied."""
