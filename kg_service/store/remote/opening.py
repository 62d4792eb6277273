"""The engine that the settings name, opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kg_service.settings import Settings
from kg_service.store.remote.data import RemoteData
from kg_service.store.remote.endpoint import DIALECTS, Credentials, Endpoint
from kg_service.store.remote.log import RemoteLog
from kg_service.store.remote.writer import RemoteStore


def endpoint_of(settings: Settings) -> Endpoint:
    """Where the engine is and who we are to it; Malformed for what is no URL of an endpoint."""
    assert settings.query_url
    password, credentials = settings.store_password, None
    if password is not None:
        credentials = Credentials(settings.store_auth, password.get_secret_value(), settings.store_user)
    return Endpoint(
        settings.query_url,
        settings.update_url,
        settings.graph_store_url,
        credentials=credentials,
        dialect=DIALECTS[settings.dialect],
    )


def remote_store(settings: Settings) -> RemoteStore:
    """The engine for writing; StoreUnwritable without an update URL, StoreError when it does not answer."""
    return RemoteStore(endpoint_of(settings), seconds=settings.query_seconds)


def remote_data(settings: Settings) -> RemoteData:
    """The engine for the service's own reading."""
    return RemoteData(endpoint_of(settings), seconds=settings.query_seconds)


@contextmanager
def remote_log(settings: Settings, generation: int | None) -> Iterator[RemoteLog]:
    """The log of the engine's graph for reading, up to a generation; the present one for None."""
    data = remote_data(settings)
    yield data.log(data.generation if generation is None else generation, settings.own_folder)
