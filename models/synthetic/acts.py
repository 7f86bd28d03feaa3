"""Draw the acts of a round at random, as a user would play them: picking up, walking, handling, aiming, shooting."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.synthetic.script import LIE_ROLL_DEG, Pull, Script, Unrest
from models.synthetic.users import User

STEEPEST_DEG: Final = 70.0
"""Muzzles never point higher or lower than this, so that yaw, pitch and roll are always unique for an orientation."""

_TRIGGER_HELD_S: Final = (0.11, 0.18)


def write_round(user: User, rng: np.random.Generator) -> Script:
    """Write the script of one round: the blaster lies, is picked up, acts follow for 25 to 80 s, it is put down and lies."""
    return _Round(user, rng).write()


class _Round:
    """Writes a round; ``_now`` is the time at which the next act begins."""

    def __init__(self, user: User, rng: np.random.Generator) -> None:
        self._user = user
        self._rng = rng
        self._script = Script()
        self._now = 0.0

    def write(self) -> Script:
        rng, user, script = self._rng, self._user, self._script
        self._now = script.picked_up_s = rng.uniform(0.5, 4.0)
        self._pick_up()
        end = self._now + rng.uniform(25.0, 80.0)
        weights = np.array([0.17 * user.restlessness, 0.22 * user.restlessness, 0.06, 0.55])
        acts = (self._walk, self._handle, self._wait, self._aim)
        weights /= weights.sum()
        while self._now < end:
            acts[rng.choice(4, p=weights)]()
        self._put_down()
        # Rounded to whole samples, so that rounds follow each other without a jump in time.
        script.duration_s = round(self._now + rng.uniform(0.5, 5.0), 2)
        return script

    def _pick_up(self) -> None:
        length = self._rng.uniform(0.9, 1.5)
        self._move_to(self._user.carry_pitch, self._user.aim_roll, duration_s=length, yaw_spread=25.0)
        self._stir(length, sway=4.0, hands=0.10, grasp=0.10)
        self._now += length

    def _put_down(self) -> None:
        length = self._rng.uniform(0.9, 1.5)
        script = self._script
        script.turn(self._now, length, pitch=-script.pitch, roll=LIE_ROLL_DEG - script.roll)
        self._stir(length, sway=3.0, hands=0.08, grasp=0.10)
        self._now += length + 0.3
        script.put_down_s = self._now

    def _walk(self) -> None:
        length = self._rng.uniform(2.0, 6.0)
        self._fidget(length, a_second=1.2, spread=26.0)
        strength = self._user.step_g * self._rng.uniform(0.7, 1.4)
        self._script.stir(self._now, self._now + length, {Unrest.STEPS: strength})
        self._stir(length, sway=6.5, hands=0.11)
        self._now += length

    def _handle(self) -> None:
        """Reload, prime, look at the blaster, point it somewhere."""
        length = self._rng.uniform(1.5, 5.0)
        self._fidget(length, a_second=2.2, spread=42.0)
        self._stir(length, sway=6.5, hands=0.14, grasp=0.05 if self._rng.random() < 0.5 else 0.0)  # noqa: PLR2004
        self._now += length

    def _wait(self) -> None:
        length = self._rng.uniform(0.5, 2.0)
        self._stir(length, sway=2.0, hands=0.02)
        self._now += length

    def _aim(self) -> None:
        """Raise the blaster, settle, shoot or not, for one or several targets; lower it."""
        user, rng = self._user, self._rng
        self._raise()
        while True:
            shoots = rng.random() >= user.feints
            self._settle(shoots=shoots)
            if shoots:
                self._shoot()
            else:
                self._script.feints.append(self._now)
            if rng.random() >= user.follow_ups:
                break
            self._swing()
        self._follow_through()
        self._lower()

    def _raise(self) -> None:
        rng, user = self._rng, self._user
        length = self._duration(0.40)
        pitch = user.aim_pitch + rng.normal(0.0, 4.0)
        self._move_to(pitch, user.aim_roll + rng.normal(0.0, 4.0), duration_s=length, yaw_spread=22.0)
        self._stir(length, sway=2.0, hands=0.06)
        self._now += length

    def _swing(self) -> None:
        """Turn to another target without lowering."""
        self._follow_through()
        rng, user = self._rng, self._user
        length = self._duration(0.38)
        self._move_to(
            user.aim_pitch + rng.normal(0.0, 4.0),
            user.aim_roll + rng.normal(0.0, 4.0),
            duration_s=length,
            yaw_spread=32.0,
        )
        self._stir(length, sway=2.0, hands=0.05)
        self._now += length

    def _settle(self, *, shoots: bool) -> None:
        """Hold the aim, decide, and tighten the finger before a shot; a feint takes as long and may tighten it as well."""
        rng, user = self._rng, self._user
        snap = rng.random() < user.snaps
        dwell = rng.uniform(0.0, 0.12) if snap else float(np.clip(user.dwell_s * rng.lognormal(0.0, 0.40), 0.05, 3.0))
        tracks = rng.random() < 0.4  # noqa: PLR2004 - the target moves
        if tracks:
            self._script.turn(self._now, dwell + 0.3, yaw=rng.normal(0.0, 14.0), pitch=rng.normal(0.0, 3.0))
        sway = rng.uniform(0.7, 1.6)
        self._stir(dwell, sway=sway, hands=0.015)
        self._now += dwell
        tense = float(np.clip(user.tense_s * rng.lognormal(0.0, 0.2), 0.10, 0.45))
        tightens = shoots or rng.random() < 0.25  # noqa: PLR2004 - a change of mind in the last moment
        self._stir(tense, sway=sway * (user.steadies if tightens else 1.0), hands=0.015)
        if tightens:
            self._script.nudge(
                self._now,
                tense,
                pitch=user.tense_deg + rng.normal(0.0, 0.5),
                roll=rng.normal(0.0, 0.4),
                yaw=rng.normal(0.0, 0.4),
            )
        self._now += tense

    def _shoot(self) -> None:
        rng = self._rng
        self._pull()
        if rng.random() < self._user.bursts:
            for _ in range(rng.integers(1, 3)):
                gap = rng.uniform(0.28, 0.80)
                self._stir(gap, sway=1.5, hands=0.02)
                self._now += gap
                self._pull()

    def _pull(self) -> None:
        rng = self._rng
        self._script.pulls.append(Pull(self._now, rng.uniform(*_TRIGGER_HELD_S)))
        self._script.nudge(
            self._now + rng.uniform(0.04, 0.07),
            rng.uniform(0.18, 0.35),
            pitch=abs(rng.normal(1.2, 0.6)),
            yaw=rng.normal(0.0, 0.3),
            roll=rng.normal(0.0, 0.4),
        )

    def _follow_through(self) -> None:
        length = float(np.clip(0.35 * self._rng.lognormal(0.0, 0.5), 0.12, 1.2))
        self._stir(length, sway=1.5, hands=0.02)
        self._now += length

    def _lower(self) -> None:
        length = self._duration(0.48)
        self._move_to(self._user.carry_pitch, self._user.aim_roll, duration_s=length, yaw_spread=15.0)
        self._stir(length, sway=2.0, hands=0.05)
        self._now += length

    def _duration(self, median_s: float) -> float:
        """Draw the duration of a movement for this user."""
        return float(np.clip(median_s / self._user.vigour * self._rng.lognormal(0.0, 0.22), 0.2, 1.2))

    def _move_to(self, pitch: float, roll: float, *, duration_s: float, yaw_spread: float) -> None:
        """Add a main movement with an error of some percent, and a correction that overlaps its end."""
        rng, script = self._rng, self._script
        first = rng.normal(0.94, 0.07)
        yaw, up, cant = rng.normal(0.0, yaw_spread), pitch - script.pitch, roll - script.roll
        script.turn(self._now, duration_s, yaw=first * yaw, pitch=first * up, roll=first * cant)
        script.turn(
            self._now + duration_s * rng.uniform(0.65, 0.95),
            rng.uniform(0.2, 0.4),
            yaw=(1 - first) * yaw,
            pitch=(1 - first) * up,
            roll=(1 - first) * cant,
        )

    def _fidget(self, length_s: float, *, a_second: float, spread: float) -> None:
        """Add turns in all directions around the carrying pose, ``a_second`` per second, that overlap at random."""
        rng, script, user = self._rng, self._script, self._user
        for start in np.sort(rng.uniform(0.0, length_s, rng.poisson(a_second * length_s))):
            # Biased towards the carrying pose, because independent turns would lead anywhere.
            pitch = 0.5 * (user.carry_pitch - script.pitch) + rng.normal(0.0, spread)
            pitch = float(np.clip(script.pitch + pitch, -STEEPEST_DEG, STEEPEST_DEG)) - script.pitch
            roll = 0.5 * (user.aim_roll - script.roll) + rng.normal(0.0, spread)
            script.turn(self._now + start, self._duration(0.52), yaw=rng.normal(0.0, spread), pitch=pitch, roll=roll)

    def _stir(self, length_s: float, *, sway: float, hands: float, grasp: float = 0.0) -> None:
        """Add unrest of the hands for ``length_s`` from now; ``sway`` is a factor on the user's own sway."""
        user = self._user
        self._script.stir(
            self._now,
            self._now + length_s,
            {
                Unrest.SWAY: sway * user.sway_dps,
                Unrest.TREMOR: user.tremor_dps * (0.5 + 0.5 * min(sway, 2.0)),
                Unrest.HANDS: hands,
                Unrest.GRASP: grasp,
            },
        )
