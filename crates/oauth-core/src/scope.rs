//! Scopes: the catalogue, sets of them, and which scope satisfies which.

use std::fmt;

use crate::error::{Error, ErrorCode};

/// One right that a token can carry.
#[derive(Debug, PartialEq, Eq)]
pub struct Scope {
    /// `<verb>:<resource>`, or the bare name of an OpenID Connect scope.
    pub name: &'static str,
    pub audience: Audience,
    /// Whether it opens protected health information: a third party needs a signed business
    /// associate agreement for it.
    pub phi: bool,
    /// What the consent page says the app may do.
    pub text: &'static str,
}

/// Who a scope is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A person grants it to an app.
    User,
    /// The platform's services and staff. Never a third party's.
    Admin,
}

/// A set of known scopes, in the order they were named.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<&'static Scope>);

/// Every scope there is.
pub const CATALOGUE: &[Scope] = &[
    user("openid", false, "Know that you are you."),
    user("profile", false, "See your name, brand and language."),
    user("email", false, "See your e-mail address."),
    user("read:account", false, "See when your account was created and its status."),
    user("manage:connected_apps", false, "See and disconnect the apps you have connected."),
    admin("admin:identity", false, "Administer accounts, apps and their access."),
    user("read:biomarkers", true, "See your biomarkers."),
    user("write:biomarkers", true, "Add biomarkers and lab reports."),
    user("read:protocols", true, "See your protocols."),
    user("write:protocols", true, "Start and stop your protocols."),
    user("read:check_ins", true, "See your check-ins."),
    user("write:check_ins", true, "Add check-ins."),
    user("read:recommendations", true, "See the recommendations made for you."),
    user("read:red_flags", true, "See the red flags that clinicians see."),
    user("read:lab_results", true, "See your lab results."),
    user("read:lab_catalog", false, "See which lab tests can be ordered."),
    user("write:lab_orders", true, "Order lab tests for you."),
    admin("admin:clinical", true, "Administer clinical records."),
    user("read:profile", true, "See your health profile and order history."),
    user("read:wearables", true, "See the data of your wearables."),
    user("write:wearables", true, "Ask your wearables for new data."),
    admin("admin:patient_graph", true, "Administer patients' profiles and wearables."),
    admin("admin:records", true, "Administer health records."),
    user("manage:subscriptions", false, "See and change your subscriptions."),
    admin("admin:payments", false, "Administer payments."),
    user("read:cash_balance", false, "See your cash balance."),
    admin("admin:cash", false, "Administer cash balances."),
    user("read:entitlements", false, "See which features you have."),
    user("read:affiliate_customers", false, "See the customers you have referred."),
    user("manage:affiliate_winback", false, "Manage your offers to customers who left."),
    user("read:content", false, "Read the content made for members."),
    user("read:research_papers", false, "Read research papers."),
    user("manage:preferences", false, "See and change how you are contacted."),
    admin("admin:analytics", false, "Administer analytics."),
    admin("admin:membership", false, "Administer memberships."),
    admin("admin:events", false, "Administer events and their delivery."),
    admin("admin:platform", false, "Administer the platform."),
];

/// Which resources an admin scope governs. One that is not listed governs none.
const GOVERNED: &[(&str, &[&str])] = &[
    ("admin:identity", &["account", "connected_apps"]),
    (
        "admin:clinical",
        &[
            "biomarkers",
            "protocols",
            "check_ins",
            "recommendations",
            "red_flags",
            "lab_results",
            "lab_catalog",
            "lab_orders",
        ],
    ),
    ("admin:patient_graph", &["profile", "wearables"]),
];

/// The scope of a name. `platform:admin` is an older name of `admin:platform`.
pub fn lookup(name: &str) -> Option<&'static Scope> {
    let name = canonical(name);
    CATALOGUE.iter().find(|it| it.name == name)
}

/// The scopes that a person can grant to an app.
pub fn user_scopes() -> impl Iterator<Item = &'static Scope> {
    CATALOGUE.iter().filter(|it| it.audience == Audience::User)
}

