//! gRPC server reflection: programs that know no contract ask here what can be called, and how.
//! <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>
//!
//! To the layers it is a service as others are, in this process, with a contract of its own:
//! anybody may call it, as anybody may read `/openapi.json`, and is told no more than that. So it
//! is spoken in every protocol that streams are: gRPC, gRPC-Web, Connect.

mod contracts;

use std::{collections::BTreeSet, sync::Arc};

use contract::{Audit, CallerKind, Idempotency, Method, Package, Rate};
use futures::stream::{BoxStream, unfold};
use http::{Request, Response};
use kit::Error;
use mesh::App;
use prost_reflect::DescriptorPool;
use tonic::{Code, Status, Streaming, body::Body, server::Grpc};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::{
    v1::{self, ServerReflectionRequest, ServerReflectionResponse},
    v1alpha,
};
use tower::{service_fn, util::BoxCloneSyncService};

use crate::Methods;
use contracts::Contracts;

/// What it is called among services.
pub(crate) const NAME: &str = "reflection";

/// The gRPC paths of its method in both versions, which differ in nothing else.
pub(crate) const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Its contract.
pub(crate) static PACKAGES: [&Package; 2] = [
    &Package {
        name: "grpc.reflection.v1",
        methods: &[method(METHODS[0])],
        events: &[],
        descriptors: v1::FILE_DESCRIPTOR_SET,
    },
    &Package {
        name: "grpc.reflection.v1alpha",
        methods: &[method(METHODS[1])],
        events: &[],
        descriptors: v1alpha::FILE_DESCRIPTOR_SET,
    },
];

/// The largest question, in bytes: a name, and it comes back with its answer.
const LARGEST_QUESTION: usize = 4 << 10;

/// Questions in one conversation, which is counted once: far more than any program has.
const MOST_QUESTIONS: usize = 1000;

const fn method(path: &'static str) -> Method {
    Method {
        path,
        service: NAME,
        scopes: &[],
        callers: &[CallerKind::Public],
        audit: Audit::None,
        emits: &[],
        idempotency: Idempotency::None,
        rate: Rate::Read,
    }
}

/// The service that tells what of `pool` is `served`.
pub(crate) fn service(pool: &DescriptorPool, served: &Methods) -> App {
    let contracts = Arc::new(Contracts::new(pool, |path| served.contains_key(path)));
    BoxCloneSyncService::new(service_fn(move |request| {
        let contracts = contracts.clone();
        async move { Ok(converse(contracts, request).await) }
    }))
}

/// Answers each question as it comes.
async fn converse(contracts: Arc<Contracts>, request: Request<Body>) -> Response<Body> {
    let codec = ProstCodec::<ServerReflectionResponse, ServerReflectionRequest>::default();
    let mut grpc = Grpc::new(codec).max_decoding_message_size(LARGEST_QUESTION);
    let answers = service_fn(move |questions: tonic::Request<_>| {
        let conversation = Conversation::new(contracts.clone(), questions.into_inner());
        async move { Ok(tonic::Response::new(conversation.answers())) }
    });
    grpc.streaming(answers, request).await
}

/// One caller's questions and their answers.
struct Conversation {
    contracts: Arc<Contracts>,
    questions: Streaming<ServerReflectionRequest>,
    asked: usize,
    /// The files that the caller has.
    sent: BTreeSet<usize>,
}

impl Conversation {
    fn new(contracts: Arc<Contracts>, questions: Streaming<ServerReflectionRequest>) -> Self {
        Self { contracts, questions, asked: 0, sent: BTreeSet::new() }
    }

    fn answers(self) -> BoxStream<'static, Result<ServerReflectionResponse, Status>> {
        Box::pin(unfold(self, |mut conversation| async move {
            Some((conversation.answer().await.transpose()?, conversation))
        }))
    }

    /// The answer to the next question; none when there are no more.
    async fn answer(&mut self) -> Result<Option<ServerReflectionResponse>, Status> {
        let Some(question) = self.questions.message().await? else { return Ok(None) };
        self.asked += 1;
        if self.asked > MOST_QUESTIONS {
            let message = format!("more than {MOST_QUESTIONS} questions at once; ask anew");
            return Err(Error::new(Code::ResourceExhausted, "RATE_LIMITED", message).into());
        }
        Ok(Some(self.contracts.answer(question, &mut self.sent)))
    }
}
