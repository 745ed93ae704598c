//! Refresh rotation under lost answers, retries and thieves.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::client::Client;
use crate::client::tests::{partner_app, time};
use crate::client_auth::Credentials;

fn token(sequence: usize) -> Token {
    Token::derive(Kind::RefreshToken, b"key", &sequence.to_string())
}

fn authenticated(client: &Client) -> AuthenticatedClient<'_> {
    let credentials = Credentials::extract(None, Some(&client.id), None).unwrap();
    credentials.authenticate(Some(client), time(0)).unwrap()
}

/// A table of refresh tokens of one family, and a clock.
struct World {
    client: Client,
    family: RefreshFamily,
    rows: HashMap<[u8; 32], RefreshToken>,
    /// The tokens that were ever handed out, oldest first.
    issued: Vec<String>,
    minted: usize,
    now: DateTime<Utc>,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Rotated(String),
    Repeated(String),
    Rejected(ErrorCode),
    Reused,
}

impl World {
    fn new() -> World {
        let first = token(0);
        let row =
            RefreshToken { sequence: 1, expires_at: time(0) + REFRESH_LIFETIME, rotation: None };
        World {
            client: partner_app(),
            family: RefreshFamily {
                client_id: "cli_app".to_owned(),
                scopes: Scopes::parse("openid email").unwrap(),
                current_sequence: 1,
                expires_at: None,
                revoked: false,
            },
            rows: HashMap::from([(first.hash().0, row)]),
            issued: vec![first.expose().to_owned()],
            minted: 0,
            now: time(0),
        }
    }

    fn decide(&mut self, text: &str, requested: Option<&Scopes>) -> RefreshDecision {
        let presented = Token::parse(Kind::RefreshToken, text).unwrap();
        let client = authenticated(&self.client);
        let attempt = RefreshAttempt { client, presented: &presented, requested, now: self.now };
        // Each request mints a candidate, as in production, also those that do not need it.
        self.minted += 1;
        self.family.decide(&self.rows[&presented.hash().0], attempt, token(self.minted))
    }

    /// Presents a token and stores what the decision asks for.
    fn present(&mut self, text: &str) -> Outcome {
        match self.decide(text, None) {
            RefreshDecision::Rotate { successor, rotation, next, .. } => {
                let presented = Token::parse(Kind::RefreshToken, text).unwrap().hash().0;
                self.rows.get_mut(&presented).unwrap().rotation = Some(rotation);
                self.family.current_sequence = next.sequence;
                self.rows.insert(successor.hash().0, next);
                self.issued.push(successor.expose().to_owned());
                Outcome::Rotated(successor.expose().to_owned())
            }
            RefreshDecision::Repeat { successor, .. } => {
                Outcome::Repeated(successor.expose().to_owned())
            }
            RefreshDecision::Reject(error) => Outcome::Rejected(error.code()),
            RefreshDecision::Reuse => {
                self.family.revoked = true;
                Outcome::Reused
            }
        }
    }

    fn live(&self) -> usize {
        self.rows.values().filter(|it| !self.family.revoked && it.rotation.is_none()).count()
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }
}

fn successor(outcome: Outcome) -> String {
    match outcome {
        Outcome::Rotated(text) | Outcome::Repeated(text) => text,
        refused => panic!("{refused:?}"),
    }
}

#[test]
fn a_lost_answer_is_given_again_with_the_same_successor() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    let second = successor(world.present(&first));
    assert_ne!(first, second);
    world.wait(29);
    assert_eq!(world.present(&first), Outcome::Repeated(second.clone()));
    assert_eq!(world.present(&first), Outcome::Repeated(second.clone()));
    assert!(matches!(world.present(&second), Outcome::Rotated(_)));
}

#[test]
fn after_the_window_the_old_token_kills_the_family() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    let second = successor(world.present(&first));
    world.wait(30);
    assert_eq!(world.present(&first), Outcome::Reused);
    assert_eq!(world.present(&second), Outcome::Rejected(ErrorCode::InvalidGrant));
}

#[test]
fn once_the_successor_is_used_the_old_token_kills_the_family_in_the_same_instant() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    let second = successor(world.present(&first));
    world.present(&second);
    assert_eq!(world.present(&first), Outcome::Reused);
}

