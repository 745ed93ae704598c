"""Written by `cargo xtask gen` from loop.clinical.v1. Do not edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, TypedDict, cast

from .._operation import AsyncCaller, Body, Caller, CallOptions, Operation, Pages


class Biomarker(TypedDict, total=False):
    """One measured value of one person."""

    biomarker_code: str
    """The platform's code, such as "albumin"."""
    biomarker_name: str
    brand_id: str
    collected_at: str
    """When the sample was taken."""
    comparator: str
    """"<" or ">" where the laboratory could only bound the value; absent: `value` is exact."""
    id: str
    """bio_…"""
    parsed_at: str
    """When the platform recorded it."""
    patient_id: str
    """pat_…"""
    reference_high: float
    reference_low: float
    """The range the value was classified by, in `unit`, for the patient's sex."""
    status: BiomarkerStatus
    unit: str
    """UCUM, such as "g/dL"."""
    value: float
    """Exact decimal in `unit`."""


class _BiomarkerResultInputRequired(TypedDict):
    code: str
    """The platform's code."""
    collected_at: str
    """When the sample was taken."""
    name: str
    """The laboratory's own name of it."""
    unit: str
    """UCUM or a common laboratory spelling."""
    value: float | str
    """Exact decimal in `unit`, or text with "<" or ">" before it."""


class BiomarkerResultInput(_BiomarkerResultInputRequired, total=False):
    """One result as the laboratory wrote it."""

    reference_high: float | str
    reference_low: float | str
    """The laboratory's own range, in `unit`. Absent: the platform's range for the patient's
    sex.
    """


BiomarkerStatus = Literal["normal", "low", "high", "critical"]
"""How a value stands to its reference range.

- `normal`: Within the reference range, bounds included.
- `low`: Below the range.
- `high`: Above the range.
- `critical`: So far outside that somebody should be called.
"""


class _ListBiomarkersResponseRequired(TypedDict):
    biomarkers: list[Biomarker]


class ListBiomarkersResponse(_ListBiomarkersResponseRequired, total=False):
    next_page_token: str


class _ListMyBiomarkersResponseRequired(TypedDict):
    biomarkers: list[Biomarker]


class ListMyBiomarkersResponse(_ListMyBiomarkersResponseRequired, total=False):
    next_page_token: str
    """Absent on the last page."""


class ParseBiomarkersResponse(TypedDict):
    count: int
    results: list[Biomarker]

_PARSE_BIOMARKERS = Operation(
    name="ClinicalService/ParseBiomarkers",
    verb="POST",
    path="/v1/biomarkers/parse",
    body=Body("json"),
    keyed=True,
)

_LIST_MY_BIOMARKERS = Operation(
    name="ClinicalService/ListMyBiomarkers",
    verb="GET",
    path="/v1/biomarkers/me",
    pages=Pages(by="token", items="biomarkers"),
)

_LIST_BIOMARKERS = Operation(
    name="ClinicalService/ListBiomarkers",
    verb="GET",
    path="/v1/biomarkers",
    pages=Pages(by="token", items="biomarkers"),
)

_GET_BIOMARKER = Operation(
    name="ClinicalService/GetBiomarker",
    verb="GET",
    path="/v1/biomarkers/{id}",
)


