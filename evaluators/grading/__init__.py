"""People grade replies blind: sessions, assignment, storage and statistics."""
