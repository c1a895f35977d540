"""Training: linear support vectors per label, calibrated on held-back folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.svm import LinearSVC

from bridge.sandbox.learning.features import fit_features
from bridge.sandbox.learning.model import Floats, LabelPath, Model, Scorers

FOLDS = 3
STRENGTH = 0.5
"""Inverse regularisation; short texts of many labels want a soft margin."""
ITERATIONS_MAX = 20_000
TOLERANCE = 1e-2
SLOPE_PENALTY = 1e-3
NEWTON_STEPS_MAX = 100
NEWTON_GAIN_MIN = 1e-9
STEP_MIN = 1e-6
DECIDED_AT = 0.5
CURVE_POINTS_MAX = 32
POLARITY_EXAMPLES_MIN = 2

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An annotated text; `mood` is the mean of its labels' sentiments (-1 to 1), None where no label carries one."""

    text: str
    labels: frozenset[LabelPath]
    mood: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """`validation` holds figures per label on held-back annotations."""

    model: Model
    validation: list[dict[str, Any]]


def train(examples: Sequence[Example]) -> Trained:
    """Raises ValueError where there is nothing to learn from. The same examples in the same order: the same model."""
    paths = {path for example in examples for path in example.labels}
    labels = sorted({path[:depth] for path in paths for depth in range(1, len(path) + 1)})
    if not labels or len(examples) < FOLDS:
        raise ValueError(f"a model needs at least {FOLDS} annotated comments and one label")
    features = fit_features([example.text for example in examples])
    rows = features.transform([example.text for example in examples])
    targets = np.array([[_has(example, path) for path in labels] for example in examples], dtype=np.bool_)
    scorers, held_back = _fit(rows, targets)
    return Trained(
        model=Model(labels=labels, features=features, scorers=scorers, polarity=_fit_polarity(rows, examples)),
        validation=[_figures(path, targets[:, j], held_back[:, j]) for j, path in enumerate(labels)],
    )


def _has(example: Example, path: LabelPath) -> bool:
    return any(label[: len(path)] == path for label in example.labels)


def _fit_polarity(rows: Any, examples: Sequence[Example]) -> Scorers | None:
    chosen = [index for index, example in enumerate(examples) if example.mood]
    happy = np.array([[(examples[index].mood or 0) > 0] for index in chosen], dtype=np.bool_).reshape(-1, 1)
    if min(happy.sum(), len(chosen) - happy.sum()) < POLARITY_EXAMPLES_MIN or len(chosen) < FOLDS:
        return None
    return _fit(rows[chosen], happy)[0]


def _fit(rows: Any, targets: Booleans) -> tuple[Scorers, Floats]:
    """The scorers, and the probability each example was given while it was held back."""
    fold = np.arange(len(targets)) % FOLDS
    scores = np.zeros(targets.shape)
    for held in range(FOLDS):
        weights, bias = _fit_margins(rows[fold != held], targets[fold != held])
        scores[fold == held] = rows[fold == held] @ weights + bias
    calibration = np.array([_calibrate(scores[:, j], targets[:, j]) for j in range(targets.shape[1])])
    weights, bias = _fit_margins(rows, targets)
    scorers = Scorers(weights=weights, bias=bias, slope=calibration[:, 0], offset=calibration[:, 1])
    return scorers, np.asarray(expit(scores * scorers.slope + scorers.offset))


def _fit_margins(rows: Any, targets: Booleans) -> tuple[NDArray[np.float32], Floats]:
    weights = np.zeros((rows.shape[1], targets.shape[1]), dtype=np.float32)
    bias = np.where(targets.all(axis=0), 1.0, -1.0)
    for column in np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0)):
        machine = LinearSVC(C=STRENGTH, tol=TOLERANCE, max_iter=ITERATIONS_MAX, random_state=0)
        machine.fit(rows, targets[:, column])
        weights[:, column] = machine.coef_[0]
        bias[column] = machine.intercept_[0]
    return weights, bias


def _calibrate(scores: Floats, hits: Booleans) -> tuple[float, float]:
    """Platt's sigmoid with his smoothed targets, by Newton steps that are halved until they gain."""
    positive = int(hits.sum())
    negative = len(hits) - positive
    wanted = np.where(hits, (positive + 1) / (positive + 2), 1 / (negative + 2))
    slope, offset = 1.0, float(np.log((positive + 1) / (negative + 1)))
    loss = _loss(slope, offset, scores, wanted)
    for _ in range(NEWTON_STEPS_MAX):
        d_slope, d_offset = _newton_step(slope, offset, scores, wanted)
        length = 1.0
        while (new := _loss(slope - length * d_slope, offset - length * d_offset, scores, wanted)) > loss:
            length /= 2
            if length < STEP_MIN:
                return slope, offset
        slope, offset = slope - length * d_slope, offset - length * d_offset
        if loss - new < NEWTON_GAIN_MIN * (1 + loss):
            break
        loss = new
    return slope, offset


def _loss(slope: float, offset: float, scores: Floats, wanted: Floats) -> float:
    line = slope * scores + offset
    return float((np.logaddexp(0, line) - wanted * line).sum() + SLOPE_PENALTY * slope * slope / 2)


def _newton_step(slope: float, offset: float, scores: Floats, wanted: Floats) -> tuple[float, float]:
    chance = expit(slope * scores + offset)
    error, spread = chance - wanted, chance * (1 - chance)
    g_slope, g_offset = float((error * scores).sum()) + SLOPE_PENALTY * slope, float(error.sum())
    h_slope = float((spread * scores * scores).sum()) + SLOPE_PENALTY
    h_cross, h_offset = float((spread * scores).sum()), float(spread.sum()) + NEWTON_GAIN_MIN
    determinant = h_slope * h_offset - h_cross * h_cross
    return (
        (h_offset * g_slope - h_cross * g_offset) / determinant,
        (h_slope * g_offset - h_cross * g_slope) / determinant,
    )


def _figures(path: LabelPath, hits: Booleans, chances: Floats) -> dict[str, Any]:
    decided = chances >= DECIDED_AT
    right = int((decided & hits).sum())
    return {
        "name": list(path),
        "examples": int(hits.sum()),
        "precision": right / int(decided.sum()) if decided.any() else None,
        "recall": right / int(hits.sum()),
        "average_precision": float(average_precision_score(hits, chances)),
        "curve": _curve(hits, chances),
    }


def _curve(hits: Booleans, chances: Floats) -> dict[str, list[float]]:
    """Precision and recall at thresholds spread over those where they change, the lowest first."""
    precisions, recalls, thresholds = precision_recall_curve(hits, chances)
    spread = np.unique(np.linspace(0, len(thresholds) - 1, CURVE_POINTS_MAX).round().astype(int))
    return {
        "thresholds": [float(value) for value in thresholds[spread]],
        "precisions": [float(value) for value in precisions[spread]],
        "recalls": [float(value) for value in recalls[spread]],
    }
