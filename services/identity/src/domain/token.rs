//! What the token endpoint gives out: access tokens and families of refresh tokens.

use kit::{Brand, Entity, Id, Time};
use oauth_core::{
    Scopes, TokenHash,
    refresh::{RefreshFamily, RefreshToken, Rotation},
};

use super::grant::{Authority, Stamps};

/// The entity behind a family's id. It never leaves this service.
#[derive(Debug)]
pub struct TokenFamily;

impl Entity for TokenFamily {
    const PREFIX: &'static str = "fam";
}

pub type FamilyId = Id<TokenFamily>;

/// An access token as it is stored, under its hash.
#[derive(Clone, Debug)]
pub struct AccessToken {
    pub hash: TokenHash,
    pub client_id: String,
    pub holder: Holder,
    pub scopes: Scopes,
    pub issued_at: Time,
    pub expires_at: Time,
}

/// In whose name a token speaks.
#[derive(Clone, Debug)]
pub enum Holder {
    /// The client itself. `for_brand` narrows a machine of the platform to one brand.
    Machine {
        client_epoch: i64,
        for_brand: Option<Brand>,
    },
    Person {
        authority: Authority,
        family: FamilyStamp,
    },
}

/// A family and its epoch when the token was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyStamp {
    pub id: FamilyId,
    pub epoch: i64,
}

/// All refresh tokens that came from one code.
#[derive(Clone, Debug)]
pub struct Family {
    pub stamp: FamilyStamp,
    pub authority: Authority,
    pub scopes: Scopes,
    pub current_sequence: i64,
    pub revoked: bool,
}

impl Family {
    /// A family of one token, in the name of whoever the code stood for.
    pub fn begin(authority: Authority, scopes: Scopes) -> Self {
        let stamp = FamilyStamp { id: FamilyId::mint(), epoch: 1 };
        Self { stamp, authority, scopes, current_sequence: 1, revoked: false }
    }

    /// The family as OAuth decides about it, given the epochs that stand now: `None` when the
    /// grant, its user or its client is gone. It ends when the grant does, and by no time of its
    /// own: each use extends it.
    pub fn rules(&self, standing: Option<Stamps>) -> RefreshFamily {
        RefreshFamily {
            client_id: self.authority.client_id.clone(),
            scopes: self.scopes.clone(),
            current_sequence: self.current_sequence,
            expires_at: None,
            revoked: self.revoked || standing != Some(self.authority.stamps),
        }
    }
}

/// A refresh token and the hash it is stored under.
#[derive(Clone, Debug)]
pub struct StoredRefresh {
    pub hash: TokenHash,
    pub rules: RefreshToken,
}

/// What one answer of the token endpoint writes.
#[derive(Debug)]
pub struct Issue {
    pub access: AccessToken,
    pub refresh: RefreshChange,
}

/// What becomes of refresh tokens when an access token is issued.
#[derive(Debug)]
pub enum RefreshChange {
    /// A machine has none; a client that lost an answer gets the token of before.
    None,
    /// A code was used up and began a family.
    Begun { code: TokenHash, family: Family, first: StoredRefresh },
    /// The current token was used up and made the next.
    Rotated { family: FamilyStamp, used: TokenHash, rotation: Rotation, next: StoredRefresh },
}

/// What an active access token stands for.
#[derive(Clone, Debug)]
pub struct ActiveToken {
    /// The brand whose row it is: `*` for a machine of the platform.
    pub brand: Brand,
    pub client_id: String,
    pub holder: ActiveHolder,
    pub scopes: Vec<String>,
    /// Those of its client.
    pub allowed_origins: Vec<String>,
    pub expires_at: Time,
}

#[derive(Clone, Debug)]
pub enum ActiveHolder {
    Person(super::user::UserId),
    Machine { for_brand: Option<Brand>, allowed_brands: Vec<String> },
}

impl ActiveToken {
    /// `usr_…` or `cli_…`.
    pub fn subject(&self) -> String {
        match &self.holder {
            ActiveHolder::Person(id) => id.to_string(),
            ActiveHolder::Machine { .. } => self.client_id.clone(),
        }
    }

    /// The one brand it is for; none where a machine may choose.
    pub fn one_brand(&self) -> Option<&Brand> {
        match &self.holder {
            ActiveHolder::Machine { for_brand: Some(brand), .. } => Some(brand),
            _ => Some(&self.brand).filter(|it| !it.is_platform()),
        }
    }

    /// The brands that a machine may choose among.
    pub fn choice_of_brands(&self) -> &[String] {
        match &self.holder {
            ActiveHolder::Machine { for_brand: None, allowed_brands } => allowed_brands,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{grant::GrantId, user::UserId};

    #[test]
    fn a_family_is_over_unless_every_stamp_stands() {
        let stamps = Stamps { user: 1, client: 2, grant: 3 };
        let authority = Authority {
            user_id: UserId::mint(),
            grant_id: GrantId::mint(),
            client_id: "cli_app".into(),
            stamps,
        };
        let family = Family::begin(authority, Scopes::default());
        assert!(!family.rules(Some(stamps)).revoked);
        for standing in [
            None,
            Some(Stamps { user: 2, ..stamps }),
            Some(Stamps { client: 1, ..stamps }),
            Some(Stamps { grant: 4, ..stamps }),
        ] {
            assert!(family.rules(standing).revoked, "{standing:?}");
        }
        assert!(Family { revoked: true, ..family }.rules(Some(stamps)).revoked);
    }

    #[test]
    fn only_a_machine_that_is_not_narrowed_chooses_its_brand() {
        let token = |brand: &str, for_brand: Option<&str>| ActiveToken {
            brand: Brand::new(brand).unwrap(),
            client_id: "cli_x".into(),
            holder: ActiveHolder::Machine {
                for_brand: for_brand.map(|it| Brand::new(it).unwrap()),
                allowed_brands: vec!["*".into()],
            },
            scopes: Vec::new(),
            allowed_origins: Vec::new(),
            expires_at: Time::UNIX_EPOCH,
        };
        let wide = token("*", None);
        assert_eq!((wide.one_brand(), wide.choice_of_brands().len()), (None, 1));
        let narrow = token("*", Some("loop"));
        assert_eq!(narrow.one_brand().map(Brand::as_str), Some("loop"));
        assert!(narrow.choice_of_brands().is_empty());
    }
}
