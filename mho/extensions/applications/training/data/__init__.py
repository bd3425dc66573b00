"""Labelled samples to train on."""
