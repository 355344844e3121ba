"""When the next images may be asked for: a pure value, told what was sent and what the host said.

The rule: images are counted, not calls, because that is what hosts limit. They are spaced evenly (GCRA with a
burst of one), so a window of the host's, wherever it begins, never holds more than its share. A moment is
given out ahead, so that what has to be done before a call makes it no later. A host's word only ever slows:
an answer that says the allowance is nearly used spreads what is left, a 429 holds all sending back and
lengthens the space, and success shortens it again down to what the caller set. All times are seconds on one
clock that the caller reads.
"""

from __future__ import annotations

import attrs

FIRST_HOLD = 1.0
LONGEST_HOLD = 60.0
PATIENCE = 60.0
"""Seconds of nothing but 429s after which they are lasting."""
LEAST_EPISODES = 4
_SLOWER, _FASTER = 1.5, 0.97
_LONGEST_SPACE = 60.0
_SHORTEST_SPACE = 0.001
_INSTANT = 1e-6  # a clock may not be able to move by less
_PUNCTUAL = 0.05  # a busy machine wakes no thread with more care
_FORESEEN = 3600.0
"""No plan reaches further ahead: a later one was made before the clock was set back."""


@attrs.frozen
class Allowance:
    """What an answer says is left of the images a minute: `remaining` of `limit`, full in `reset` seconds."""

    limit: int
    remaining: int
    reset: float


@attrs.frozen
class Pace:
    """The pace of one host's allowance. Each method gives the pace that follows."""

    base: float = 0.0
    """Seconds an image that the caller set; 0 for no limit."""
    space: float = 0.0
    """Seconds an image now; never below `base`."""
    due: float = 0.0
    """When the next image may be asked for."""
    held_at: float = -1.0
    """When the last hold began."""
    held_until: float = 0.0
    hold: float = 0.0
    """The last wait that was made up because the host named none; 0 after a success."""
    limited_since: float | None = None
    """Since when every answer was a 429."""
    episodes: int = 0
    first: float | None = None
    sent: int = 0

    @classmethod
    def per_minute(cls, images: float | None) -> Pace:
        """So many images a minute; `None` for as fast as they come."""
        space = 0.0 if images is None else 60.0 / images
        return cls(base=space, space=space)

    def wait(self, now: float) -> float:
        """Seconds until something may be sent."""
        due, held = (0.0 if at > now + _FORESEEN else at for at in (self.due, self.held_until))
        wait = max(due - now, held - now)
        return wait if wait > _INSTANT else 0.0

    def withdrawn(self, at: float, now: float) -> bool:
        """Whether a moment that was given out no longer holds: a host has asked for a longer wait since."""
        return at + _INSTANT < self.held_until <= now + _FORESEEN

    def missed(self, at: float, now: float) -> bool:
        """Whether a moment that was given out has gone by: a call made now would meet the next one."""
        return self.space > 0 and now - at > max(self.space / 2, _PUNCTUAL)

    def after_sending(self, images: int, at: float) -> Pace:
        """So many images were asked for, or will be."""
        return attrs.evolve(
            self,
            due=at + images * self.space,
            first=at if self.first is None else self.first,
            sent=self.sent + images,
        )

    def after_giving_back(self, images: int) -> Pace:
        """So many images were not asked for after all; their moment is lost."""
        return attrs.evolve(self, sent=self.sent - images)

    def after_success(self, now: float, told: Allowance | None = None, in_flight: int = 0) -> Pace:
        """An answer with images came; `in_flight` images were asked for after what it tells."""
        space = max(self.base, self.space * _FASTER)
        space = space if space >= _SHORTEST_SPACE else self.base
        held = self.held_until
        if told is not None:
            left = told.remaining - in_flight
            if left <= 0 and told.remaining < told.limit:
                held = max(held, now + min(told.reset, LONGEST_HOLD))
            elif left < told.limit / 10:
                space = max(space, min(told.reset / left, _LONGEST_SPACE))
        return attrs.evolve(self, space=space, held_until=held, hold=0.0, limited_since=None, episodes=0)

    def after_limit(self, now: float, retry_after: float | None, sent_at: float) -> Pace:
        """A 429 came for a call sent at `sent_at`; one that was under way when the hold began tells
        nothing new.
        """
        until = max(self.held_until, now + (retry_after or 0.0))
        if sent_at < self.held_at:
            return attrs.evolve(self, held_until=until)
        hold = retry_after or min(max(self.hold * 2, FIRST_HOLD), LONGEST_HOLD)
        seen = 0.0 if self.first is None else (now - self.first) / max(self.sent, 1)
        return attrs.evolve(
            self,
            space=max(self.base, min(max(self.space, seen) * _SLOWER, _LONGEST_SPACE)),
            held_at=now,
            held_until=max(until, now + hold),
            hold=self.hold if retry_after else hold,
            limited_since=now if self.limited_since is None else self.limited_since,
            episodes=self.episodes + 1,
        )

    @property
    def probing(self) -> bool:
        """Whether the last word was a 429, so that one call at a time is enough to hear the next."""
        return self.limited_since is not None

    def lasting(self, now: float) -> bool:
        """Whether there have been nothing but 429s for so long that waiting has no point."""
        since = self.limited_since
        return since is not None and self.episodes >= LEAST_EPISODES and now - since >= PATIENCE

    def forgetting_times(self) -> Pace:
        """The same without its moments: they are of another clock."""
        return attrs.evolve(
            self, due=0.0, held_until=0.0, held_at=-1.0, limited_since=None, first=None, sent=0
        )