#[test]
fn reuse_is_noticed_even_after_the_old_token_has_expired() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    world.present(&first);
    world.wait(REFRESH_LIFETIME.num_seconds() + 1);
    assert_eq!(world.present(&first), Outcome::Reused);
}

#[test]
fn each_use_extends_the_ninety_days() {
    let mut world = World::new();
    let day = 24 * 3600;
    let mut current = world.issued[0].clone();
    for _ in 0..10 {
        world.wait(90 * day - 1);
        current = successor(world.present(&current));
    }
    world.wait(90 * day);
    assert_eq!(world.present(&current), Outcome::Rejected(ErrorCode::InvalidGrant));
}

#[test]
fn no_use_extends_the_end_of_the_family() {
    let mut world = World::new();
    world.family.expires_at = Some(time(100));
    let first = world.issued[0].clone();
    world.wait(99);
    let second = successor(world.present(&first));
    let row = &world.rows[&Token::parse(Kind::RefreshToken, &second).unwrap().hash().0];
    assert_eq!(row.expires_at, time(100));
    world.wait(1);
    assert_eq!(world.present(&first), Outcome::Rejected(ErrorCode::InvalidGrant));
    assert_eq!(world.present(&second), Outcome::Rejected(ErrorCode::InvalidGrant));
    assert!(!world.family.revoked);
}

#[test]
fn scopes_narrow_for_one_access_token_and_never_widen() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    let wider = Scopes::parse("email read:biomarkers").unwrap();
    match world.decide(&first, Some(&wider)) {
        RefreshDecision::Reject(error) => assert_eq!(error.code(), ErrorCode::InvalidScope),
        other => panic!("{other:?}"),
    }
    let narrower = Scopes::parse("email").unwrap();
    match world.decide(&first, Some(&narrower)) {
        RefreshDecision::Rotate { scopes, .. } => assert_eq!(scopes, narrower),
        other => panic!("{other:?}"),
    }
    world.present(&first);
    match world.decide(&first, Some(&narrower)) {
        RefreshDecision::Repeat { scopes, .. } => assert_eq!(scopes, narrower),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.family.scopes.to_string(), "openid email");
}

#[test]
fn another_client_is_refused_and_the_family_lives_on() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    world.client.id = "cli_other".to_owned();
    assert_eq!(world.present(&first), Outcome::Rejected(ErrorCode::InvalidGrant));
    world.client.id = "cli_app".to_owned();
    assert!(matches!(world.present(&first), Outcome::Rotated(_)));
}

#[test]
fn only_the_replaced_token_opens_its_successor() {
    let (first, second, other) = (token(1), token(2), token(3));
    let sealed = seal(&first, &second);
    assert_eq!(open(&first, &sealed).unwrap().hash(), second.hash());
    assert!(open(&other, &sealed).is_none());
    assert!(open(&second, &sealed).is_none());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(&first, &changed).is_none(), "byte {at}");
        assert!(open(&first, &sealed[..at]).is_none(), "length {at}");
    }
    assert!(!sealed.windows(8).any(|it| second.expose().as_bytes().windows(8).any(|w| w == it)));
}

#[test]
fn two_successors_of_one_token_are_sealed_with_different_nonces() {
    let nonce = |successor| seal(&token(1), &token(successor))[..NONCE_LENGTH].to_vec();
    assert_ne!(nonce(2), nonce(3));
}

#[test]
fn a_damaged_row_is_the_servers_fault_and_not_a_theft() {
    let mut world = World::new();
    let first = world.issued[0].clone();
    world.present(&first);
    let presented = Token::parse(Kind::RefreshToken, &first).unwrap().hash().0;
    world.rows.get_mut(&presented).unwrap().rotation.as_mut().unwrap().sealed_successor.pop();
    assert_eq!(world.present(&first), Outcome::Rejected(ErrorCode::ServerError));
    assert!(!world.family.revoked);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The owner refreshes; a lost answer leaves it with the token it had.
    Owner {
        lost: bool,
    },
    /// The thief copies the token the owner holds.
    Steal,
    /// The thief refreshes with what it holds.
    Thief {
        lost: bool,
    },
    /// The thief tries a token of the past.
    Replay(prop::sample::Index),
    Wait(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(|lost| Step::Owner { lost }),
        1 => Just(Step::Steal),
        2 => any::<bool>().prop_map(|lost| Step::Thief { lost }),
        1 => any::<prop::sample::Index>().prop_map(Step::Replay),
        3 => prop_oneof![0..10i64, Just(29), Just(30), 31..4000i64].prop_map(Step::Wait),
    ]
}

