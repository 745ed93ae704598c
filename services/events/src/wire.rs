//! Protobuf on one side, rows and the process's own services on the other.

use events_contract::v1 as pb;
use kit::{Brand, Service, Time, timestamp};

use crate::store::{Delivery, Place, State};

/// Every event of every service, and who reacts to it.
pub fn catalogue(services: &[&Service]) -> Vec<pb::EventType> {
    let consumers = |name: &str| {
        let reacts = |it: &&&Service| it.subscriptions.iter().any(|it| it.event.name == name);
        services.iter().filter(reacts).map(|it| it.name.to_owned()).collect()
    };
    let mut types: Vec<_> = services
        .iter()
        .flat_map(|it| it.package.events)
        .map(|it| pb::EventType {
            name: it.name.into(),
            producer: it.producer.into(),
            key: it.key.into(),
            partner_scope: it.partner_scope.into(),
            consumers: consumers(it.name),
            message: it.message.into(),
        })
        .collect();
    types.sort_by(|a, b| a.name.cmp(&b.name));
    types
}

pub fn delivery(it: Delivery, brand: &Brand) -> pb::Delivery {
    let state = match it.state {
        State::Pending => pb::DeliveryState::Pending,
        State::Delivered => pb::DeliveryState::Delivered,
        State::Dead => pb::DeliveryState::Dead,
    };
    pb::Delivery {
        event_id: it.event_id.to_string(),
        name: it.name,
        producer: it.producer,
        consumer: it.consumer,
        brand_id: brand.to_string(),
        state: state.into(),
        attempts: it.attempts,
        occurred_at: Some(timestamp(it.occurred_at)),
        delivered_at: it.delivered_at.map(timestamp),
        correlation_id: it.correlation_id,
    }
}

/// A place in the list, as a page token holds it.
pub fn place_of(it: &Delivery) -> String {
    format!("{}/{}/{}", it.occurred_at.timestamp_micros(), it.event_id, it.consumer)
}

pub fn place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(3, '/');
    let occurred_at = Time::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    Some((occurred_at, parts.next()?.parse().ok()?, parts.next()?.to_owned()))
}
