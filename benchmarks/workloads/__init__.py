"""The workloads: inference, fine-tuning, preference tuning and asking, written out."""
