"""How likely the pulses of cells are under a law: a model for its SETs and one for its RESETs, devices integrated out.

`nodes` and `memory` have what is integrated over; `threshold_set`, `threshold_reset` (with `reset_pulses`),
`gradual_set` and `gradual_reset` are the models.
"""
