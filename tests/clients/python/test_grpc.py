"""The platform through grpcio, by a program that has no contract: it asks for them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc
import pytest
import requests
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

CLINICAL = "loop.clinical.v1.ClinicalService"
PATIENTS = "loop.patient_graph.v1.PatientGraphService"


@pytest.fixture(scope="session")
def channel(place):
    with grpc.insecure_channel(urlsplit(place.api).netloc) as channel:
        yield channel


@pytest.fixture(scope="session")
def reflection(channel):
    return ProtoReflectionDescriptorDatabase(channel)


@pytest.fixture(scope="session")
def pool(reflection):
    return DescriptorPool(reflection)


@pytest.fixture(scope="session")
def token(place):
    answer = requests.post(f"{place.api}/v1/oauth/token", data=place.grant, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


@pytest.fixture(scope="session")
def call(channel, pool, token):
    """Calls a method that is known by its name alone; JSON in, JSON out."""

    def call(service, name, request, token=token, **options):
        method = pool.FindServiceByName(service).methods_by_name[name]
        answers, asks = GetMessageClass(method.output_type), GetMessageClass(method.input_type)
        stub = channel.unary_unary(
            f"/{service}/{name}",
            request_serializer=asks.SerializeToString,
            response_deserializer=answers.FromString,
        )
        metadata = [("authorization", f"Bearer {token}")] if token else []
        answer = stub(ParseDict(request, asks()), metadata=metadata, timeout=20, **options)
        return MessageToDict(answer, preserving_proto_field_name=True)

    return call


def failure(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value, rpc_status.from_call(caught.value)


def detail(status, kind):
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    raise AssertionError(f"no {kind.DESCRIPTOR.full_name} in {status}")


def test_it_is_told_what_can_be_called(reflection, pool):
    services = reflection.get_services()
    assert CLINICAL in services and PATIENTS in services
    assert "grpc.reflection.v1.ServerReflection" in services
    assert not [it for it in services if it.startswith("loop.records.")]
    for name in services:
        assert pool.FindServiceByName(name).methods, name


def test_it_is_told_of_no_method_among_services(pool):
    methods = pool.FindServiceByName("loop.identity.v1.IdentityService").methods_by_name
    assert "GetMe" in methods and "ResolveToken" not in methods
    with pytest.raises(KeyError):
        pool.FindMethodByName("loop.identity.v1.IdentityService.ResolveToken")


def test_it_reads_the_contracts_own_options(pool):
    method = pool.FindServiceByName(CLINICAL).methods_by_name["GetBiomarker"]
    kind = GetMessageClass(pool.FindMessageTypeByName("google.protobuf.MethodOptions"))
    http = pool.FindExtensionByName("google.api.http")
    options = kind.FromString(method.GetOptions().SerializeToString())
    assert options.Extensions[http].get == "/v1/biomarkers/{id}"


def test_it_calls_what_it_has_been_told_of(place, call):
    assert call(PATIENTS, "GetPatientSafe", {"id": place.patient_id})
    report = place.report()
    for result in report["biomarkers"]:
        result["value"] = str(result["value"])  # A decimal is text in Protobuf.
    answer = call(CLINICAL, "ParseBiomarkers", report)
    assert answer["count"] == 3
    found = call(CLINICAL, "GetBiomarker", {"id": answer["results"][0]["id"]})
    assert found["biomarker"]["value"] == "4.2"


def test_an_error_says_why(call):
    error, status = failure(call, CLINICAL, "GetBiomarker", {"id": "bio_" + "0" * 26})
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert detail(status, ErrorInfo).reason == "BIOMARKER_NOT_FOUND"
    request = {"user_id": "x", "page_size": 101}
    error, status = failure(call, CLINICAL, "ListBiomarkers", request)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert detail(status, BadRequest).field_violations[0].field == "page_size"


def test_a_stranger_learns_what_can_be_called_and_may_call_nothing(call):
    for token in (None, "wrong"):
        error, status = failure(call, CLINICAL, "GetBiomarker", {"id": "x"}, token=token)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert detail(status, ErrorInfo).reason == "UNAUTHENTICATED"


def test_many_calls_share_one_connection(place, call):
    with ThreadPoolExecutor(16) as threads:
        ask = lambda _: call(PATIENTS, "GetPatientSafe", {"id": place.patient_id})
        answers = list(threads.map(ask, range(64)))
    assert all(it == answers[0] for it in answers)


def test_a_stream_goes_both_ways_as_it_comes(channel):
    """Reflection itself: each question waits for the answer to the one before."""
    answered = threading.Semaphore(1)

    def questions():
        for name in (CLINICAL, "no.such.Symbol", PATIENTS):
            assert answered.acquire(timeout=20)
            yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    kinds = []
    for answer in stub.ServerReflectionInfo(questions(), timeout=20):
        kinds.append(answer.WhichOneof("message_response"))
        answered.release()
    assert kinds == ["file_descriptor_response", "error_response", "file_descriptor_response"]