/// Whether a caller who was granted one scope has the right another stands for: by the same
/// scope, by `manage` of the same resource, or by the admin scope that governs the resource.
pub fn satisfies(granted: &str, required: &str) -> bool {
    let (granted, required) = (canonical(granted), canonical(required));
    if granted == required {
        return true;
    }
    match required.split_once(':') {
        Some(("read" | "write", resource)) => {
            granted.strip_prefix("manage:") == Some(resource) || governs(granted, resource)
        }
        Some(("manage", resource)) => governs(granted, resource),
        _ => false,
    }
}

impl Scopes {
    /// Reads a space-separated list (RFC 6749 section 3.3). A repeated name counts once.
    ///
    /// Fails with `invalid_scope` for a character that no scope has, and for an unknown scope.
    pub fn parse(text: &str) -> Result<Scopes, Error> {
        Scopes::of(text.split(' ').filter(|it| !it.is_empty()))
    }

    /// The set of these names. Fails as [`Scopes::parse`] does.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Scopes, Error> {
        let mut scopes = Scopes::default();
        for name in names {
            let scope = known(name)?;
            if !scopes.contains(scope) {
                scopes.0.push(scope);
            }
        }
        Ok(scopes)
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static Scope> {
        self.0.iter().copied()
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.iter().map(|it| it.name)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether each scope of this set is in the other: by name, not by what it satisfies.
    pub fn is_subset_of(&self, other: &Scopes) -> bool {
        self.iter().all(|it| other.contains(it))
    }

    /// The scopes of both sets, those of this one first.
    pub fn union(&self, other: &Scopes) -> Scopes {
        let added = other.iter().filter(|it| !self.contains(it));
        Scopes(self.iter().chain(added).collect())
    }

    /// Whether a caller with this set has the right that `required` stands for.
    pub fn satisfies(&self, required: &str) -> bool {
        self.names().any(|it| satisfies(it, required))
    }

    /// This set, or the part of it that was asked for. Never more (RFC 6749 section 6).
    ///
    /// Fails with `invalid_scope`.
    pub fn narrowed_to(&self, requested: Option<&Scopes>) -> Result<Scopes, Error> {
        let requested = requested.unwrap_or(self);
        match requested.iter().find(|it| !self.contains(it)) {
            Some(scope) => Err(invalid(format!("the scope {} was not granted", scope.name))),
            None => Ok(requested.clone()),
        }
    }

    /// The part of this set that is made for one audience.
    pub fn made_for(&self, audience: Audience) -> Scopes {
        Scopes(self.iter().filter(|it| it.audience == audience).collect())
    }
}

/// As in the `scope` parameter: separated by spaces.
impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.names().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scopes({self})")
    }
}

const fn user(name: &'static str, phi: bool, text: &'static str) -> Scope {
    Scope { name, audience: Audience::User, phi, text }
}

const fn admin(name: &'static str, phi: bool, text: &'static str) -> Scope {
    Scope { name, audience: Audience::Admin, phi, text }
}

fn canonical(name: &str) -> &str {
    if name == "platform:admin" { "admin:platform" } else { name }
}

fn governs(admin: &str, resource: &str) -> bool {
    GOVERNED.iter().any(|(name, resources)| *name == admin && resources.contains(&resource))
}

