"""What the page says of recordings and models that it does not show, because they are in shared storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.web.action_settings import ActionSettings
from service.web.shared_storage import recordings_elsewhere, registry_elsewhere
from service.web.training_needs import training_needs
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples


def settings_with(folder: Path, text: str) -> ActionSettings:
    config = folder / "stinger.toml"
    config.write_text(text)
    return ActionSettings(folder / "data", tuple, config)


def test_without_shared_storage_nothing_is_said(tmp_path: Path) -> None:
    for settings in (ActionSettings(tmp_path, tuple), settings_with(tmp_path, "no = toml =")):
        assert (recordings_elsewhere(settings), registry_elsewhere(settings)) == ("", "")


def test_configured_storage_and_what_the_page_shows_instead_are_named(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, 'recordings = "s3://hall/all"\nregistry = "s3://hall/models"\n')
    recordings, models = recordings_elsewhere(settings), registry_elsewhere(settings)
    assert "s3://hall/all" in recordings
    assert str(tmp_path / "data" / "recordings") in recordings
    assert "s3://hall/models" in models
    assert str(tmp_path / "data" / "registry") in models


def test_what_training_needs_is_counted_in_shared_storage(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    shared = tmp_path / "shared"
    write_recording(shared / "hall-00000001", "b1", NOW_S, synthetic_samples(6_000, 6))
    settings = settings_with(tmp_path, f'recordings = "{shared.as_uri()}"\n')
    write_recording(settings.data_dir / "recordings", "b1", NOW_S, synthetic_samples(3_000, 2))
    found = {need.name: need.have for need in training_needs(settings.loaded_config()).needs}
    assert found["New shots"] == 6


def test_movement_is_not_enough_where_there_is_nothing_at_all(tmp_path: Path) -> None:
    needs = training_needs(ActionSettings(tmp_path, tuple).loaded_config())
    assert [(need.met, need.part) for need in needs.needs] == [(False, 0.0)] * 3
