"""What is known before a video is seen: how often predicates hold for a class of objects, and what
they turn into (STKET, section 3.2).

Letters: O object classes, R predicates of all groups, C predicates of the contact group, P pairs, D
width of a token.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from vidsgg.ops.ragged import take_rows

STATE_WIDTHS = (128, 256, 512)


class ClassKnowledge(nn.Module):
    """Frequencies of the predicates given the class of the object, trained like any weight, as one
    token per class.

    ``initial`` (O, R) begins with zeros, as for classes that nothing is known of.
    """

    def __init__(self, objects: int, predicates: int, dim: int) -> None:
        super().__init__()
        self.initial = nn.Parameter(torch.zeros(objects, predicates))
        widths = (predicates, *STATE_WIDTHS, dim)
        self.state = nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(widths)))  # none is followed by a ReLU

    def forward(self) -> Tensor:
        """(O, D): what is known of every class."""
        token: Tensor = self.state(self.initial)
        return token


class TransitionKnowledge(ClassKnowledge):
    """Besides, the frequencies right after a contact of that class: ``transition`` (O, C, R)."""

    def __init__(self, objects: int, predicates: int, contacts: int, dim: int) -> None:
        super().__init__(objects, predicates, dim)
        self.transition = nn.Parameter(torch.zeros(objects, contacts, predicates))

    def after(self, object_class: Tensor, contacts: Tensor) -> Tensor:
        """(P, D): what to expect after contacts (P, C) bool of objects (P,), the mean over these;
        of objects without any, what is known of the class.
        """
        table = torch.unflatten(take_rows(self.transition.flatten(1), object_class), 1, self.transition.shape[1:])
        count = contacts.sum(1, keepdim=True)
        mean = (table * contacts[..., None]).sum(1) / count.clamp(min=1)
        token: Tensor = self.state(torch.where(count > 0, mean, take_rows(self.initial, object_class)))
        return token
