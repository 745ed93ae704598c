//! Whether an address is worth asking: linkerd's breaker of consecutive failures, pure.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open a circuit.
const FAILURES: u32 = 7;

/// How long the first opening lasts; each further one twice as long, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Closed: requests pass. Open: none does. Half-open: one does, and decides.
#[derive(Debug)]
pub(crate) struct Circuit {
    state: State,
    /// Counts changes of state, so that an answer to a request from before one is told apart.
    epoch: u64,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, openings: u32 },
    HalfOpen { openings: u32 },
}

/// Leave to send one request, to be given back with its [`Outcome`].
#[derive(Debug)]
pub(crate) struct Ticket {
    epoch: u64,
    pub is_probe: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    /// The request tells nothing of the address: its caller left, or it was never sent.
    Unknown,
}

/// What a change of state means for those who wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened(Duration),
    Closed,
}

impl Circuit {
    /// Leave to send a request now, or the time until it is worth asking again.
    pub fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match self.state {
            State::Closed { .. } => Ok(Ticket { epoch: self.epoch, is_probe: false }),
            State::Open { until, openings } if until <= now => {
                self.enter(State::HalfOpen { openings });
                Ok(Ticket { epoch: self.epoch, is_probe: true })
            }
            State::Open { until, .. } => Err(until - now),
            State::HalfOpen { .. } => Err(FIRST),
        }
    }

    /// The time until [`Circuit::admit`] gives leave: none if it does now.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Open { until, .. } if now < until => Some(until - now),
            State::HalfOpen { .. } => Some(FIRST),
            State::Closed { .. } | State::Open { .. } => None,
        }
    }

    /// Takes note of how a request ended. `jitter`, from 0 to 1, prolongs an opening by up to half,
    /// so that those who were turned away together do not return together.
    pub fn end(
        &mut self,
        ticket: &Ticket,
        outcome: Outcome,
        now: impl FnOnce() -> Instant,
        jitter: f64,
    ) -> Option<Change> {
        if ticket.epoch != self.epoch {
            return None;
        }
        match (&mut self.state, outcome) {
            (State::Closed { failures }, Outcome::Success) => {
                *failures = 0;
                None
            }
            (State::Closed { failures }, Outcome::Failure) => {
                *failures += 1;
                (*failures >= FAILURES).then(|| self.open(1, now(), jitter))
            }
            (State::HalfOpen { .. }, Outcome::Success) => {
                self.enter(State::Closed { failures: 0 });
                Some(Change::Closed)
            }
            (State::HalfOpen { openings }, Outcome::Failure) => {
                let openings = *openings + 1;
                Some(self.open(openings, now(), jitter))
            }
            // The next request is the probe.
            (State::HalfOpen { openings }, Outcome::Unknown) => {
                let openings = *openings;
                self.enter(State::Open { until: now(), openings });
                None
            }
            (State::Closed { .. } | State::Open { .. }, _) => None,
        }
    }

    fn open(&mut self, openings: u32, now: Instant, jitter: f64) -> Change {
        let doubled = FIRST * 2u32.pow(openings.saturating_sub(1).min(6));
        let pause = doubled.mul_f64(1.0 + jitter / 2.0).min(LONGEST);
        self.enter(State::Open { until: now + pause, openings });
        Change::Opened(pause)
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

impl Default for Circuit {
    fn default() -> Self {
        Self { state: State::Closed { failures: 0 }, epoch: 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens to an address: requests come, end in any order, and time passes.
    #[derive(Clone, Debug)]
    enum Event {
        Come,
        /// The n-th of the requests in flight ends.
        End(usize, Outcome),
        Pass(Duration),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let outcome = prop_oneof![
            2 => Just(Outcome::Success),
            6 => Just(Outcome::Failure),
            1 => Just(Outcome::Unknown),
        ];
        let event = prop_oneof![
            6 => Just(Event::Come),
            6 => (0..4usize, outcome).prop_map(|(which, outcome)| Event::End(which, outcome)),
            1 => (1..90_000u64).prop_map(|it| Event::Pass(Duration::from_millis(it))),
        ];
        prop::collection::vec(event, 1..400)
    }

    proptest! {
        #[test]
        fn at_most_one_probe_is_under_way_and_nothing_else_passes_an_open_circuit(
            events in events()
        ) {
            let (mut circuit, mut now) = (Circuit::default(), Instant::now());
            let (mut flying, mut open_until) = (Vec::new(), None);
            for event in events {
                match event {
                    Event::Pass(time) => now += time,
                    Event::Come => {
                        let wait = circuit.wait(now);
                        match circuit.admit(now) {
                            Ok(ticket) => {
                                prop_assert_eq!(wait, None);
                                prop_assert_eq!(ticket.is_probe, open_until.is_some());
                                prop_assert!(open_until.is_none_or(|until| until <= now));
                                let probes = flying.iter().filter(|it: &&Ticket| {
                                    it.is_probe && it.epoch == circuit.epoch
                                });
                                prop_assert_eq!(probes.count(), 0);
                                flying.push(ticket);
                            }
                            Err(pause) => {
                                prop_assert_eq!(wait, Some(pause));
                                prop_assert!(open_until.is_some());
                                prop_assert!(!pause.is_zero() && pause <= LONGEST);
                            }
                        }
                    }
                    Event::End(which, outcome) if which < flying.len() => {
                        let ticket = flying.swap_remove(which);
                        match circuit.end(&ticket, outcome, || now, 0.5) {
                            Some(Change::Opened(pause)) => {
                                prop_assert_eq!(outcome, Outcome::Failure);
                                prop_assert!(pause >= FIRST && pause <= LONGEST);
                                open_until = Some(now + pause);
                            }
                            Some(Change::Closed) => {
                                prop_assert!(ticket.is_probe && outcome == Outcome::Success);
                                open_until = None;
                            }
                            None => {}
                        }
                    }
                    Event::End(..) => {}
                }
            }
        }

        #[test]
        fn a_closed_circuit_opens_after_exactly_seven_failures_in_a_row(
            outcomes in prop::collection::vec(any::<bool>(), 1..60)
        ) {
            let (mut circuit, now, mut row) = (Circuit::default(), Instant::now(), 0);
            for failed in outcomes {
                let ticket = circuit.admit(now).unwrap();
                row = if failed { row + 1 } else { 0 };
                let outcome = if failed { Outcome::Failure } else { Outcome::Success };
                let change = circuit.end(&ticket, outcome, || now, 0.0);
                prop_assert_eq!(change.is_some(), row == FAILURES);
                if change.is_some() {
                    prop_assert!(circuit.admit(now).is_err());
                    break;
                }
            }
        }
    }

    fn opened(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES {
            let ticket = circuit.admit(now).unwrap();
            circuit.end(&ticket, Outcome::Failure, || now, 0.0);
        }
        circuit
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_a_minute() {
        let mut now = Instant::now();
        let mut circuit = opened(now);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(circuit.wait(now), Some(pause));
            now += pause;
            let probe = circuit.admit(now).unwrap();
            assert!(probe.is_probe && circuit.admit(now).is_err());
            circuit.end(&probe, Outcome::Failure, || now, 0.0);
        }
    }

    #[test]
    fn a_probe_that_succeeds_closes_and_the_count_begins_anew() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let probe = circuit.admit(now + FIRST).unwrap();
        let change = circuit.end(&probe, Outcome::Success, || now + FIRST, 0.0);
        assert_eq!(change, Some(Change::Closed));
        let ticket = circuit.admit(now + FIRST).unwrap();
        assert_eq!(circuit.end(&ticket, Outcome::Failure, || now, 0.0), None);
        assert_eq!(circuit.wait(now), None);
    }

    #[test]
    fn a_probe_whose_caller_leaves_makes_room_for_the_next() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let probe = circuit.admit(now + FIRST).unwrap();
        assert_eq!(circuit.end(&probe, Outcome::Unknown, || now + FIRST, 0.0), None);
        assert!(circuit.admit(now + FIRST).unwrap().is_probe);
    }

    #[test]
    fn an_answer_to_a_request_from_before_the_opening_changes_nothing() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        let old = circuit.admit(now).unwrap();
        for _ in 0..FAILURES {
            let ticket = circuit.admit(now).unwrap();
            circuit.end(&ticket, Outcome::Failure, || now, 1.0);
        }
        assert_eq!(circuit.end(&old, Outcome::Success, || now, 0.0), None);
        assert_eq!(circuit.wait(now), Some(FIRST.mul_f64(1.5)));
    }
}
