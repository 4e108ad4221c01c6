"""All claims by name. A new one is a file of this folder that is named here."""

from __future__ import annotations

from zoo.claims.base import CLAIMS, Claim, Options, Outcome, get, listing, reproduce, tell
from zoo.claims.critic_loss import critic_loss
from zoo.claims.gradients import gradients
from zoo.claims.growing import growing
from zoo.claims.labels import labels
from zoo.claims.parallel_lines import parallel_lines
from zoo.claims.result import Result, Row
from zoo.claims.ring import ring
from zoo.claims.saddle import saddle
from zoo.claims.translation import translation

__all__ = ["CLAIMS", "Claim", "Options", "Outcome", "Result", "Row", "get", "listing", "reproduce", "tell"]
__all__ += ["critic_loss", "gradients", "growing", "labels", "parallel_lines", "ring", "saddle", "translation"]
