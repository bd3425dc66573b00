"""What drivers share: messages that are checked, SCPI, TSP, NI-DAQmx."""
