//! So many requests a minute, by class and client, as the configuration's table says.

use std::{sync::Arc, time::Duration};

use cache::Verdict;
use contract::{CallerKind, Method, Rate};
use http::{Extensions, HeaderMap};
use kit::{
    Caller, Error, Result,
    layers::{Check, Finding},
};

use super::oauth_client::NamedClient;
use crate::{
    Parts,
    record::{Rated, Record},
};

const WINDOW: Duration = Duration::from_secs(60);

/// Counts requests. Without the cache nobody can be counted, and everybody is let through.
#[derive(Clone)]
pub(crate) struct RateLimit(pub(crate) Arc<Parts>);

impl RateLimit {
    /// Under which name a request counts; none if it does not.
    fn key(&self, class: Rate, extensions: &Extensions) -> Option<String> {
        let name = name(class);
        let address = Record::of(extensions).client.address.network();
        let caller = extensions.get::<Arc<Caller>>().filter(|it| it.kind != CallerKind::Public);
        match (caller, extensions.get::<NamedClient>()) {
            (Some(caller), _) if self.is_own(caller) => None,
            (Some(caller), _) => Some([name, ":", &caller.client_id].concat()),
            // With the address: an unproven name alone would let anybody lock anybody out.
            (None, Some(NamedClient(id))) => Some(format!("{name}:{id}@{address}")),
            (None, None) => Some(format!("{name}:@{address}")),
        }
    }

    /// Others' requests lead to its calls, and those were counted.
    fn is_own(&self, caller: &Caller) -> bool {
        caller.kind == CallerKind::Service && self.0.own_clients.contains(&*caller.client_id)
    }
}

impl Check for RateLimit {
    fn check(&self, _: &HeaderMap, extensions: &mut Extensions) -> Finding {
        // A page is no method: it is where people sign in and consent.
        let class = extensions.get::<&'static Method>().map_or(Rate::Authorize, |it| it.rate);
        let Some(key) = self.key(class, extensions) else { return Finding::Now(Ok(())) };
        let limit = self.0.config.rates.of(class);
        let record = Record::of(extensions);
        if let Some(verdict) = self.0.cache.allow_here(&key, limit, WINDOW) {
            return Finding::Now(judge(record, limit, verdict));
        }
        let (record, cache) = (record.clone(), self.0.cache.clone());
        Finding::Later(Box::pin(async move {
            match cache.allow(&key, limit, WINDOW).await {
                Ok(verdict) => judge(&record, limit, verdict)?,
                Err(cause) => tracing::warn!(%cause, "a request was not counted"),
            }
            Ok(Extensions::new())
        }))
    }
}

fn judge(record: &Record, limit: u32, verdict: Verdict) -> Result<()> {
    let _ = record.rate.set(Rated { limit, verdict });
    if verdict.allowed {
        return Ok(());
    }
    let message = format!("more than {limit} requests a minute");
    Err(Error::rate_limited(message, verdict.retry_after).with("oauth_error", "rate_limited"))
}

/// What a class is counted under.
fn name(class: Rate) -> &'static str {
    match class {
        Rate::Read => "read",
        Rate::Write => "write",
        Rate::Admin => "admin",
        Rate::Token => "token",
        Rate::Introspect => "introspect",
        Rate::Revoke => "revoke",
        Rate::Authorize => "authorize",
    }
}
