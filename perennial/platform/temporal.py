"""Connect to Temporal, and make the search attributes that the UI lists journeys by."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions, pydantic_data_converter
from temporalio.converter import PayloadConverter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from models import visibility
from nurture.errors import SettingsError
from perennial.platform.program import command

SEARCH_ATTRIBUTES = {
    key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in visibility.SEARCH_ATTRIBUTES
}


@cache
def _converter() -> PayloadConverter:
    return PydanticPayloadConverter(ToJsonOptions(exclude_unset=True))


class SharedConverter(PydanticPayloadConverter):
    """pydantic's converter, one for all: the SDK asks for a new one with each task of each workflow.

    Leaves out fields that were not set, as their defaults say the same.
    """

    def __new__(cls) -> "SharedConverter":  # noqa: PYI034 - always the same object
        return cast("SharedConverter", _converter())


DATA_CONVERTER = replace(pydantic_data_converter, payload_converter_class=SharedConverter)

_DEFAULT_ADDRESS = "localhost:7233"
_CONNECT_PATIENCE = timedelta(seconds=10)
_ATTRIBUTE_PATIENCE = timedelta(seconds=60)
_POLL = 0.05


def configured_namespace() -> str:
    """The namespace that Temporal's own settings name."""
    return _configured().get("namespace", "default")


async def connect(address: str | None = None, *, interceptors: Sequence[Interceptor] = ()) -> Client:
    """A client that speaks pydantic, connected and checked.

    An `address` (`host:port`) means the embedded engine there: plain, namespace `default`, whatever the
    environment says. Without one, `temporalio.envconfig` decides: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
    TEMPORAL_API_KEY, a profile in the configuration file, and so on. Raises `SettingsError` if no server
    answers within ten seconds, if it refuses us, or if it lacks the namespace.
    """
    config = _configured() if address is None else ClientConnectConfig(target_host=address)
    target = config.setdefault("target_host", _DEFAULT_ADDRESS)
    namespace = config.get("namespace", "default")
    try:
        async with asyncio.timeout(_CONNECT_PATIENCE.total_seconds()):
            client = await Client.connect(**config, data_converter=DATA_CONVERTER, interceptors=interceptors)
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=namespace), retry=False, timeout=_CONNECT_PATIENCE
            )
    except (RuntimeError, TimeoutError) as error:
        raise SettingsError(
            f"no Temporal server answers at {target}; start one with `{command('dev')}`, or set TEMPORAL_ADDRESS"
        ) from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise SettingsError(
                f"the Temporal server at {target} has no namespace {namespace!r}; set TEMPORAL_NAMESPACE"
            ) from error
        raise SettingsError(
            f"the Temporal server at {target} refuses namespace {namespace!r}: {_first_line(error)}; "
            "check TEMPORAL_NAMESPACE and TEMPORAL_API_KEY"
        ) from error
    return client


def is_not_found(error: RPCError) -> bool:
    """Whether the server is well and knows no such workflow; a namespace that is missing is an outage."""
    if error.status is not RPCStatusCode.NOT_FOUND:
        return False
    status = error.grpc_status
    return not any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in (status.details if status else ()))


async def ensure_search_attributes(client: Client) -> None:
    """Create the missing `SEARCH_ATTRIBUTES`, and return once workflows can be listed by all of them.

    Idempotent. Adds nothing where all exist, so that the right to add is not needed if an operator made them before.
    Raises `SettingsError` if one exists with another type, if the server does not let us add them, or if they are not
    usable within a minute.
    """
    present = await _present(client)
    for name, kind in SEARCH_ATTRIBUTES.items():
        if present.get(name, kind) != kind:
            raise SettingsError(
                f"search attribute {name} is {_kind_name(present[name])} in namespace {client.namespace!r}, "
                f"and Perennial needs {_kind_name(kind)}; use a namespace of its own (TEMPORAL_NAMESPACE)"
            )
    missing = {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in present}
    if missing:
        await _add(client, missing)
    await _usable(client)


def _configured() -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise SettingsError(
            f"Temporal's client settings cannot be read: {error}; check TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE"
        ) from error


async def _present(client: Client) -> dict[str, IndexedValueType.ValueType]:
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        raise _not_allowed("list", SEARCH_ATTRIBUTES, client, error) from error
    return dict(listed.custom_attributes)


async def _add(client: Client, missing: dict[str, IndexedValueType.ValueType]) -> None:
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    except RPCError as error:
        # Another worker that starts at the same moment may have been quicker.
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise _not_allowed("add", missing, client, error) from error


async def _usable(client: Client) -> None:
    query = " AND ".join(f"{name} IS NULL" for name in SEARCH_ATTRIBUTES)
    until = time.monotonic() + _ATTRIBUTE_PATIENCE.total_seconds()
    while True:
        try:
            await client.count_workflows(query)
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise _not_allowed("use", SEARCH_ATTRIBUTES, client, error) from error
            if time.monotonic() > until:
                raise SettingsError(
                    f"the search attributes of namespace {client.namespace!r} are not usable after a minute: "
                    f"{_first_line(error)}; start again once the cluster has taken them in"
                ) from error
            await asyncio.sleep(_POLL)
        else:
            return


def _not_allowed(
    verb: str, attributes: dict[str, IndexedValueType.ValueType], client: Client, error: RPCError
) -> SettingsError:
    wanted = ", ".join(f"{name}={_kind_name(kind)}" for name, kind in attributes.items())
    return SettingsError(
        f"cannot {verb} the search attributes of namespace {client.namespace!r}: {_first_line(error)}; "
        f"have its operator create {wanted}"
    )


def _kind_name(kind: IndexedValueType.ValueType) -> str:
    return IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").capitalize()


def _first_line(error: RPCError) -> str:
    return (error.message.splitlines() or [error.status.name])[0][:200]
