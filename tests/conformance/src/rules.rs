//! The rules: each walks every method through both doors and checks what it sees.

mod answers;
mod atomicity;
mod audit;
mod authentication;
mod authorization;
mod brand;
pub mod catalogue;
mod confidentiality;
mod idempotency;
pub mod sources;
mod success;
mod validation;

use std::collections::BTreeSet;

use kit::BoxFuture;

use crate::{Breach, Case, House, Surface, Violation};

/// Something that must be true of every method.
pub struct Rule {
    pub name: &'static str,
    /// Whether it must have looked at a case through a door that leads there.
    pub applies: fn(&Case, Surface) -> bool,
    /// Walks a house and tells what it found.
    pub walk: for<'h> fn(&'h House) -> BoxFuture<'h, Findings>,
}

/// Every rule there is. Each has its planted violations in the tests of this crate.
pub static RULES: &[Rule] = &[
    Rule {
        name: authentication::NAME,
        applies: always,
        walk: |it| Box::pin(authentication::walk(it)),
    },
    Rule {
        name: authorization::NAME,
        applies: |it, _| !it.is_public(),
        walk: |it| Box::pin(authorization::walk(it)),
    },
    Rule { name: success::NAME, applies: always, walk: |it| Box::pin(success::walk(it)) },
    Rule {
        name: brand::NAME,
        applies: |it, _| !it.is_public(),
        walk: |it| Box::pin(brand::walk(it)),
    },
    Rule { name: audit::NAME, applies: always, walk: |it| Box::pin(audit::walk(it)) },
    Rule {
        name: atomicity::NAME,
        applies: |it, _| it.is_audited(),
        walk: |it| Box::pin(atomicity::walk(it)),
    },
    Rule {
        name: confidentiality::NAME,
        applies: always,
        walk: |it| Box::pin(confidentiality::walk(it)),
    },
    Rule {
        name: idempotency::NAME,
        applies: |it, _| it.is_keyed(),
        walk: |it| Box::pin(idempotency::walk(it)),
    },
    Rule {
        name: validation::NAME,
        applies: |_, surface| surface == Surface::Grpc,
        walk: |it| Box::pin(validation::walk(it)),
    },
    Rule {
        name: answers::NAME,
        applies: |_, surface| surface == Surface::Http,
        walk: |it| Box::pin(answers::walk(it)),
    },
    Rule { name: catalogue::NAME, applies: never, walk: |it| Box::pin(catalogue::walk(it)) },
    Rule { name: sources::NAME, applies: never, walk: |it| Box::pin(sources::walk(it)) },
];

fn always(_: &Case, _: Surface) -> bool {
    true
}

/// The rule looks at the platform and not at its methods.
fn never(_: &Case, _: Surface) -> bool {
    false
}

/// What one rule saw, and what of it was wrong.
pub struct Findings {
    rule: &'static str,
    /// Where it looked: what a rule has not seen it has not proved.
    pub seen: BTreeSet<(String, Option<Surface>)>,
    pub violations: Vec<Violation>,
}

impl Findings {
    pub(crate) fn of(rule: &'static str) -> Self {
        Self { rule, seen: BTreeSet::new(), violations: Vec::new() }
    }

    pub(crate) fn case(&mut self, case: &Case, surface: Surface, checked: Result<(), Breach>) {
        self.seen.insert((case.to_string(), Some(surface)));
        let breach = checked.err();
        self.violations.extend(breach.map(|it| Violation::of_case(self.rule, case, surface, it)));
    }

    pub(crate) fn part(&mut self, subject: impl Into<String>, checked: Result<(), Breach>) {
        let subject = subject.into();
        self.seen.insert((subject.clone(), None));
        let breach = checked.err();
        self.violations.extend(breach.map(|it| Violation::of_part(self.rule, subject, it)));
    }
}
