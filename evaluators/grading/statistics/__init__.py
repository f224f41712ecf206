"""Statistics of people's grades: agreement, means, differences, Bradley–Terry ratings."""
