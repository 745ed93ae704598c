"""Written by `cargo xtask gen` from loop.patient_graph.v1. Do not edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, TypedDict, cast

from .._operation import AsyncCaller, Body, Caller, CallOptions, Operation, Pages


Gender = Literal["female", "male", "intersex"]
"""Sex as laboratories' reference ranges distinguish it.

- `female`
- `male`
- `intersex`
"""


class _ListTimelineResponseRequired(TypedDict):
    events: list[TimelineEvent]
    total: int


class ListTimelineResponse(_ListTimelineResponseRequired, total=False):
    patient_id: str


class _PatientRequired(TypedDict):
    external_ids: dict[str, str]
    """Ids of the same person elsewhere."""


class Patient(_PatientRequired, total=False):
    """A person under care."""

    brand_id: str
    created_at: str
    date_of_birth: str
    """YYYY-MM-DD."""
    email: str
    first_name: str
    gender: Gender
    id: str
    """pat_…"""
    last_name: str
    metadata: dict[str, Any]
    phone: str
    status: str
    updated_at: str
    user_id: str
    """usr_…, if the person has an account."""


class _SafePatientRequired(TypedDict):
    external_ids: dict[str, str]


class SafePatient(_SafePatientRequired, total=False):
    """A patient without names, birth date, sex, e-mail and phone."""

    brand_id: str
    created_at: str
    id: str
    metadata: dict[str, Any]
    status: str
    updated_at: str


class TimelineEvent(TypedDict, total=False):
    """One thing that happened to a patient."""

    brand_id: str
    created_at: str
    description: str
    event_type: str
    id: str
    """tle_…"""
    metadata: dict[str, Any]
    occurred_at: str
    patient_id: str
    source_id: str
    source_type: str
    """What it came from, such as "lab_report"."""
    title: str

_CREATE_PATIENT = Operation(
    name="PatientGraphService/CreatePatient",
    verb="POST",
    path="/v1/patients",
    body=Body("json"),
    keyed=True,
)

_GET_PATIENT_SAFE = Operation(
    name="PatientGraphService/GetPatientSafe",
    verb="GET",
    path="/v1/patients/{id}/safe",
)

_LIST_TIMELINE = Operation(
    name="PatientGraphService/ListTimeline",
    verb="GET",
    path="/v1/patients/{patient_id}/timeline",
    pages=Pages(by="offset", items="events"),
)


class PatientGraph:
    """Patients, who they are to the rest of the platform, and what happened to them in
    order.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_patient(
        self,
        *,
        brand_id: str,
        date_of_birth: str | None = None,
        email: str | None = None,
        external_ids: dict[str, str] | None = None,
        first_name: str,
        gender: Gender | None = None,
        last_name: str,
        metadata: dict[str, Any] | None = None,
        phone: str | None = None,
        user_id: str | None = None,
        options: CallOptions | None = None,
    ) -> Patient:
        """Creates a patient.

        Fails with PATIENT_EXISTS when the user already has one in this brand.

        Args:
        - brand_id: Must be the brand of the token.
        - date_of_birth: YYYY-MM-DD.
        - user_id: usr_…, if the person has an account.
        """
        request: dict[str, Any] = {
            "brand_id": brand_id,
            "date_of_birth": date_of_birth,
            "email": email,
            "external_ids": external_ids,
            "first_name": first_name,
            "gender": gender,
            "last_name": last_name,
            "metadata": metadata,
            "phone": phone,
            "user_id": user_id,
        }
        return cast(Patient, self._caller.call(_CREATE_PATIENT, request, options))

    def get_patient_safe(
        self,
        *,
        id: str,
        options: CallOptions | None = None,
    ) -> SafePatient:
        """Returns a patient without anything that tells who it is: the safe view.

        A person sees only their own. Fails with PATIENT_NOT_FOUND.

        Args:
        - id: pat_…
        """
        request: dict[str, Any] = {
            "id": id,
        }
        return cast(SafePatient, self._caller.call(_GET_PATIENT_SAFE, request, options))

    def list_timeline(
        self,
        *,
        patient_id: str,
        event_type: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> ListTimelineResponse:
        """Lists what happened to a patient, newest first.

        A person sees only their own. Fails with PATIENT_NOT_FOUND.

        Args:
        - patient_id: pat_…
        - event_type: Only this type, such as "biomarkers_recorded".
        - limit: 1 to 100, 20 if absent.
        - offset: At most 10000.
        """
        request: dict[str, Any] = {
            "patient_id": patient_id,
            "event_type": event_type,
            "limit": limit,
            "offset": offset,
        }
        return cast(ListTimelineResponse, self._caller.call(_LIST_TIMELINE, request, options))

    def iterate_timeline(
        self,
        *,
        patient_id: str,
        event_type: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> Iterator[TimelineEvent]:
        """The items of every page of `list_timeline`, asked for as they are needed."""
        request: dict[str, Any] = {
            "patient_id": patient_id,
            "event_type": event_type,
            "limit": limit,
            "offset": offset,
        }
        return self._caller.items(_LIST_TIMELINE, request, options)


class AsyncPatientGraph:
    """Patients, who they are to the rest of the platform, and what happened to them in
    order.
    """

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def create_patient(
        self,
        *,
        brand_id: str,
        date_of_birth: str | None = None,
        email: str | None = None,
        external_ids: dict[str, str] | None = None,
        first_name: str,
        gender: Gender | None = None,
        last_name: str,
        metadata: dict[str, Any] | None = None,
        phone: str | None = None,
        user_id: str | None = None,
        options: CallOptions | None = None,
    ) -> Patient:
        """Creates a patient.

        Fails with PATIENT_EXISTS when the user already has one in this brand.

        Args:
        - brand_id: Must be the brand of the token.
        - date_of_birth: YYYY-MM-DD.
        - user_id: usr_…, if the person has an account.
        """
        request: dict[str, Any] = {
            "brand_id": brand_id,
            "date_of_birth": date_of_birth,
            "email": email,
            "external_ids": external_ids,
            "first_name": first_name,
            "gender": gender,
            "last_name": last_name,
            "metadata": metadata,
            "phone": phone,
            "user_id": user_id,
        }
        return cast(Patient, await self._caller.call(_CREATE_PATIENT, request, options))

    async def get_patient_safe(
        self,
        *,
        id: str,
        options: CallOptions | None = None,
    ) -> SafePatient:
        """Returns a patient without anything that tells who it is: the safe view.

        A person sees only their own. Fails with PATIENT_NOT_FOUND.

        Args:
        - id: pat_…
        """
        request: dict[str, Any] = {
            "id": id,
        }
        return cast(SafePatient, await self._caller.call(_GET_PATIENT_SAFE, request, options))

    async def list_timeline(
        self,
        *,
        patient_id: str,
        event_type: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> ListTimelineResponse:
        """Lists what happened to a patient, newest first.

        A person sees only their own. Fails with PATIENT_NOT_FOUND.

        Args:
        - patient_id: pat_…
        - event_type: Only this type, such as "biomarkers_recorded".
        - limit: 1 to 100, 20 if absent.
        - offset: At most 10000.
        """
        request: dict[str, Any] = {
            "patient_id": patient_id,
            "event_type": event_type,
            "limit": limit,
            "offset": offset,
        }
        return cast(ListTimelineResponse, await self._caller.call(_LIST_TIMELINE, request, options))

    def iterate_timeline(
        self,
        *,
        patient_id: str,
        event_type: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[TimelineEvent]:
        """The items of every page of `list_timeline`, asked for as they are needed."""
        request: dict[str, Any] = {
            "patient_id": patient_id,
            "event_type": event_type,
            "limit": limit,
            "offset": offset,
        }
        return self._caller.items(_LIST_TIMELINE, request, options)
