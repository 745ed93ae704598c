//! Rows of patients.

use std::collections::HashMap;

use chrono::NaiveDate;
use kit::{Brand, Change, Clean, Error, Pen, Platform, Reader, Result, Row, Time, Tx, Uuid};
use sqlx::{FromRow, types::Json};

use crate::{
    DEMO_PATIENT,
    domain::patient::{Gender, Patient, PatientId},
};

impl Row for Patient {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        sqlx::query(
            "INSERT INTO patient_graph.patients (brand_id, id, user_id, first_name, last_name,
                 date_of_birth, gender, email, phone, external_ids, status, metadata, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(brand)
        .bind(self.id.uuid())
        .bind(&self.user_id)
        .bind(self.first_name.expose())
        .bind(self.last_name.expose())
        .bind(*self.date_of_birth.expose())
        .bind(*self.gender.expose())
        .bind(self.email.expose())
        .bind(self.phone.expose())
        .bind(Json(self.external_ids.expose()))
        .bind(&self.status)
        .bind(&self.metadata)
        .bind(self.created_at)
        .bind(self.updated_at)
        .execute(pen.conn())
        .await
        .map_err(|cause| match cause.as_database_error().and_then(|it| it.code()).as_deref() {
            // Of two callers at once the second meets the unique key.
            Some("23505") => exists(),
            _ => cause.into(),
        })?;
        Ok(())
    }
}

/// A user is one patient in a brand.
pub async fn refuse_second(tx: &mut Tx<Clean>, user_id: &str) -> Result<()> {
    let brand = tx.brand().to_owned();
    let taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM patient_graph.patients WHERE brand_id = $1 AND user_id = $2)",
    )
    .bind(brand)
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    if taken { Err(exists()) } else { Ok(()) }
}

fn exists() -> Error {
    Error::conflict("PATIENT_EXISTS", "the user already has a patient in this brand")
}

pub async fn get(reader: &mut Reader, id: PatientId) -> Result<Option<Patient>> {
    let row: Option<PatientRow> = sqlx::query_as(
        "SELECT id, user_id, first_name, last_name, date_of_birth, gender, email, phone,
                external_ids, status, metadata, created_at, updated_at
         FROM patient_graph.patients
         WHERE brand_id = $1 AND id = $2",
    )
    .bind(reader.brand().to_owned())
    .bind(id.uuid())
    .fetch_optional(reader.conn())
    .await?;
    Ok(row.map(Into::into))
}

pub async fn of_user(reader: &mut Reader, user_id: &str) -> Result<Option<Patient>> {
    let row: Option<PatientRow> = sqlx::query_as(
        "SELECT id, user_id, first_name, last_name, date_of_birth, gender, email, phone,
                external_ids, status, metadata, created_at, updated_at
         FROM patient_graph.patients
         WHERE brand_id = $1 AND user_id = $2",
    )
    .bind(reader.brand().to_owned())
    .bind(user_id)
    .fetch_optional(reader.conn())
    .await?;
    Ok(row.map(Into::into))
}

#[derive(FromRow)]
struct PatientRow {
    id: Uuid,
    user_id: Option<String>,
    first_name: String,
    last_name: String,
    date_of_birth: Option<NaiveDate>,
    gender: Gender,
    email: Option<String>,
    phone: Option<String>,
    external_ids: Json<HashMap<String, String>>,
    status: String,
    metadata: serde_json::Value,
    created_at: Time,
    updated_at: Time,
}

impl From<PatientRow> for Patient {
    fn from(it: PatientRow) -> Self {
        Self {
            id: PatientId::of(it.id),
            user_id: it.user_id,
            first_name: it.first_name.into(),
            last_name: it.last_name.into(),
            date_of_birth: it.date_of_birth.into(),
            gender: it.gender.into(),
            email: it.email.into(),
            phone: it.phone.into(),
            external_ids: it.external_ids.0.into(),
            status: it.status,
            metadata: it.metadata,
            created_at: it.created_at,
            updated_at: it.updated_at,
        }
    }
}

/// The demo member's patient, so that a new platform has somebody to tell a story of.
pub async fn seed(platform: Platform) -> Result<()> {
    if !platform.demo_data {
        return Ok(());
    }
    let id = PatientId::parse("id", DEMO_PATIENT)?;
    let brand = Brand::new("loop")?;
    if get(&mut platform.db.read_brand(&brand).await?, id).await?.is_some() {
        return Ok(());
    }
    let tx = platform.db.begin_system(brand, "patient_graph.patient.seeded").await?;
    let patient = Patient {
        id,
        user_id: Some(DEMO_USER.into()),
        first_name: String::from("Ada").into(),
        last_name: String::from("Demo").into(),
        date_of_birth: NaiveDate::from_ymd_opt(1964, 3, 1).into(),
        gender: Gender::Female.into(),
        email: None.into(),
        phone: None.into(),
        external_ids: HashMap::new().into(),
        status: "active".into(),
        metadata: serde_json::json!({}),
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    tx.record(Change::of(patient, "patient", id)).await?.commit_quietly().await?;
    Ok(())
}

/// The demo member's user id, as identity seeds it.
const DEMO_USER: &str = "usr_01j00000000000000000000ada";
