//! A read of protected data is recorded before it is answered, or it is not answered.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use contract::{Audit, Method};
use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt as _};
use uuid::Uuid;

use super::{Answering, Refusal as _};
use crate::{Brand, Caller, Db, RequestId, Result, call::ACTING_USER, tx::RECEIPT};

#[derive(Clone, Debug)]
pub struct AccessRecords(pub Db);

impl<S> Layer<S> for AccessRecords {
    type Service = Recording<S>;

    fn layer(&self, inner: S) -> Recording<S> {
        Recording { db: self.0.clone(), inner }
    }
}

#[derive(Clone, Debug)]
pub struct Recording<S> {
    db: Db,
    inner: S,
}

/// Who read, in which brand, under which request.
struct Access {
    event_type: &'static str,
    caller: Caller,
    brand: Brand,
    request_id: RequestId,
    acting_user: Option<String>,
}

impl<S> Service<Request<Body>> for Recording<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<Response<Body>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let access = Access::of(&request);
        let (db, inner) = (self.db.clone(), self.inner.clone());
        Box::pin(async move {
            let mut response = inner.oneshot(request).await?;
            let failed = response.headers().get("grpc-status").is_some_and(|it| it != "0");
            let Some(access) = access.filter(|_| !failed) else { return Ok(response) };
            match access.record(&db).await {
                Ok(receipt) => {
                    let receipt =
                        HeaderValue::from_str(&receipt.to_string()).expect("a UUID is ASCII");
                    response.headers_mut().insert(RECEIPT, receipt);
                    Ok(response)
                }
                Err(error) => Ok(Response::refuse(error)),
            }
        })
    }
}

impl Access {
    fn of(request: &Request<Body>) -> Option<Self> {
        let extensions = request.extensions();
        let Audit::Read(event_type) = extensions.get::<&'static Method>()?.audit else {
            return None;
        };
        let acting_user = request.headers().get(ACTING_USER);
        Some(Self {
            event_type,
            caller: extensions.get::<Caller>()?.clone(),
            brand: extensions.get::<Brand>()?.clone(),
            request_id: extensions.get::<RequestId>()?.clone(),
            acting_user: acting_user.and_then(|it| Some(it.to_str().ok()?.to_owned())),
        })
    }

    async fn record(self, db: &Db) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let mut tx = db.open(&self.brand, "BEGIN").await?;
        let details = serde_json::json!({
            "client_id": self.caller.client_id,
            "acting_user": self.acting_user,
        });
        sqlx::query(
            "INSERT INTO audit_log (brand_id, id, occurred_at, actor_type, actor_id,
                 actor_brand_id, event_type, request_id, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(self.brand.as_str())
        .bind(id)
        .bind(db.clock().now())
        .bind(self.caller.kind.as_str())
        .bind(&self.caller.subject)
        .bind(self.caller.brand.as_ref().map(Brand::as_str))
        .bind(self.event_type)
        .bind(&*self.request_id.0)
        .bind(details)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }
}
