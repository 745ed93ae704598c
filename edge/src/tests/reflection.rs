//! What programs that know no contract are told, and how often they may ask.

use std::{collections::BTreeSet, time::Duration};

use futures::{SinkExt as _, StreamExt as _, channel::mpsc, stream};
use http::{Method, Request};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use tonic::{Code, Status, transport::Endpoint};
use tonic_reflection::pb::{
    v1::{
        ExtensionRequest, FileDescriptorResponse, ServerReflectionRequest,
        ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest as Question,
        server_reflection_response::MessageResponse as Answer,
    },
    v1alpha,
};
use tonic_types::StatusExt as _;

use super::{
    door::{Door, Setting, until},
    probe,
};
use crate::grpc::frame;

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

async fn client(door: &Door) -> ServerReflectionClient<tonic::transport::Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", door.address)).unwrap();
    ServerReflectionClient::new(endpoint.connect().await.unwrap())
}

fn request(question: Question) -> ServerReflectionRequest {
    ServerReflectionRequest { host: "loop.test".into(), message_request: Some(question) }
}

fn symbol(name: &str) -> Question {
    Question::FileContainingSymbol(name.into())
}

fn list() -> Question {
    Question::ListServices(String::new())
}

/// All answers to these questions, asked in one conversation.
async fn ask(
    door: &Door,
    questions: Vec<Question>,
) -> Result<Vec<ServerReflectionResponse>, Status> {
    let questions = stream::iter(questions.into_iter().map(request));
    let answers = client(door).await.server_reflection_info(questions).await?;
    answers.into_inner().collect::<Vec<_>>().await.into_iter().collect()
}

async fn answer(door: &Door, question: Question) -> Answer {
    let mut answers = ask(door, vec![question]).await.unwrap();
    answers.remove(0).message_response.unwrap()
}

fn services(answer: Answer) -> Vec<String> {
    let Answer::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    list.service.into_iter().map(|it| it.name).collect()
}

fn files(answer: Answer) -> Vec<Vec<u8>> {
    let Answer::FileDescriptorResponse(files) = answer else { panic!("{answer:?}") };
    assert!(!files.file_descriptor_proto.is_empty());
    files.file_descriptor_proto
}

fn failure(answer: Answer) -> (i32, String) {
    let Answer::ErrorResponse(error) = answer else { panic!("{answer:?}") };
    (error.error_code, error.error_message)
}

/// What a program makes of the files: it fails if an import is missing.
fn pool(files: Vec<Vec<u8>>) -> DescriptorPool {
    // The message has the form of a `google.protobuf.FileDescriptorSet`.
    let set = FileDescriptorResponse { file_descriptor_proto: files }.encode_to_vec();
    DescriptorPool::decode(&*set).unwrap()
}

#[tokio::test]
async fn the_services_with_public_methods_are_listed() {
    let (door, _) = probe::open().await;
    let listed = services(answer(&door, list()).await);
    let own = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
    let others = ["loop.identity.v1.IdentityService", "loop.probe.v1.ProbeService"];
    for name in own.iter().chain(&others) {
        assert!(listed.iter().any(|it| it == name), "{name} is not in {listed:?}");
    }
    let served = door.parts.methods.keys().map(|it| &it[1..it.rfind('/').unwrap()]);
    let served: BTreeSet<_> = served.collect();
    assert!(listed.iter().map(String::as_str).eq(served), "{listed:?}");
}

