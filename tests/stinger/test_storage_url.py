from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import InputError
from stinger.storage_url import is_storage_url, parse_storage_url


@pytest.mark.parametrize(
    "text", ["s3://bucket", "s3://bucket/hall/recordings", "file:///mnt/share", "gs://bucket/x y", "memory://a/b"]
)
def test_urls_of_folders_are_accepted(text: str) -> None:
    assert str(parse_storage_url(text)) == text
    assert str(parse_storage_url(f"{text}/")) == text


@pytest.mark.parametrize(
    "text",
    [
        "recordings",
        "/mnt/share",
        "C:\\data",
        "s3://",
        "s3:///hall",
        "s3://bucket//hall",
        "s3://bucket/../other",
        "file://host/share",
        "file://",
        "s3://bucket/a?versionId=1",
        "simplecache::s3://bucket/a",
        "s3://bucket/a\n",
        "S3://bucket",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="expected a URL such as s3://BUCKET/FOLDER"):
        parse_storage_url(text)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        parse_storage_url("s3://key:secret@bucket/hall")
    assert "secret" not in str(caught.value)
    assert "AWS_SECRET_ACCESS_KEY, or a profile" in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_an_input_error(text: str) -> None:
    try:
        url = parse_storage_url(text)
    except InputError:
        return
    assert is_storage_url(text)
    assert parse_storage_url(url.text) == url
