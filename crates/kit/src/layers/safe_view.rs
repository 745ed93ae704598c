//! Checkpoint 4, PHI safe-view: what the layers below say of a request comes from here.
//!
//! From this layer on a request carries a [`SafeView`], made of ids, codes and the contract's own
//! words. Logs, spans, errors and metrics take it and nothing else; a protected value has no way in.

use std::sync::Arc;

use contract::{CallerKind, Method};
use http::{Extensions, HeaderMap};

use super::{Check, Finding};
use crate::{Brand, Caller, Error, RequestId};

/// What may be said of a request: none of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeView {
    pub method: &'static str,
    pub request_id: RequestId,
    pub client_id: Arc<str>,
    pub brand: Brand,
    pub caller: CallerKind,
}

/// Checkpoint 4 as a layer: gives an admitted request its safe view, and says it once.
#[derive(Clone, Debug)]
pub struct PhiSafeView;

impl Check for PhiSafeView {
    fn check(&self, _: &HeaderMap, extensions: &mut Extensions) -> Finding {
        let Some(view) = view(extensions) else {
            return Finding::Now(Err(Error::unauthenticated("the request was not admitted")));
        };
        tracing::debug!(
            method = view.method,
            request_id = &*view.request_id.0,
            client_id = &*view.client_id,
            brand_id = view.brand.as_str(),
            caller = view.caller.as_str(),
            "admitted"
        );
        extensions.insert(view);
        Finding::Now(Ok(()))
    }
}

fn view(extensions: &Extensions) -> Option<SafeView> {
    let caller = extensions.get::<Arc<Caller>>()?;
    Some(SafeView {
        method: extensions.get::<&'static Method>()?.path,
        request_id: extensions.get::<RequestId>()?.clone(),
        client_id: caller.client_id.clone(),
        brand: extensions.get::<Brand>()?.clone(),
        caller: caller.kind,
    })
}
