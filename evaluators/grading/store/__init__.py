"""The grading database: schema, migrations, records, and a mirror of it."""
