"""What simulated pulse generators share: amplitudes, bursts, waveforms."""
