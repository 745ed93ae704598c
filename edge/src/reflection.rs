//! gRPC server reflection: programs that know no contract ask here what can be called, and how.
//! <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>
//!
//! Anybody may ask, as anybody may read `/openapi.json`, and is told no more: the methods that
//! are bound to HTTP. Each question counts as a request of its address. A conversation has room
//! apart from that of the streams of those who were let in, and the time of a request, because
//! it costs nothing to open one.

mod contracts;

use std::{collections::BTreeSet, sync::Arc};

use contract::{Audit, CallerKind, Idempotency, Method, Rate};
use futures::stream::{BoxStream, unfold};
use http::{Extensions, HeaderMap, Request, Response};
use kit::layers::Check as _;
use tonic::{Status, Streaming, body::Body, server::Grpc};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tower::service_fn;

use crate::{
    Parts,
    call::{Ending, ends, needs_http_2},
    layers::{Allowance, RateLimit},
    record::Record,
};

pub(crate) use contracts::Contracts;

/// The method in its two versions, which differ in nothing but the name.
static METHODS: [Method; 2] = [
    method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

/// The largest question, in bytes: a name, and it comes back with its answer.
const LARGEST_QUESTION: usize = 4 << 10;

const fn method(path: &'static str) -> Method {
    Method {
        path,
        service: "edge",
        scopes: &[],
        callers: &[CallerKind::Public],
        audit: Audit::None,
        emits: &[],
        idempotency: Idempotency::None,
        rate: Rate::Read,
    }
}

/// The method of a path, if it is one of reflection.
pub(crate) fn at(path: &str) -> Option<&'static Method> {
    // Every request by path comes here, and hardly any is for this.
    path.strip_prefix("/grpc.reflection.")?;
    METHODS.iter().find(|it| it.path == path)
}

/// One caller's questions and their answers.
struct Conversation {
    parts: Arc<Parts>,
    questions: Streaming<ServerReflectionRequest>,
    /// What the rate limiter knows of the caller.
    extensions: Extensions,
    asked: usize,
    /// The files that the caller has.
    sent: BTreeSet<usize>,
}

/// Answers each question as it comes.
pub(crate) async fn converse(
    parts: Arc<Parts>,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    needs_http_2(request.version())?;
    let record = Record::of(request.extensions());
    let until = Allowance::of(request.extensions()).until(parts.config.limits.timeout);
    let ends = ends(until.into(), Some(parts.closing.clone()));
    let codec = ProstCodec::<ServerReflectionResponse, ServerReflectionRequest>::default();
    let mut grpc = Grpc::new(codec).max_decoding_message_size(LARGEST_QUESTION);
    let service = service_fn(move |request: tonic::Request<_>| {
        let (_, extensions, questions) = request.into_parts();
        let sent = BTreeSet::new();
        let conversation =
            Conversation { parts: parts.clone(), questions, extensions, asked: 0, sent };
        async move { Ok(tonic::Response::new(conversation.answers())) }
    });
    let answer = grpc.streaming(service, request).await;
    Ok(answer.map(|body| Body::new(Ending::new(body, ends, record))))
}

impl Conversation {
    fn answers(self) -> BoxStream<'static, Result<ServerReflectionResponse, Status>> {
        Box::pin(unfold(self, |mut conversation| async move {
            Some((conversation.answer().await.transpose()?, conversation))
        }))
    }

    /// The answer to the next question; none when there are no more.
    async fn answer(&mut self) -> Result<Option<ServerReflectionResponse>, Status> {
        let Some(question) = self.questions.message().await? else { return Ok(None) };
        // The first was counted before the conversation began.
        if self.asked > 0 {
            let limiter = RateLimit(self.parts.clone());
            limiter.check(&HeaderMap::new(), &mut self.extensions).settled().await?;
        }
        self.asked += 1;
        Ok(Some(self.parts.contracts.answer(question, &mut self.sent)))
    }
}
