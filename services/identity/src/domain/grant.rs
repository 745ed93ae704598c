//! What a person lets an app do: made by consent, ended by one raised epoch.

use kit::{Entity, Id, Time};
use oauth_core::Scopes;

use super::user::UserId;

/// The entity behind `gra_…`.
#[derive(Debug)]
pub struct ConnectedApp;

impl Entity for ConnectedApp {
    const PREFIX: &'static str = "gra";
}

pub type GrantId = Id<ConnectedApp>;

/// The one grant of a person to a client. It stays when it is revoked, and may be given anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub id: GrantId,
    pub user_id: UserId,
    pub client_id: String,
    pub scopes: Scopes,
    pub epoch: i64,
    pub granted_at: Time,
    pub updated_at: Time,
    pub revoked_at: Option<Time>,
}

/// Who let which client in, and the epochs that stood when they did. Copied from the code to its
/// tokens and never read anew: what was granted before an epoch was raised is over for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub user_id: UserId,
    pub grant_id: GrantId,
    pub client_id: String,
    pub stamps: Stamps,
}

/// The epochs of user, client and grant. They are compared for equality and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    pub user: i64,
    pub client: i64,
    pub grant: i64,
}

impl Grant {
    /// The grant after the person allowed `scopes`: a new one, a wider one, or one given anew,
    /// which holds nothing of what it held before it was revoked.
    pub fn allow(
        standing: Option<Grant>,
        user_id: UserId,
        client_id: &str,
        scopes: &Scopes,
        now: Time,
    ) -> Grant {
        match standing {
            Some(it) if it.revoked_at.is_none() => {
                Grant { scopes: it.scopes.union(scopes), updated_at: now, ..it }
            }
            Some(it) => Grant {
                scopes: scopes.clone(),
                granted_at: now,
                updated_at: now,
                revoked_at: None,
                ..it
            },
            None => Grant {
                id: GrantId::mint(),
                user_id,
                client_id: client_id.to_owned(),
                scopes: scopes.clone(),
                epoch: 1,
                granted_at: now,
                updated_at: now,
                revoked_at: None,
            },
        }
    }

    /// The grant after it ended. Every token that carries the old epoch is over.
    pub fn end(self, now: Time) -> Grant {
        Grant { epoch: self.epoch + 1, revoked_at: Some(now), updated_at: now, ..self }
    }

    /// What the person allows at present.
    pub fn standing_scopes(&self) -> Scopes {
        if self.revoked_at.is_none() { self.scopes.clone() } else { Scopes::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(standing: Option<Grant>, scopes: &str, second: i64) -> Grant {
        let now = Time::from_timestamp(second, 0).unwrap();
        let user_id = UserId::of(kit::Uuid::nil());
        Grant::allow(standing, user_id, "cli_app", &Scopes::parse(scopes).unwrap(), now)
    }

    #[test]
    fn a_second_consent_widens_the_grant() {
        let first = allow(None, "email", 1);
        let second = allow(Some(first.clone()), "openid", 2);
        assert_eq!(second.scopes.to_string(), "email openid");
        assert_eq!((second.id, second.epoch), (first.id, first.epoch));
        assert_eq!(second.granted_at, first.granted_at);
    }

    #[test]
    fn a_grant_given_anew_has_a_new_epoch_and_nothing_of_before() {
        let first = allow(None, "email read:biomarkers", 1);
        let ended = first.clone().end(Time::from_timestamp(2, 0).unwrap());
        assert!(ended.standing_scopes().is_empty());
        let anew = allow(Some(ended), "email", 3);
        assert_eq!(anew.scopes.to_string(), "email");
        assert_eq!(anew.id, first.id);
        assert_ne!(anew.epoch, first.epoch);
        assert_eq!(anew.revoked_at, None);
    }
}
