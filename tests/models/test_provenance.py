from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.model_meta import ModelMeta
from models.provenance import beginning_of, has_seen, names_its_data, trained_on
from stinger.recording import Recording, split_recordings
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

META = ModelMeta("logreg", "summary", software="test", created="2026-01-01")


def recording(count: int = 2000, *, seed: int = 1, keep: int | None = None) -> Recording:
    (whole,) = split_recordings(synthetic_samples(count, 5, seed=seed)[:keep])
    return whole


def test_model_has_seen_the_sessions_it_was_trained_on_and_no_others() -> None:
    own, other = session_of(synthetic_samples(2000, 5)), session_of(synthetic_samples(2000, 5, seed=2))
    meta = replace(META, training=trained_on([own], ["hash"]))
    assert has_seen(meta, own.recording, "another file with the same samples")
    assert has_seen(meta, other.recording, "hash")
    assert not has_seen(meta, other.recording, "other hash")


def test_log_that_has_grown_since_is_known_by_its_beginning() -> None:
    assert beginning_of(recording()) == beginning_of(recording(keep=700))
    assert beginning_of(recording()) != beginning_of(recording(seed=2))


@pytest.mark.parametrize("training", [{}, {"imported": "abc"}, {"inputs_sha256": "abc"}, {"inputs_sha256": [1, None]}])
def test_metadata_without_hashes_names_no_data_and_has_seen_nothing(training: dict[str, object]) -> None:
    meta = replace(META, training=training)
    assert not names_its_data(meta)
    assert not has_seen(meta, recording(), "abc")


def test_metadata_survives_being_written_and_read() -> None:
    session = session_of(synthetic_samples(500, 2))
    training = trained_on([session, session], ["a", "a", "b"])
    assert training["inputs_sha256"] == ["a", "b"]
    assert np.array(training["sessions"]).shape == (2,)
