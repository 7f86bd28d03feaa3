"""Any text in a configuration file or an environment variable is a value, or an error of one line."""

from __future__ import annotations

import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.config.config import KEYS, toml_value
from service.config.key import Key
from service.config.loading import load_config
from stinger.errors import InputError

toml_text = st.lists(
    st.one_of(
        st.sampled_from(
            [f"{entry.name} = " for entry in KEYS] + [f"[{entry.name.partition('.')[0]}]" for entry in KEYS]
        ),
        st.sampled_from(
            ["1", "-1", "0.5", "nan", "true", "'x'", "[]", "['serial:x']", "{}", "1979-05-27", "'''", "\n"]
        ),
        st.text(max_size=5),
    )
).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(st.one_of(toml_text.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=60)))
def test_any_file_is_a_configuration_or_one_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.toml")
        path.write_bytes(content)
        try:
            load_config(path, {}, {})
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most examples end here, some do not


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), st.text(max_size=12))
def test_any_variable_is_a_value_or_one_line(entry: Key, text: str) -> None:
    with suppress(InputError):
        value = entry.parse_text(text)
        if not entry.traits.secret:
            printed = tomllib.loads(f"value = {toml_value(value)}")["value"]
            assert entry.parse(printed) == value
