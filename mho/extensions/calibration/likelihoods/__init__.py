"""How likely the pulses of cells are under a law: a model for its SETs and one for its RESETs, devices integrated out.

`nodes` and `memory` have what is integrated over; the models, each a `pulse_model`, are `threshold_set`, `threshold_reset`,
`gradual_set` and `gradual_reset`.
"""
