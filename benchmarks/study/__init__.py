"""What is asked: a study, its file, its variants, the fairness contract and the plan of cases."""
