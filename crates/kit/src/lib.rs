//! Everything a service needs and no service should write twice.
//!
//! Reading order: a [`Service`] is data; its methods run behind the [`layers`]; a handler begins
//! with [`Call::of`], reads through [`Db::read`] or changes through [`Db::begin`], [`Tx::record`]
//! and [`Tx::commit`]; it reaches others through [`Peers`] and hears of them by [`Subscription`].

mod service;

mod brand;
mod call;
mod clock;
mod id;
mod page;
mod secret;
mod structs;

mod introspect;
pub mod layers;

mod db;
mod idempotency;
mod tx;

mod peers;
mod reaction;
mod records;

mod error;
mod migrate;

use std::{future::Future, pin::Pin};

pub use brand::Brand;
pub use call::{
    ACTING_USER, BRAND_ID, Call, Caller, Context, IDEMPOTENCY_KEY, REQUEST_ID, Reply, RequestId,
    TRACEPARENT,
};
pub use clock::{Clock, Time, time, timestamp};
pub use contract::Phi;
pub use db::{Db, Reader, Roles, Wake};
pub use error::{DOMAIN, Error, Result, from_peer};
pub use id::{Entity, Id};
pub use introspect::{FENCE_TTL, Introspector, RECORD_TTL, Resolver};
pub use migrate::migrate;
pub use page::Pages;
pub use peers::{OriginCheck, Outbound, Peers, client_id};
pub use reaction::{Reaction, consume, repair, resume};
pub use secret::PlatformKey;
pub use service::{Platform, Seed, Service, Subscription, app};
pub use structs::{json_of, struct_of};
pub use tx::{Change, Clean, Pen, RECEIPT, Recorded, Row, Tx, Unchanged};
pub use uuid::Uuid;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
