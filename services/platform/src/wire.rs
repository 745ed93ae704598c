//! Protobuf on one side, the domain on the other.

use kit::{Change, struct_of, timestamp};
use platform_contract::v1 as pb;
use records_contract::v1::AuditEntry;

use crate::domain::{Brand, ComplianceRegime, Status};

/// A changed brand, and the fact that caches of it are stale.
pub fn changed(brand: Brand) -> Change<Brand> {
    let event = pb::BrandCacheInvalidated {
        brand_id: brand.slug.clone(),
        brand_slug: brand.slug.clone(),
        reason: "config_change".into(),
        invalidated_at: Some(timestamp(brand.updated_at)),
    };
    let slug = brand.slug.clone();
    Change::of(brand, "brand", slug).told_by(&event)
}

pub fn brand(it: Brand) -> pb::Brand {
    pb::Brand {
        etag: it.etag(),
        id: it.id.to_string(),
        slug: it.slug,
        name: it.name,
        status: pb::BrandStatus::from(it.status).into(),
        compliance_regime: pb::ComplianceRegime::from(it.compliance_regime).into(),
        config: Some(struct_of(&it.config)),
        created_at: Some(timestamp(it.created_at)),
        updated_at: Some(timestamp(it.updated_at)),
    }
}

/// `None` where none was sent.
pub fn status(it: pb::BrandStatus) -> Option<Status> {
    match it {
        pb::BrandStatus::Unspecified => None,
        pb::BrandStatus::Draft => Some(Status::Draft),
        pb::BrandStatus::Active => Some(Status::Active),
        pb::BrandStatus::Inactive => Some(Status::Inactive),
    }
}

pub fn audit_row(source: &str, it: AuditEntry) -> pb::AuditLogRow {
    let details = serde_json::from_str(&it.details).unwrap_or_default();
    pb::AuditLogRow {
        id: it.id,
        ts: it.occurred_at,
        actor_id: it.actor_id,
        actor_type: it.actor_type,
        brand_id: it.brand_id,
        request_id: it.request_id,
        source: source.to_owned(),
        event_type: it.event_type,
        entity_type: it.entity_type,
        entity_id: it.entity_id,
        details: Some(struct_of(&details)),
    }
}

impl From<Status> for pb::BrandStatus {
    fn from(it: Status) -> Self {
        match it {
            Status::Draft => Self::Draft,
            Status::Active => Self::Active,
            Status::Inactive => Self::Inactive,
        }
    }
}

impl From<ComplianceRegime> for pb::ComplianceRegime {
    fn from(it: ComplianceRegime) -> Self {
        match it {
            ComplianceRegime::None => Self::None,
            ComplianceRegime::Hipaa => Self::Hipaa,
            ComplianceRegime::Gdpr => Self::Gdpr,
            ComplianceRegime::Arl57 => Self::Arl57,
        }
    }
}
