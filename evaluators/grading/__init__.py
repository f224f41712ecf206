"""People grade replies blind: where grades are kept, who sees what, and what they say."""
