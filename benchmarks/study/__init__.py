"""What is asked: the study, its file, its variants, the fairness contract, the plan of cases."""
