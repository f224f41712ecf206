"""One way in for weights, and out again: loading, quantisation, adapters, export."""
