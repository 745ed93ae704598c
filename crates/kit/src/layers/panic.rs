//! A panic is one failed call, not a dead process.

use http::Response;
use tonic::body::Body;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use super::refuse;
use crate::Error;

/// Answers with an internal error. The panic's own text may hold anything, so it is not logged
/// here; the panic hook prints its place.
#[derive(Clone, Copy, Debug)]
pub struct Answer;

impl ResponseForPanic for Answer {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, _: Box<dyn std::any::Any + Send>) -> Response<Body> {
        refuse(Error::internal(anyhow::anyhow!("a handler panicked")))
    }
}

pub fn layer() -> CatchPanicLayer<Answer> {
    CatchPanicLayer::custom(Answer)
}