/// What must come of a token, told from the history of uses alone.
#[derive(Default)]
struct History {
    /// When each token, oldest first, was used for the first time.
    first_use: Vec<Option<DateTime<Utc>>>,
    dead: bool,
}

#[derive(Debug, PartialEq)]
enum Expected {
    NewToken,
    SameToken,
    Detected,
    Refused,
}

impl History {
    fn expect(&mut self, at: usize, now: DateTime<Utc>) -> Expected {
        let used = |at: usize| self.first_use.get(at).copied().flatten();
        match (self.dead, used(at), used(at + 1)) {
            (true, ..) => Expected::Refused,
            (false, None, _) => {
                self.first_use.resize(at + 1, None);
                self.first_use[at] = Some(now);
                Expected::NewToken
            }
            (false, Some(first), None) if (now - first).num_seconds() < 30 => Expected::SameToken,
            _ => {
                self.dead = true;
                Expected::Detected
            }
        }
    }
}

/// Presents a token, compares with the history, and gives the token that came back.
fn use_token(world: &mut World, history: &mut History, text: &str) -> Option<String> {
    let at = world.issued.iter().position(|it| it == text).unwrap();
    let expected = history.expect(at, world.now);
    let outcome = world.present(text);
    let (seen, came_back) = match outcome {
        Outcome::Rotated(it) => (Expected::NewToken, Some(it)),
        Outcome::Repeated(it) => (Expected::SameToken, Some(it)),
        Outcome::Reused => (Expected::Detected, None),
        Outcome::Rejected(code) => {
            assert_eq!(code, ErrorCode::InvalidGrant);
            (Expected::Refused, None)
        }
    };
    assert_eq!(seen, expected);
    if let Some(it) = &came_back {
        assert_eq!(it, &world.issued[at + 1], "a token has one successor for ever");
    }
    assert_eq!(world.live(), if history.dead { 0 } else { 1 });
    came_back
}

/// The waits after answers that are lost, and the pause after the one that arrives: seconds.
fn any_round() -> impl Strategy<Value = (Vec<i64>, i64)> {
    (prop::collection::vec(0..10i64, 0..4), 0..7_000_000i64)
}

proptest! {
    #[test]
    fn no_interleaving_makes_two_live_tokens_or_hides_a_late_use(
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let (mut world, mut history) = (World::new(), History::default());
        let mut owner = world.issued[0].clone();
        let mut thief: Option<String> = None;
        for step in steps {
            match step {
                Step::Owner { lost } => {
                    let came_back = use_token(&mut world, &mut history, &owner);
                    owner = came_back.filter(|_| !lost).unwrap_or(owner);
                }
                Step::Steal => thief = Some(owner.clone()),
                Step::Thief { lost } => if let Some(held) = thief.take() {
                    let came_back = use_token(&mut world, &mut history, &held);
                    thief = Some(came_back.filter(|_| !lost).unwrap_or(held));
                },
                Step::Replay(index) => {
                    let old = index.get(&world.issued).clone();
                    use_token(&mut world, &mut history, &old);
                }
                Step::Wait(seconds) => world.wait(seconds),
            }
        }
    }

    #[test]
    fn an_owner_alone_that_retries_in_time_is_never_signed_out(
        rounds in prop::collection::vec(any_round(), 1..40),
    ) {
        let mut world = World::new();
        let mut held = world.issued[0].clone();
        for (lost_answers, pause) in rounds {
            for wait in lost_answers {
                successor(world.present(&held));
                world.wait(wait);
            }
            held = successor(world.present(&held));
            world.wait(pause);
        }
    }

    #[test]
    fn of_two_holders_the_later_one_is_detected_once_the_other_has_moved_on(
        moves in 2..6usize,
        wait in 0..29i64,
    ) {
        let mut world = World::new();
        let stolen = world.issued[0].clone();
        let mut held = stolen.clone();
        for _ in 0..moves {
            held = successor(world.present(&held));
            world.wait(wait);
        }
        prop_assert_eq!(world.present(&stolen), Outcome::Reused);
        prop_assert_eq!(world.present(&held), Outcome::Rejected(ErrorCode::InvalidGrant));
        prop_assert_eq!(world.live(), 0);
    }
}
