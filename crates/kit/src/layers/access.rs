//! A read of protected data is recorded before it is answered, or it is not answered.

use std::sync::Arc;

use contract::{Audit, Method};
use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use uuid::Uuid;

use super::{Next, failed, refuse};
use crate::{Brand, Caller, Db, RequestId, Result, call::ACTING_USER, tx::RECEIPT};

pub async fn access(db: Db, request: Request<Body>, next: Next) -> Response<Body> {
    let access = Access::of(&request);
    let mut response = next.run(request).await;
    let Some(access) = access.filter(|_| !failed(&response)) else { return response };
    match access.record(&db).await {
        Ok(receipt) => {
            let receipt = HeaderValue::from_str(&receipt.to_string()).expect("a UUID is ASCII");
            response.headers_mut().insert(RECEIPT, receipt);
            response
        }
        Err(error) => refuse(error),
    }
}

/// Who read, in which brand, under which request.
struct Access {
    event_type: &'static str,
    caller: Arc<Caller>,
    brand: Brand,
    request_id: RequestId,
    acting_user: Option<String>,
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
            caller: extensions.get::<Arc<Caller>>()?.clone(),
            brand: extensions.get::<Brand>()?.clone(),
            request_id: extensions.get::<RequestId>()?.clone(),
            acting_user: acting_user.and_then(|it| Some(it.to_str().ok()?.to_owned())),
        })
    }

    async fn record(self, db: &Db) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let mut tx = db.open(&self.brand, "BEGIN").await?;
        let details = serde_json::json!({
            "client_id": &*self.caller.client_id,
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
