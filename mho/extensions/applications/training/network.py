"""A multilayer perceptron: forward and backward passes, and the derivatives that its Fisher information is made of.

A layer computes ``s = W (a, 1)``, the last column of W being the bias; hidden layers put tanh behind it, the last one
softmax. All arrays may have leading axes, one network each: many settings of an optimiser are trained at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mho.array_types import Floats, Integers

Weights = tuple[Floats, ...]  # one array (..., outputs, inputs + 1) a layer


@dataclass(frozen=True)
class Passed:
    """A forward pass."""

    # (..., samples, inputs): what each layer was fed with, without the 1 of the bias
    inputs: tuple[Floats, ...]
    logits: Floats  # (..., samples, classes): what softmax takes

    @property
    def probabilities(self) -> Floats:
        """Softmax of the logits, (..., samples, classes)."""
        shifted = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def initial_weights(sizes: Sequence[int], rng: np.random.Generator) -> Weights:
    """Draw the weights of a network with layers of `sizes`, inputs first: normal, of variance 1 / inputs; biases are 0.

    (LeCun et al., Efficient BackProp, section 4.6: outputs of unit variance for inputs of unit variance.)
    """
    weights = []
    for inputs, outputs in pairwise(sizes):
        weights.append(rng.normal(0.0, inputs**-0.5, (outputs, inputs + 1)))
        weights[-1][:, -1] = 0.0
    return tuple(weights)


def forward(weights: Weights, x: Floats) -> Passed:
    """Pass samples (..., samples, inputs) through the network."""
    inputs, given = [], x
    for number, layer in enumerate(weights):
        inputs.append(given)
        sums = given @ np.swapaxes(layer[..., :-1], -1, -2) + layer[..., None, :, -1]
        given = np.tanh(sums) if number < len(weights) - 1 else sums
    return Passed(tuple(inputs), given)


def cross_entropy(passed: Passed, labels: Integers) -> Floats:
    """Return the mean cross-entropy of a pass and its labels (..., samples), nat; one number a network."""
    logits = passed.logits - passed.logits.max(axis=-1, keepdims=True)
    of_label = np.take_along_axis(logits, _beside(labels, logits), axis=-1)[..., 0]
    return np.asarray((np.log(np.exp(logits).sum(axis=-1)) - of_label).mean(axis=-1))


def accuracy(passed: Passed, labels: Integers) -> Floats:
    """Return the share of samples whose largest output is that of their label; one number a network."""
    return np.asarray((passed.logits.argmax(axis=-1) == labels).mean(axis=-1))


def derivatives(weights: Weights, passed: Passed, of_logits: Floats) -> tuple[Floats, ...]:
    """Return the derivatives by the sums of every layer, (..., samples, outputs), from those by the logits.

    `of_logits` may have axes in front of those of `passed`, one set of derivatives each.
    """
    deltas = [of_logits]
    for layer, given in zip(weights[:0:-1], passed.inputs[:0:-1], strict=True):
        deltas.append((deltas[-1] @ layer[..., :-1]) * (1.0 - given**2))
    return tuple(reversed(deltas))


def gradient(weights: Weights, passed: Passed, labels: Integers) -> Weights:
    """Return the gradient of the mean cross-entropy, shaped as the weights."""
    of_logits = passed.probabilities
    chosen = _beside(labels, of_logits)
    np.put_along_axis(of_logits, chosen, np.take_along_axis(of_logits, chosen, axis=-1) - 1.0, axis=-1)
    of_logits /= of_logits.shape[-2]
    gradients = []
    for given, of_sums in zip(passed.inputs, derivatives(weights, passed, of_logits), strict=True):
        across = np.swapaxes(of_sums, -1, -2)
        gradients.append(np.concatenate((across @ given, across.sum(axis=-1, keepdims=True)), axis=-1))
    return tuple(gradients)


def fisher_roots(passed: Passed) -> Floats:
    """Return derivatives by the logits whose outer products sum to the Fisher information of softmax.

    ``sum over c of p_c (e_c - p) (e_c - p)^T = diag(p) - p p^T``: the expectation over labels drawn from the network's own
    outputs, without drawing any.

    Result (classes, ..., samples, classes): ``sqrt(p_c) (p - e_c)`` for each class c.
    """
    p = passed.probabilities
    classes = p.shape[-1]
    roots = np.sqrt(np.moveaxis(p, -1, 0))[..., None]
    units = np.eye(classes).reshape((classes,) + (1,) * (p.ndim - 1) + (classes,))
    return np.asarray(roots * (p - units))


def _beside(labels: Integers, of: Floats) -> Integers:
    """Return labels (..., samples) as an index (..., samples, 1) into an array of more leading axes."""
    return np.broadcast_to(labels, of.shape[:-1])[..., None]
