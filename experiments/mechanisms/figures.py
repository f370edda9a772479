"""The figures of the study of mechanisms."""

from typing import Any

from mconn.experiment import Frame, plot

NAMES = {
    "NC": "no cue",
    "C": "cue",
    "RC": "random cue",
    "RI": "cue of a random image",
}
POSITION = {"t": "Position on the line, $t$"}


def sets_figure(profile: Frame) -> Any:
    """Test accuracy along the lines on the four sets: a panel per pairing and method."""
    drawn = profile.query("split == 'test' and metric == 'accuracy'").eval("value = 100 * value")
    names = {method: f"Test accuracy (%)\n{method} line" for method in set(drawn.method)}
    look = {"names": {**NAMES, **names, "different": "image to cue"}, "labels": POSITION}
    look |= {"share": {"sharey": True}, "height": 4.0}
    return plot.panels(drawn, "t", "value", by="set", rows="method", columns="pairing", look=look)


def finetuning_figure(profile: Frame) -> Any:
    """Loss with the cue on the line from the start to the fine-tuned network, per rate."""
    drawn = profile.query("split == 'train' and metric == 'loss' and set == 'C'")
    names = {"clean": "fine-tuning on clean images", "barrier": "connectivity-based"}
    names |= {rate: f"Learning rate {rate:g}" for rate in set(drawn.rate)}
    labels = {**POSITION, "value": "Train loss with the cue (nats)"}
    look = {"names": names, "labels": labels, "height": 2.3}
    return plot.panels(drawn, "t", "value", by="method", columns="rate", look=look)
