"""Written by `cargo xtask gen` from loop.events.v1. Do not edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, TypedDict, cast

from .._operation import AsyncCaller, Caller, CallOptions, Operation, Pages


class _DeliveryRequired(TypedDict):
    attempts: int


class Delivery(_DeliveryRequired, total=False):
    """One event on its way to one consumer."""

    brand_id: str
    consumer: str
    correlation_id: str
    delivered_at: str
    event_id: str
    name: str
    occurred_at: str
    producer: str
    state: DeliveryState


DeliveryState = Literal["pending", "delivered", "dead"]
"""Where a delivery stands.

- `pending`: Waiting for its consumer.
- `delivered`: The effect is committed.
- `dead`: Given up after repeated failure; waits for a person.
"""


class _EventTypeRequired(TypedDict):
    consumers: list[str]
    """The services that react to it."""


class EventType(_EventTypeRequired, total=False):
    """One kind of event."""

    key: str
    """The field that orders delivery."""
    message: str
    """The protobuf message of the payload."""
    name: str
    """"clinical.biomarker.parsed.v1"."""
    partner_scope: str
    """The scope that lets a partner see it; absent: none does."""
    producer: str
    """The service that publishes it."""


class _ListDeliveriesResponseRequired(TypedDict):
    deliveries: list[Delivery]


class ListDeliveriesResponse(_ListDeliveriesResponseRequired, total=False):
    next_page_token: str


class ListEventTypesResponse(TypedDict):
    event_types: list[EventType]

_LIST_EVENT_TYPES = Operation(
    name="EventsService/ListEventTypes",
    verb="GET",
    path="/v1/events/catalogue",
)

_LIST_DELIVERIES = Operation(
    name="EventsService/ListDeliveries",
    verb="GET",
    path="/v1/events/deliveries",
    pages=Pages(by="token", items="deliveries"),
)


class Events:
    """The catalogue of events, and what became of each one sent."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list_event_types(
        self,
        *,
        options: CallOptions | None = None,
    ) -> ListEventTypesResponse:
        """Lists every event the platform can publish."""
        request: dict[str, Any] = {}
        return cast(ListEventTypesResponse, self._caller.call(_LIST_EVENT_TYPES, request, options))

    def list_deliveries(
        self,
        *,
        event_id: str | None = None,
        name: str | None = None,
        consumer: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> ListDeliveriesResponse:
        """Lists deliveries of events to consumers within one brand, newest first.

        Args:
        - event_id: Only this event.
        - name: Only events of this name.
        - consumer: Only deliveries to this service.
        - page_size: 1 to 100, 20 if absent.
        """
        request: dict[str, Any] = {
            "event_id": event_id,
            "name": name,
            "consumer": consumer,
            "page_size": page_size,
            "page_token": page_token,
        }
        return cast(ListDeliveriesResponse, self._caller.call(_LIST_DELIVERIES, request, options))

    def iterate_deliveries(
        self,
        *,
        event_id: str | None = None,
        name: str | None = None,
        consumer: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> Iterator[Delivery]:
        """The items of every page of `list_deliveries`, asked for as they are needed."""
        request: dict[str, Any] = {
            "event_id": event_id,
            "name": name,
            "consumer": consumer,
            "page_size": page_size,
            "page_token": page_token,
        }
        return self._caller.items(_LIST_DELIVERIES, request, options)


class AsyncEvents:
    """The catalogue of events, and what became of each one sent."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def list_event_types(
        self,
        *,
        options: CallOptions | None = None,
    ) -> ListEventTypesResponse:
        """Lists every event the platform can publish."""
        request: dict[str, Any] = {}
        return cast(ListEventTypesResponse, await self._caller.call(_LIST_EVENT_TYPES, request, options))

    async def list_deliveries(
        self,
        *,
        event_id: str | None = None,
        name: str | None = None,
        consumer: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> ListDeliveriesResponse:
        """Lists deliveries of events to consumers within one brand, newest first.

        Args:
        - event_id: Only this event.
        - name: Only events of this name.
        - consumer: Only deliveries to this service.
        - page_size: 1 to 100, 20 if absent.
        """
        request: dict[str, Any] = {
            "event_id": event_id,
            "name": name,
            "consumer": consumer,
            "page_size": page_size,
            "page_token": page_token,
        }
        return cast(ListDeliveriesResponse, await self._caller.call(_LIST_DELIVERIES, request, options))

    def iterate_deliveries(
        self,
        *,
        event_id: str | None = None,
        name: str | None = None,
        consumer: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[Delivery]:
        """The items of every page of `list_deliveries`, asked for as they are needed."""
        request: dict[str, Any] = {
            "event_id": event_id,
            "name": name,
            "consumer": consumer,
            "page_size": page_size,
            "page_token": page_token,
        }
        return self._caller.items(_LIST_DELIVERIES, request, options)
