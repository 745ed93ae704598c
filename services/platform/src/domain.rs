//! What a brand is, and what may become of it. Pure.

use kit::{Error, Result, Time, Uuid};

/// A tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Brand {
    pub id: Uuid,
    /// What `brand_id` is everywhere else. Never changes.
    pub slug: String,
    pub name: String,
    pub status: Status,
    pub compliance_regime: ComplianceRegime,
    pub config: serde_json::Value,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    Draft,
    Active,
    Inactive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ComplianceRegime {
    None,
    Hipaa,
    Gdpr,
    #[sqlx(rename = "arl_5_7")]
    Arl57,
}

impl Brand {
    /// The entity tag, with its quotation marks (AIP-154).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// Fails if the caller knows another brand than this one. Who names no etag knows nothing.
    pub fn expect(&self, etag: &str) -> Result<()> {
        match etag.is_empty() || etag == self.etag() {
            true => Ok(()),
            false => Err(Error::precondition("ETAG_STALE", "the brand has changed since")),
        }
    }

    /// Applies what was sent; what was not stays. A brand that opened never becomes a draft again.
    pub fn update(self, name: Option<&str>, status: Option<Status>, now: Time) -> Result<Self> {
        let status = status.unwrap_or(self.status);
        if status == Status::Draft && self.status != Status::Draft {
            return Err(Error::precondition(
                "BRAND_STATUS",
                "a brand that was opened cannot be a draft again",
            ));
        }
        let name = name.map_or_else(|| self.name.clone(), str::to_owned);
        Ok(Self { name, status, version: self.version + 1, updated_at: now, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(status: Status) -> Brand {
        Brand {
            id: Uuid::nil(),
            slug: "loop".into(),
            name: "Loop".into(),
            status,
            compliance_regime: ComplianceRegime::None,
            config: serde_json::json!({}),
            version: 3,
            created_at: Time::UNIX_EPOCH,
            updated_at: Time::UNIX_EPOCH,
        }
    }

    #[test]
    fn only_the_present_etag_is_expected() {
        let brand = brand(Status::Active);
        assert!(brand.expect("").is_ok() && brand.expect("\"3\"").is_ok());
        for etag in ["\"2\"", "3", "W/\"3\"", "*"] {
            assert_eq!(brand.expect(etag).unwrap_err().reason(), "ETAG_STALE", "{etag}");
        }
    }

    #[test]
    fn a_brand_opens_and_closes_but_never_becomes_a_draft_again() {
        use Status::{Active, Draft, Inactive};
        for (from, to, allowed) in [
            (Draft, Active, true),
            (Draft, Draft, true),
            (Active, Inactive, true),
            (Inactive, Active, true),
            (Active, Draft, false),
            (Inactive, Draft, false),
        ] {
            let updated = brand(from).update(None, Some(to), Time::UNIX_EPOCH);
            assert_eq!(updated.is_ok(), allowed, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn what_was_not_sent_stays() {
        let updated =
            brand(Status::Active).update(Some("Loop Health"), None, Time::UNIX_EPOCH).unwrap();
        assert_eq!(
            (updated.name.as_str(), updated.status, updated.version),
            ("Loop Health", Status::Active, 4)
        );
    }
}