class Clinical:
    """Biomarkers of a patient: recorded from lab reports, converted to one unit, classified
    against sex-specific reference ranges.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def parse_biomarkers(
        self,
        *,
        biomarkers: list[BiomarkerResultInput],
        brand_id: str,
        patient_id: str,
        source: str,
        options: CallOptions | None = None,
    ) -> ParseBiomarkersResponse:
        """Records the results of one lab report and classifies each.

        All results are recorded or none. Safe to retry with the same Idempotency-Key.
        Fails with PATIENT_NOT_FOUND, BIOMARKER_UNKNOWN, UNIT_UNKNOWN, VALUE_NOT_DECIMAL,
        VALUE_IMPLAUSIBLE and BIOMARKER_DUPLICATE, each naming the result's index.

        Args:
        - brand_id: Must be the brand of the token.
        - patient_id: pat_…
        - source: Where the report comes from, such as "manual" or "labcorp".
        """
        request: dict[str, Any] = {
            "biomarkers": biomarkers,
            "brand_id": brand_id,
            "patient_id": patient_id,
            "source": source,
        }
        return cast(ParseBiomarkersResponse, self._caller.call(_PARSE_BIOMARKERS, request, options))

    def list_my_biomarkers(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        biomarker_code: str | None = None,
        options: CallOptions | None = None,
    ) -> ListMyBiomarkersResponse:
        """Lists the caller's own biomarkers, newest first.

        An empty list when nothing was recorded.

        Args:
        - page_size: 1 to 100, 20 if absent.
        - page_token: From next_page_token of the page before.
        - biomarker_code: Only this code.
        """
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
            "biomarker_code": biomarker_code,
        }
        return cast(ListMyBiomarkersResponse, self._caller.call(_LIST_MY_BIOMARKERS, request, options))

    def iterate_my_biomarkers(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        biomarker_code: str | None = None,
        options: CallOptions | None = None,
    ) -> Iterator[Biomarker]:
        """The items of every page of `list_my_biomarkers`, asked for as they are needed."""
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
            "biomarker_code": biomarker_code,
        }
        return self._caller.items(_LIST_MY_BIOMARKERS, request, options)

    def list_biomarkers(
        self,
        *,
        user_id: str,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> ListBiomarkersResponse:
        """Lists one person's biomarkers for another service, newest first.

        Args:
        - user_id: usr_…
        - page_size: 1 to 100, 20 if absent.
        """
        request: dict[str, Any] = {
            "user_id": user_id,
            "page_size": page_size,
            "page_token": page_token,
        }
        return cast(ListBiomarkersResponse, self._caller.call(_LIST_BIOMARKERS, request, options))

    def iterate_biomarkers(
        self,
        *,
        user_id: str,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> Iterator[Biomarker]:
        """The items of every page of `list_biomarkers`, asked for as they are needed."""
        request: dict[str, Any] = {
            "user_id": user_id,
            "page_size": page_size,
            "page_token": page_token,
        }
        return self._caller.items(_LIST_BIOMARKERS, request, options)

    def get_biomarker(
        self,
        *,
        id: str,
        options: CallOptions | None = None,
    ) -> Biomarker:
        """Returns one biomarker: a person sees only their own.

        Fails with BIOMARKER_NOT_FOUND.

        Args:
        - id: bio_…
        """
        request: dict[str, Any] = {
            "id": id,
        }
        return cast(Biomarker, self._caller.call(_GET_BIOMARKER, request, options))


class AsyncClinical:
    """Biomarkers of a patient: recorded from lab reports, converted to one unit, classified
    against sex-specific reference ranges.
    """

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def parse_biomarkers(
        self,
        *,
        biomarkers: list[BiomarkerResultInput],
        brand_id: str,
        patient_id: str,
        source: str,
        options: CallOptions | None = None,
    ) -> ParseBiomarkersResponse:
        """Records the results of one lab report and classifies each.

        All results are recorded or none. Safe to retry with the same Idempotency-Key.
        Fails with PATIENT_NOT_FOUND, BIOMARKER_UNKNOWN, UNIT_UNKNOWN, VALUE_NOT_DECIMAL,
        VALUE_IMPLAUSIBLE and BIOMARKER_DUPLICATE, each naming the result's index.

        Args:
        - brand_id: Must be the brand of the token.
        - patient_id: pat_…
        - source: Where the report comes from, such as "manual" or "labcorp".
        """
        request: dict[str, Any] = {
            "biomarkers": biomarkers,
            "brand_id": brand_id,
            "patient_id": patient_id,
            "source": source,
        }
        return cast(ParseBiomarkersResponse, await self._caller.call(_PARSE_BIOMARKERS, request, options))

    async def list_my_biomarkers(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        biomarker_code: str | None = None,
        options: CallOptions | None = None,
    ) -> ListMyBiomarkersResponse:
        """Lists the caller's own biomarkers, newest first.

        An empty list when nothing was recorded.

        Args:
        - page_size: 1 to 100, 20 if absent.
        - page_token: From next_page_token of the page before.
        - biomarker_code: Only this code.
        """
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
            "biomarker_code": biomarker_code,
        }
        return cast(ListMyBiomarkersResponse, await self._caller.call(_LIST_MY_BIOMARKERS, request, options))

    def iterate_my_biomarkers(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        biomarker_code: str | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[Biomarker]:
        """The items of every page of `list_my_biomarkers`, asked for as they are needed."""
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
            "biomarker_code": biomarker_code,
        }
        return self._caller.items(_LIST_MY_BIOMARKERS, request, options)

    async def list_biomarkers(
        self,
        *,
        user_id: str,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> ListBiomarkersResponse:
        """Lists one person's biomarkers for another service, newest first.

        Args:
        - user_id: usr_…
        - page_size: 1 to 100, 20 if absent.
        """
        request: dict[str, Any] = {
            "user_id": user_id,
            "page_size": page_size,
            "page_token": page_token,
        }
        return cast(ListBiomarkersResponse, await self._caller.call(_LIST_BIOMARKERS, request, options))

    def iterate_biomarkers(
        self,
        *,
        user_id: str,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[Biomarker]:
        """The items of every page of `list_biomarkers`, asked for as they are needed."""
        request: dict[str, Any] = {
            "user_id": user_id,
            "page_size": page_size,
            "page_token": page_token,
        }
        return self._caller.items(_LIST_BIOMARKERS, request, options)

    async def get_biomarker(
        self,
        *,
        id: str,
        options: CallOptions | None = None,
    ) -> Biomarker:
        """Returns one biomarker: a person sees only their own.

        Fails with BIOMARKER_NOT_FOUND.

        Args:
        - id: bio_…
        """
        request: dict[str, Any] = {
            "id": id,
        }
        return cast(Biomarker, await self._caller.call(_GET_BIOMARKER, request, options))
