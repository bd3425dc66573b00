"""Training of small networks: first-order and second-order optimisers, the curvature inverted on a chip."""
