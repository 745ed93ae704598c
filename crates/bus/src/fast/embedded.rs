//! The fast bus within one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use type_contract::v1::Envelope;

/// How many events wait for one subscription; further ones are lost.
const CAPACITY: usize = 4_096;

pub(super) type Events = mpsc::Receiver<Envelope>;
pub(super) type Calls = watch::Receiver<()>;

#[derive(Clone, Default)]
pub(super) struct Embedded(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    groups: HashMap<String, Group>,
    services: HashMap<String, watch::Sender<()>>,
}

/// The subscriptions of one consumer, which take turns.
#[derive(Default)]
struct Group {
    members: Vec<Member>,
    turn: usize,
}

struct Member {
    aggregates: Vec<String>,
    sender: mpsc::Sender<Envelope>,
}

impl Embedded {
    pub fn publish(&self, envelopes: &[Envelope]) {
        let mut state = self.lock();
        for group in state.groups.values_mut() {
            group.members.retain(|member| !member.sender.is_closed());
            for envelope in envelopes {
                group.send(envelope);
            }
        }
    }

    pub fn subscribe(&self, consumer: &str, aggregates: &[&str]) -> Events {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let aggregates = aggregates.iter().map(|&name| name.to_owned()).collect();
        let mut state = self.lock();
        let group = state.groups.entry(consumer.to_owned()).or_default();
        group.members.push(Member { aggregates, sender });
        receiver
    }

    pub fn wake(&self, service: &str) {
        if let Some(sender) = self.lock().services.get(service) {
            sender.send_replace(());
        }
    }

    pub fn woken(&self, service: &str) -> Calls {
        self.lock().services.entry(service.to_owned()).or_default().subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two states.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn send(&mut self, envelope: &Envelope) {
        let members = self.members.len();
        let next = (0..members)
            .map(|step| (self.turn + step) % members)
            .find(|&place| self.members[place].aggregates.contains(&envelope.aggregate));
        if let Some(place) = next {
            self.turn = place + 1;
            // A full subscription loses the event, as it would at a broker.
            let _ = self.members[place].sender.try_send(envelope.clone());
        }
    }
}
