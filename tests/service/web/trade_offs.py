"""Results of ``stinger evaluate`` as small as the page of a model needs them."""

from __future__ import annotations


def trade_off_result(rows: list[tuple[float, float, float]], own: float) -> dict[str, object]:
    """Return the content of the file for ``rows`` of threshold, share in time and false spin-ups a minute; ``own`` is the model's."""

    def row(on: float, in_time: float, false: float) -> dict[str, object]:
        figures = {"accepted": {"value": in_time, "total": 10}, "false": {"value": false}, "duty": 0.1, "minutes": 1.0}
        return {"parameters": {"on": on}, **figures}

    operating = next(row(*one) for one in rows if one[0] == own)
    return {"rows": [row(*one) for one in rows], "operating": operating, "warnings": []}
