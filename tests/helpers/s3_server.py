"""An S3 server in a thread of this process: moto's, which keeps objects in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import boto3
from moto.server import ThreadedMotoServer

_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server; ``url`` is its endpoint."""

    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which a program reaches this server, and none of the machine's own accounts."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def client(self) -> Any:
        """Return a client of its own for tests to look into the server; the caller closes it."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        )

    def new_bucket(self) -> str:
        """Create an empty bucket, and return its name."""
        name = f"bucket-{next(_numbers)}"
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()
        return name

    def names(self, bucket: str) -> list[str]:
        """Return the names of all objects in ``bucket``."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        names = [one["Key"] for page in pages for one in page.get("Contents", [])]
        client.close()
        return names


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run an S3 server on a free port of the loopback interface."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()
