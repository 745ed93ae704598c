"""Written by `cargo xtask gen`. Do not edit."""

from .._operation import AsyncCaller, Caller
from .clinical import AsyncClinical, Clinical
from .events import AsyncEvents, Events
from .identity import AsyncIdentity, Identity
from .patient_graph import AsyncPatientGraph, PatientGraph
from .platform import AsyncPlatform, Platform


class Services:
    """Every service of the platform."""

    def __init__(self, caller: Caller) -> None:
        self.clinical = Clinical(caller)
        self.events = Events(caller)
        self.identity = Identity(caller)
        self.patient_graph = PatientGraph(caller)
        self.platform = Platform(caller)


class AsyncServices:
    """Every service of the platform."""

    def __init__(self, caller: AsyncCaller) -> None:
        self.clinical = AsyncClinical(caller)
        self.events = AsyncEvents(caller)
        self.identity = AsyncIdentity(caller)
        self.patient_graph = AsyncPatientGraph(caller)
        self.platform = AsyncPlatform(caller)
