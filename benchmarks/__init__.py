"""What candidates cost to tune and to run, measured; and studies, runs, results and reports."""