fn known(name: &str) -> Result<&'static Scope, Error> {
    let allowed = |it| matches!(it, '!'..='~') && !matches!(it, '"' | '\\');
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(invalid("the scope has a character that no scope has"));
    }
    lookup(name).ok_or_else(|| invalid(format!("the scope {name} is unknown")))
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::InvalidScope, description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        Scopes::parse(text).unwrap().names().collect()
    }

    #[test]
    fn a_list_keeps_its_order_and_drops_what_is_repeated() {
        assert_eq!(names("email openid email"), ["email", "openid"]);
        assert_eq!(names("  email  openid "), ["email", "openid"]);
        assert_eq!(names(""), [""; 0]);
        assert_eq!(Scopes::parse("email openid").unwrap().to_string(), "email openid");
    }

    #[test]
    fn a_list_with_other_characters_or_unknown_names_is_refused() {
        for (text, rule) in [
            ("email\topenid", "character"),
            ("email\nopenid", "character"),
            ("\"email\"", "character"),
            ("e\\mail", "character"),
            ("émail", "character"),
            ("offline_access", "offline_access is unknown"),
            ("EMAIL", "EMAIL is unknown"),
            ("admin:*", "admin:* is unknown"),
        ] {
            let error = Scopes::parse(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidScope);
            assert!(error.description().contains(rule), "{error}");
        }
    }

    #[test]
    fn platform_admin_is_admin_platform() {
        assert_eq!(names("platform:admin admin:platform"), ["admin:platform"]);
        assert!(satisfies("platform:admin", "admin:platform"));
        assert!(satisfies("admin:platform", "platform:admin"));
    }

    #[test]
    fn what_satisfies_what() {
        for (granted, required, expected) in [
            ("read:biomarkers", "read:biomarkers", true),
            ("manage:subscriptions", "read:subscriptions", true),
            ("manage:subscriptions", "write:subscriptions", true),
            ("admin:clinical", "read:biomarkers", true),
            ("admin:clinical", "write:lab_orders", true),
            ("admin:identity", "read:account", true),
            ("admin:identity", "manage:connected_apps", true),
            ("admin:patient_graph", "read:profile", true),
            ("admin:patient_graph", "write:wearables", true),
            ("write:biomarkers", "read:biomarkers", false),
            ("read:biomarkers", "write:biomarkers", false),
            ("manage:subscriptions", "read:biomarkers", false),
            ("read:account", "manage:account", false),
            ("manage:clinical", "admin:clinical", false),
            ("admin:clinical", "read:profile", false),
            ("admin:clinical", "admin:identity", false),
            ("admin:platform", "read:biomarkers", false),
            ("admin:platform", "admin:clinical", false),
            ("admin:identity", "profile", false),
            ("manage:subscriptions", "admin:payments", false),
            ("read:biomarkers", "admin:clinical", false),
        ] {
            assert_eq!(satisfies(granted, required), expected, "{granted} for {required}");
        }
    }

    #[test]
    fn the_catalogue_is_in_order() {
        for (at, scope) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE[..at].iter().all(|it| it.name != scope.name), "{}", scope.name);
            let admin = scope.name.starts_with("admin:");
            assert_eq!(scope.audience == Audience::Admin, admin, "{}", scope.name);
            let one_sentence = scope.text.ends_with('.') && scope.text.matches('.').count() == 1;
            assert!(one_sentence, "{}", scope.text);
        }
        for (admin, resources) in GOVERNED {
            assert!(lookup(admin).is_some());
            for resource in *resources {
                let ends =
                    |it: &&Scope| it.name.split_once(':').is_some_and(|it| it.1 == *resource);
                assert!(CATALOGUE.iter().any(|it| ends(&it)), "{resource} is nobody's resource");
            }
        }
    }

    #[test]
    fn narrowing_gives_the_part_that_was_asked_for() {
        let granted = Scopes::parse("openid email read:biomarkers").unwrap();
        let part = Scopes::parse("email").unwrap();
        let other = Scopes::parse("email profile").unwrap();
        assert_eq!(granted.narrowed_to(None), Ok(granted.clone()));
        assert_eq!(granted.narrowed_to(Some(&part)), Ok(part));
        let error = granted.narrowed_to(Some(&other)).unwrap_err();
        assert_eq!(error.description(), "the scope profile was not granted");
    }

    #[test]
    fn a_union_has_each_scope_once() {
        let granted = Scopes::parse("openid email").unwrap();
        let more = Scopes::parse("profile email").unwrap();
        assert_eq!(granted.union(&more).to_string(), "openid email profile");
    }

    #[test]
    fn people_grant_no_admin_scope() {
        assert!(user_scopes().all(|it| !it.name.starts_with("admin:")));
        assert!(user_scopes().any(|it| it.name == "read:biomarkers"));
    }

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        prop::collection::vec(prop::sample::select(CATALOGUE.iter().collect::<Vec<_>>()), 0..8)
            .prop_map(|it| Scopes::of(it.iter().map(|it| it.name)).unwrap())
    }

    proptest! {
        #[test]
        fn a_set_is_read_back_whole(scopes in any_scopes()) {
            prop_assert_eq!(Scopes::parse(&scopes.to_string()), Ok(scopes));
        }

        #[test]
        fn narrowing_never_widens(granted in any_scopes(), requested in any_scopes()) {
            match granted.narrowed_to(Some(&requested)) {
                Ok(narrowed) => prop_assert!(narrowed.is_subset_of(&granted)),
                Err(_) => prop_assert!(!requested.is_subset_of(&granted)),
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = Scopes::parse(&text);
        }
    }
}
