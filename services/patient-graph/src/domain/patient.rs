//! A person under care.

use std::collections::HashMap;

use chrono::NaiveDate;
use kit::{Entity, Error, Id, Phi, Result, Time};

#[derive(Debug)]
pub struct PatientEntity;
impl Entity for PatientEntity {
    const PREFIX: &'static str = "pat";
}
pub type PatientId = Id<PatientEntity>;

/// A patient with everything that tells who it is, none of which prints.
#[derive(Clone, Debug)]
pub struct Patient {
    pub id: PatientId,
    pub user_id: Option<String>,
    pub first_name: Phi<String>,
    pub last_name: Phi<String>,
    pub date_of_birth: Phi<Option<NaiveDate>>,
    pub gender: Phi<Gender>,
    pub email: Phi<Option<String>>,
    pub phone: Phi<Option<String>>,
    pub external_ids: Phi<HashMap<String, String>>,
    pub status: String,
    pub metadata: serde_json::Value,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Sex as reference ranges distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Gender {
    Unknown,
    Female,
    Male,
    Intersex,
}

/// A calendar day in a request: a real one, not in the future, within a long life.
pub fn date_of_birth(text: &str, now: Time) -> Result<NaiveDate> {
    let refused = |rule| Error::invalid("DATE_INVALID", "date_of_birth", rule);
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| refused("must be a day of the calendar, as YYYY-MM-DD"))?;
    // Somewhere it is tomorrow already.
    if date > (now + chrono::Duration::hours(14)).date_naive() {
        return Err(refused("must not be in the future"));
    }
    if date < (now - chrono::Duration::days(366 * 130)).date_naive() {
        return Err(refused("must be within the last 130 years"));
    }
    Ok(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_date_is_a_day_somebody_living_was_born_on() {
        let now: Time = "2026-05-04T23:00:00Z".parse().unwrap();
        for (text, accepted) in [
            ("1990-02-28", true),
            ("2024-02-29", true),
            ("2026-05-05", true),
            ("2026-05-06", false),
            ("2023-02-29", false),
            ("1890-01-01", false),
            ("90-01-01", false),
            ("", false),
        ] {
            assert_eq!(date_of_birth(text, now).is_ok(), accepted, "{text}");
        }
    }

    #[test]
    fn debug_does_not_tell_who_it_is() {
        let patient = Patient {
            id: PatientId::of(kit::Uuid::nil()),
            user_id: None,
            first_name: Phi::new("Ada".into()),
            last_name: Phi::new("Lovelace".into()),
            date_of_birth: Phi::new(None),
            gender: Phi::new(Gender::Female),
            email: Phi::new(Some("ada@example.test".into())),
            phone: Phi::new(None),
            external_ids: Phi::new(HashMap::new()),
            status: "active".into(),
            metadata: serde_json::json!({}),
            created_at: Time::UNIX_EPOCH,
            updated_at: Time::UNIX_EPOCH,
        };
        let shown = format!("{patient:?}");
        assert!(!shown.contains("Ada") && !shown.contains("ada@"), "{shown}");
    }
}