#[tokio::test]
async fn the_older_version_says_the_same() {
    let (door, _) = probe::open().await;
    let endpoint = Endpoint::from_shared(format!("http://{}", door.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let question = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let answers = client.server_reflection_info(stream::iter([question])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("{:?}", answer.original_request)
    };
    assert!(list.service.iter().any(|it| it.name == "loop.probe.v1.ProbeService"));
}

#[tokio::test]
async fn a_program_can_build_the_messages_of_every_public_method_and_sees_no_other() {
    let (door, _) = probe::open().await;
    let found = files(answer(&door, symbol("loop.probe.v1.ProbeService")).await);
    let pool = pool(found);
    let service = pool.get_service_by_name("loop.probe.v1.ProbeService").unwrap();
    let methods: BTreeSet<_> = service.methods().map(|it| it.name().to_owned()).collect();
    assert!(methods.contains("Echo") && methods.contains("Chat"));
    assert!(!methods.contains("Internal"), "{methods:?}");
    let echo = service.methods().find(|it| it.name() == "Echo").unwrap();
    assert!(echo.input().get_field_by_name("text").is_some());
    let absent = answer(&door, symbol("loop.probe.v1.ProbeService.Internal")).await;
    assert_eq!(failure(absent).0, Code::NotFound as i32);
    for path in door.parts.methods.keys() {
        let name = path[1..].replace('/', ".");
        files(answer(&door, symbol(&name)).await);
    }
}

#[tokio::test]
async fn the_options_of_a_method_come_along() {
    let (door, _) = probe::open().await;
    let pool = pool(files(answer(&door, symbol("loop.probe.v1.ProbeService.Echo")).await));
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let service = pool.get_service_by_name("loop.probe.v1.ProbeService").unwrap();
    let echo = service.methods().find(|it| it.name() == "Echo").unwrap();
    assert!(echo.options().has_extension(&http));
}

#[tokio::test]
async fn whatever_has_a_name_is_found_and_what_has_none_is_refused_by_itself() {
    let (door, _) = probe::open().await;
    for name in [
        "loop.probe.v1.EchoRequest",
        "loop.probe.v1.EchoRequest.text",
        "google.rpc.ErrorInfo", // The details of errors, which grpcurl prints.
        "google.api.http",
        "google.api.HttpRule.pattern",
        "google.protobuf.FieldDescriptorProto.Type",
        "google.protobuf.FieldDescriptorProto.TYPE_DOUBLE",
    ] {
        files(answer(&door, symbol(name)).await);
    }
    let extension = |containing_type: &str, extension_number| {
        let containing_type = containing_type.into();
        Question::FileContainingExtension(ExtensionRequest { containing_type, extension_number })
    };
    let options = "google.protobuf.MethodOptions";
    let questions = vec![
        symbol("loop.probe.v1.Nothing"),
        symbol(""),
        Question::FileByFilename("nothing.proto".into()),
        extension(options, 1),
        extension(options, -1),
        extension("loop.probe.v1.Nothing", 72_295_728),
        Question::AllExtensionNumbersOfType("loop.probe.v1.Nothing".into()),
    ];
    let asked = questions.len();
    let answers = ask(&door, [questions, vec![list()]].concat()).await.unwrap();
    assert_eq!(answers.len(), asked + 1);
    for answer in &answers[..asked] {
        let error = failure(answer.message_response.clone().unwrap());
        assert_eq!(error.0, Code::NotFound as i32, "{answer:?}");
        assert!(answer.original_request.is_some());
        assert_eq!(answer.valid_host, "loop.test");
    }
    files(answer(&door, extension(options, 72_295_728)).await);
    let numbers = answer(&door, Question::AllExtensionNumbersOfType(options.into())).await;
    let Answer::AllExtensionNumbersResponse(numbers) = numbers else { panic!("{numbers:?}") };
    assert!(numbers.extension_number.contains(&72_295_728), "{numbers:?}");
}

#[tokio::test]
async fn a_file_is_sent_once_unless_it_is_asked_for() {
    let (door, _) = probe::open().await;
    let name = "loop.probe.v1.ProbeService";
    let again = Question::FileByFilename("google/api/annotations.proto".into());
    let questions = vec![symbol(name), symbol("loop.probe.v1.Thing"), again];
    let answers = ask(&door, questions).await.unwrap().into_iter();
    let sent: Vec<_> = answers.map(|it| files(it.message_response.unwrap())).collect();
    assert!(sent[0].len() > 4);
    assert_eq!(sent[1..].iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(sent[0][0], sent[1][0]);
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let (door, _) = probe::open().await;
    let mut client = client(&door).await;
    let empty = ServerReflectionRequest { host: String::new(), message_request: None };
    let answers = client.server_reflection_info(stream::iter([empty])).await.unwrap();
    let answers: Vec<_> = answers.into_inner().map(Result::unwrap).collect().await;
    let error = failure(answers[0].message_response.clone().unwrap());
    assert_eq!(error.0, Code::InvalidArgument as i32);
    let long = symbol(&"a".repeat(5000));
    let refused = ask(&door, vec![long]).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    let many = ask(&door, vec![symbol("x"); 1001]).await.unwrap_err();
    assert_eq!(many.code(), Code::ResourceExhausted, "{many:?}");
}

#[tokio::test]
async fn reflection_is_spoken_in_every_protocol_that_streams() {
    let (door, _) = probe::open().await;
    let question = request(list()).encode_to_vec();
    let names = |message: &[u8]| {
        let answer = ServerReflectionResponse::decode(message).unwrap();
        services(answer.message_response.unwrap())
    };
    for (content_type, end) in
        [("application/grpc-web+proto", 0x80), ("application/connect+proto", 2)]
    {
        let request = Request::post(V1).header("content-type", content_type);
        let answer = door.send_bytes(request, frame(&question)).await;
        let found = probe::envelopes(answer.body);
        assert_eq!(found.iter().map(|it| it.0).collect::<Vec<_>>(), [0, end], "{content_type}");
        assert!(names(&found[0].1).iter().any(|it| it == "loop.probe.v1.ProbeService"));
    }
    let request = Request::post(V1).header("content-type", "application/connect+json");
    let body = probe::envelope(&serde_json::json!({"listServices": ""}));
    let found = probe::envelopes(door.send_bytes(request, body.into()).await.body);
    let answer: serde_json::Value = serde_json::from_slice(&found[0].1).unwrap();
    assert!(answer["listServicesResponse"]["service"][0]["name"].is_string(), "{answer}");
    let answer = door.ask(Method::PUT, V1).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"));
}

#[tokio::test]
async fn a_conversation_counts_as_a_request_of_its_address() {
    let mut setting = Setting::new();
    setting.config.rates.read = 1;
    let (door, _) = probe::open_with(setting).await;
    assert_eq!(ask(&door, vec![list(); 3]).await.unwrap().len(), 3);
    let refused = ask(&door, vec![list()]).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "RATE_LIMITED");
}

#[tokio::test]
async fn conversations_have_room_of_their_own_and_leave_it() {
    let mut setting = Setting::new();
    setting.config.limits.streams = 16;
    let (door, _) = probe::open_with(setting).await;
    let mut client = client(&door).await;
    let (mut say, said) = mpsc::channel(1);
    let mut first = client.server_reflection_info(said).await.unwrap();
    say.send(request(list())).await.unwrap();
    assert!(first.get_mut().next().await.unwrap().is_ok());
    let refused = ask(&door, vec![list()]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "OVERLOADED");
    // The streams of those who were let in have theirs.
    let watched = door.get("/v1/probe/watch/hi?count=1", &door.prober()).await;
    assert_eq!(watched.status, 200);
    drop((say, first));
    let room = &door.parts.capacity.public_streams;
    until("the conversation to end", || room.available_permits() == 1).await;
    assert_eq!(ask(&door, vec![list()]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_conversation_ends_in_time_and_with_the_gateway() {
    let mut setting = Setting::new();
    setting.config.limits.stream = Duration::from_millis(200);
    let (door, _) = probe::open_with(setting).await;
    let (_say, said) = mpsc::channel(1);
    let silent = client(&door).await.server_reflection_info(said).await;
    let ended = silent.unwrap().into_inner().next().await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded);

    let (door, _) = probe::open().await;
    let (_say, said) = mpsc::channel(1);
    let silent = client(&door).await.server_reflection_info(said).await;
    door.shutdown.cancel();
    let ended = silent.unwrap().into_inner().next().await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(ended.get_details_error_info().unwrap().reason, "SHUTTING_DOWN");
    door.serving.await.unwrap();
}
