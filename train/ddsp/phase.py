"""Phase of the fundamental between frames, and the way of gradients back through it.

Frequency goes linearly in Hz from frame to frame, so sample i of a segment has the phase
`turns + i * (slope + bend * i)`. Turns at the frames are float64, and are not wrapped: partials that are no multiples
of f0 need the whole turns. They are summed in such a way that partial 100 is right to 1e-7 turns after an hour.
"""

from __future__ import annotations

import torch
from torch import Tensor


def segment_phases(f0_hz: Tensor, sample_rate: float, hop: int) -> tuple[Tensor, Tensor, Tensor]:
    """Turns at the first sample, slope and bend, float64 [B, F - 1] each, of f0_hz [B, F]."""
    start = f0_hz[:, :-1].double()
    rise = f0_hz[:, 1:].double() - start
    slope = (start - 0.5 * rise / hop) / sample_rate
    bend = 0.5 * rise / (hop * sample_rate)
    own = hop * (slope + bend * hop)
    turns = torch.cumsum(own, 1) - own
    return turns + (_exact_sum(own.detach()) - turns.detach()), slope, bend


def _exact_sum(turns: Tensor) -> Tensor:
    """Sum of all before, [B, S]: of whole numbers, and of whole multiples of 2^-44, so that no error adds up."""
    whole = turns.floor()
    parts = ((turns - whole) * 2.0**44).round().long()
    total = torch.cumsum(whole, 1) - whole
    return total + (torch.cumsum(parts, 1) - parts).double() * 2.0**-44


def sample_turns(f0_hz: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Turns of the fundamental at every sample, float64 [B, (F - 1) * hop], not wrapped."""
    turns, slope, bend = (part.unsqueeze(-1) for part in segment_phases(f0_hz, sample_rate, hop))
    i = torch.arange(hop, dtype=torch.float64, device=f0_hz.device)
    return (turns + i * (slope + bend * i)).flatten(1)


def highest_hz(f0_hz: Tensor) -> Tensor:
    """The higher end of each segment, float64 [B, F - 1]; infinite where it is not above 0, which nobody can hear."""
    highest = torch.maximum(f0_hz[:, :-1], f0_hz[:, 1:]).double()
    return torch.where(highest > 0.0, highest, torch.inf)


def frequency_gradient(moments: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Gradient of f0_hz, float64 [B, F], from that of the fundamental's turns at every sample.

    moments: float64 [B, F - 1, 3]. With p the gradient of the turns at sample i of a segment and
    bend = i * (i - 1) / (2 * hop): the sums over i of p, p * (i - bend) and p * bend.
    A segment's own phase moves with its two frequencies, and all later phases move with its last.
    """
    total, by_start, by_end = moments.unbind(-1)
    later = total.flip(1).cumsum(1).flip(1) - total
    bend = 0.5 * (hop - 1)
    gradient = moments.new_zeros(moments.shape[0], moments.shape[1] + 1)
    gradient[:, :-1] += by_start + later * (hop - bend)
    gradient[:, 1:] += by_end + later * bend
    return gradient / sample_rate
