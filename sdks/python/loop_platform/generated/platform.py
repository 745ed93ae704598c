"""Written by `cargo xtask gen` from loop.platform.v1. Do not edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, TypedDict, cast

from .._operation import AsyncCaller, Body, Caller, CallOptions, Operation, Pages


class AuditLogRow(TypedDict, total=False):
    """One row of a service's audit log."""

    actor_id: str
    actor_type: str
    brand_id: str
    details: dict[str, Any]
    """Ids and codes, never protected values."""
    entity_id: str
    entity_type: str
    event_type: str
    id: str
    request_id: str
    source: str
    """The service whose log holds the row."""
    ts: str


class Brand(TypedDict, total=False):
    """A tenant: configuration, and the partition of all data."""

    compliance_regime: ComplianceRegime
    config: dict[str, Any]
    """Theme, sender, vendor sub-accounts by reference; never a secret."""
    created_at: str
    etag: str
    """Changes with every update; send it as If-Match."""
    id: str
    """UUID."""
    name: str
    """The name people read."""
    slug: str
    """What `brand_id` is everywhere else. Never changes."""
    status: BrandStatus
    updated_at: str


BrandStatus = Literal["draft", "active", "inactive"]
"""Where a brand stands in its life.

- `draft`: Being prepared; nobody signs in.
- `active`: Open.
- `inactive`: Closed to new sign-ins and orders; existing data stays readable.
"""


ComplianceRegime = Literal["none", "hipaa", "gdpr", "arl_5_7"]
"""The law that a brand's data falls under.

- `none`
- `hipaa`
- `gdpr`
- `arl_5_7`
"""


class ListAuditLogResponse(TypedDict):
    rows: list[AuditLogRow]
    total: int
    """Rows that match, over all pages."""

_GET_BRAND = Operation(
    name="PlatformService/GetBrand",
    verb="GET",
    path="/v1/admin/brands/{id}",
)

_UPDATE_BRAND = Operation(
    name="PlatformService/UpdateBrand",
    verb="PATCH",
    path="/v1/admin/brands/{id}",
    body=Body("json"),
    keyed=True,
)

_LIST_AUDIT_LOG = Operation(
    name="PlatformService/ListAuditLog",
    verb="GET",
    path="/v1/admin/audit-log",
    pages=Pages(by="offset", items="rows"),
)


class Platform:
    """Brands and what crosses them: the catalogue of tenants and the platform's audit log."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get_brand(
        self,
        *,
        id: str,
        options: CallOptions | None = None,
    ) -> Brand:
        """Returns one brand.

        Fails with BRAND_NOT_FOUND.

        Args:
        - id: The brand's UUID or slug.
        """
        request: dict[str, Any] = {
            "id": id,
        }
        return cast(Brand, self._caller.call(_GET_BRAND, request, options))

    def update_brand(
        self,
        *,
        id: str,
        etag: str | None = None,
        name: str | None = None,
        status: BrandStatus | None = None,
        options: CallOptions | None = None,
    ) -> Brand:
        """Changes a brand's name or status; only what is sent changes.

        Fails with BRAND_NOT_FOUND, with ETAG_STALE when the brand is no longer the one
        that was read, and with BRAND_STATUS when the status cannot follow the present
        one.

        Args:
        - id: The brand's UUID or slug.
        - etag: The brand's etag as it was read. If it has changed since, the call fails.
        """
        request: dict[str, Any] = {
            "id": id,
            "etag": etag,
            "name": name,
            "status": status,
        }
        return cast(Brand, self._caller.call(_UPDATE_BRAND, request, options))

    def list_audit_log(
        self,
        *,
        actor_id: str | None = None,
        event_type: str | None = None,
        entity_type: str | None = None,
        entity_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> ListAuditLogResponse:
        """Lists the audit log of every service within one brand, newest first.

        Args:
        - actor_id: Only rows of this actor.
        - event_type: Only rows of this type, such as "clinical.biomarker.parsed".
        - since: Only rows at or after this instant.
        - until: Only rows before this instant.
        - limit: At most this many rows: 1 to 100, 20 if absent.
        - offset: Rows to pass over: at most 10000.
        """
        request: dict[str, Any] = {
            "actor_id": actor_id,
            "event_type": event_type,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "since": since,
            "until": until,
            "limit": limit,
            "offset": offset,
        }
        return cast(ListAuditLogResponse, self._caller.call(_LIST_AUDIT_LOG, request, options))

    def iterate_audit_log(
        self,
        *,
        actor_id: str | None = None,
        event_type: str | None = None,
        entity_type: str | None = None,
        entity_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> Iterator[AuditLogRow]:
        """The items of every page of `list_audit_log`, asked for as they are needed."""
        request: dict[str, Any] = {
            "actor_id": actor_id,
            "event_type": event_type,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "since": since,
            "until": until,
            "limit": limit,
            "offset": offset,
        }
        return self._caller.items(_LIST_AUDIT_LOG, request, options)


class AsyncPlatform:
    """Brands and what crosses them: the catalogue of tenants and the platform's audit log."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def get_brand(
        self,
        *,
        id: str,
        options: CallOptions | None = None,
    ) -> Brand:
        """Returns one brand.

        Fails with BRAND_NOT_FOUND.

        Args:
        - id: The brand's UUID or slug.
        """
        request: dict[str, Any] = {
            "id": id,
        }
        return cast(Brand, await self._caller.call(_GET_BRAND, request, options))

    async def update_brand(
        self,
        *,
        id: str,
        etag: str | None = None,
        name: str | None = None,
        status: BrandStatus | None = None,
        options: CallOptions | None = None,
    ) -> Brand:
        """Changes a brand's name or status; only what is sent changes.

        Fails with BRAND_NOT_FOUND, with ETAG_STALE when the brand is no longer the one
        that was read, and with BRAND_STATUS when the status cannot follow the present
        one.

        Args:
        - id: The brand's UUID or slug.
        - etag: The brand's etag as it was read. If it has changed since, the call fails.
        """
        request: dict[str, Any] = {
            "id": id,
            "etag": etag,
            "name": name,
            "status": status,
        }
        return cast(Brand, await self._caller.call(_UPDATE_BRAND, request, options))

    async def list_audit_log(
        self,
        *,
        actor_id: str | None = None,
        event_type: str | None = None,
        entity_type: str | None = None,
        entity_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> ListAuditLogResponse:
        """Lists the audit log of every service within one brand, newest first.

        Args:
        - actor_id: Only rows of this actor.
        - event_type: Only rows of this type, such as "clinical.biomarker.parsed".
        - since: Only rows at or after this instant.
        - until: Only rows before this instant.
        - limit: At most this many rows: 1 to 100, 20 if absent.
        - offset: Rows to pass over: at most 10000.
        """
        request: dict[str, Any] = {
            "actor_id": actor_id,
            "event_type": event_type,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "since": since,
            "until": until,
            "limit": limit,
            "offset": offset,
        }
        return cast(ListAuditLogResponse, await self._caller.call(_LIST_AUDIT_LOG, request, options))

    def iterate_audit_log(
        self,
        *,
        actor_id: str | None = None,
        event_type: str | None = None,
        entity_type: str | None = None,
        entity_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[AuditLogRow]:
        """The items of every page of `list_audit_log`, asked for as they are needed."""
        request: dict[str, Any] = {
            "actor_id": actor_id,
            "event_type": event_type,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "since": since,
            "until": until,
            "limit": limit,
            "offset": offset,
        }
        return self._caller.items(_LIST_AUDIT_LOG, request, options)
