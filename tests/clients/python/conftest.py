"""What the scripts know of the platform: where it is, who may use it, what to send."""

from __future__ import annotations

import os
import uuid
from typing import Any

import pytest


class Place:
    api = os.environ.get("LOOP_API", "")
    client_id = os.environ.get("LOOP_CLIENT_ID", "")
    client_secret = os.environ.get("LOOP_CLIENT_SECRET", "")
    user_id = os.environ.get("LOOP_USER_ID", "")
    patient_id = os.environ.get("LOOP_PATIENT_ID", "")

    grant = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "brand_id": "loop",
    }

    def key(self) -> str:
        return str(uuid.uuid4())

    def report(self, **changes: Any) -> dict[str, Any]:
        """A laboratory's report of three results."""
        when = "2026-04-28T09:30:00Z"
        results = [
            {"code": code, "name": code, "value": value, "unit": unit, "collected_at": when}
            for code, value, unit in [
                ("albumin", 4.2, "g/dL"),
                ("glucose", "91.25", "mg/dL"),
                ("creatinine", 0.9, "mg/dL"),
            ]
        ]
        ids = {"patient_id": self.patient_id, "brand_id": "loop", "source": "labcorp"}
        return {**ids, "biomarkers": results, **changes}


@pytest.fixture(scope="session")
def place() -> Place:
    return Place()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
