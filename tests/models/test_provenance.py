from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from models.export import ExportOptions, build_dataset
from models.model_meta import ModelMeta, parse_meta
from models.provenance import beginning_of, has_seen, names_its_data, part_seen, trained_on, trained_on_rows
from stinger.recording import Recording, split_recordings
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

META = ModelMeta("logreg:summary", software="test", created="2026-01-01")


def stored(meta: ModelMeta) -> ModelMeta:
    """Return ``meta`` written to a model file and read again."""
    return parse_meta(meta.to_json())


def recording(count: int = 2000, *, seed: int = 1, keep: int | None = None) -> Recording:
    (whole,) = split_recordings(synthetic_samples(count, 5, seed=seed)[:keep])
    return whole


def test_model_has_seen_the_sessions_it_was_trained_on_and_no_others() -> None:
    own, other = session_of(synthetic_samples(2000, 5)), session_of(synthetic_samples(2000, 5, seed=2))
    meta = replace(META, training=trained_on([own], ["hash"]))
    assert has_seen(meta, own, "another file with the same samples")
    assert has_seen(meta, other, "hash")
    assert not has_seen(meta, other, "other hash")


def test_samples_are_known_by_another_clock_and_from_the_middle_on() -> None:
    samples = synthetic_samples(9000, 20)
    meta = stored(replace(META, training=trained_on([session_of(samples)], ["hash"])))
    later = samples[3000:6000].copy()
    later["timestamp_ms"] -= 29_000
    assert has_seen(meta, session_of(later), "other hash")
    assert not has_seen(meta, session_of(synthetic_samples(9000, 20, seed=2)), "other hash")


def test_part_that_was_seen_is_given_in_words() -> None:
    own, other = synthetic_samples(12_000, 20), synthetic_samples(12_000, 20, seed=2)
    meta = replace(META, training=trained_on([session_of(own)], ["hash"]))
    other_session = session_of(other)
    assert part_seen(meta, [session_of(own)], "x") == ""
    assert part_seen(meta, [other_session], "x") is None
    found = part_seen(meta, [session_of(own), other_session], "x")
    assert found is not None
    assert re.fullmatch(r"about 2\.\d min of the 4\.0 min of ", found)


def test_older_model_without_a_fingerprint_has_seen_whole_files() -> None:
    own = session_of(synthetic_samples(2000, 5))
    meta = replace(META, training={"inputs_sha256": ["hash"]})
    assert part_seen(meta, [own], "hash") == ""
    assert part_seen(meta, [own], "x") is None


def test_model_trained_on_one_side_of_a_split_has_seen_that_side_only() -> None:
    sessions = [session_of(synthetic_samples(6000, 20, seed=seed), f"{seed}") for seed in range(2)]
    dataset = build_dataset(sessions, ExportOptions(), about={})
    rows = np.flatnonzero(dataset.rows.session == "0")
    meta = stored(replace(META, training=trained_on_rows(dataset, rows)))
    assert names_its_data(meta)
    assert part_seen(meta, sessions[:1], "x") is not None
    assert part_seen(meta, sessions[1:], "x") is None


def test_log_that_has_grown_since_is_known_by_its_beginning() -> None:
    assert beginning_of(recording()) == beginning_of(recording(keep=700))
    assert beginning_of(recording()) != beginning_of(recording(seed=2))


@pytest.mark.parametrize("training", [{}, {"imported": "abc"}, {"inputs_sha256": "abc"}, {"inputs_sha256": [1, None]}])
def test_metadata_without_hashes_names_no_data_and_has_seen_nothing(training: dict[str, object]) -> None:
    meta = replace(META, training=training)
    assert not names_its_data(meta)
    assert not has_seen(meta, session_of(synthetic_samples(2000, 5)), "abc")


def test_metadata_survives_being_written_and_read() -> None:
    session = session_of(synthetic_samples(500, 2))
    training = trained_on([session, session], ["a", "a", "b"])
    assert training["inputs_sha256"] == ["a", "b"]
    assert np.array(training["sessions"]).shape == (2,)
