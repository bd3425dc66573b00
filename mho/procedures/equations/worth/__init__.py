"""What a chip was worth in a solve: its multiplications beside the digital ones, and the same solve without it."""
