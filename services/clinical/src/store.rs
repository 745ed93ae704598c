//! All the SQL of this service.

use kit::{Pen, Reader, Result, Row, Time, Uuid};
use rust_decimal::Decimal;
use sqlx::FromRow;

use crate::domain::{Biomarker, BiomarkerId, Report, Status};

impl Row for Report {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        sqlx::query(
            "INSERT INTO clinical.lab_reports (brand_id, id, patient_id, source, recorded_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&brand)
        .bind(self.id.uuid())
        .bind(&self.patient_id)
        .bind(&self.source)
        .bind(self.recorded_at)
        .execute(pen.conn())
        .await?;
        self.write_biomarkers(&brand, pen).await
    }
}

impl Report {
    /// All results in one statement, however many.
    async fn write_biomarkers(&self, brand: &str, mut pen: Pen<'_>) -> Result<()> {
        fn column<'a, T>(rows: &'a [Biomarker], of: impl Fn(&'a Biomarker) -> T) -> Vec<T> {
            rows.iter().map(of).collect()
        }
        let rows = &self.biomarkers;
        sqlx::query(
            "INSERT INTO clinical.biomarkers (brand_id, report_id, patient_id, recorded_at, id, code,
                 name, comparator, value, unit, reference_low, reference_high, status,
                 original_value, original_unit, ruleset, collected_at)
             SELECT $1, $2, $3, $4, id, code, name, comparator, value::numeric, unit,
                    reference_low::numeric, reference_high::numeric, status,
                    original_value, original_unit, ruleset, collected_at
             FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                     $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                     $17::timestamptz[])
                 AS results (id, code, name, comparator, value, unit, reference_low, reference_high,
                     status, original_value, original_unit, ruleset, collected_at)",
        )
        .bind(brand)
        .bind(self.id.uuid())
        .bind(&self.patient_id)
        .bind(self.recorded_at)
        .bind(column(rows, |it| it.id.uuid()))
        .bind(column(rows, |it| it.code.as_str()))
        .bind(column(rows, |it| it.name.as_str()))
        .bind(column(rows, |it| it.comparator.as_deref()))
        .bind(column(rows, |it| it.value.expose().to_string()))
        .bind(column(rows, |it| it.unit.as_str()))
        .bind(column(rows, |it| it.reference_low.map(|it| it.to_string())))
        .bind(column(rows, |it| it.reference_high.map(|it| it.to_string())))
        .bind(column(rows, |it| it.status.expose().as_str()))
        .bind(column(rows, |it| it.original_value.expose().as_str()))
        .bind(column(rows, |it| it.original_unit.as_str()))
        .bind(column(rows, |it| it.ruleset.as_str()))
        .bind(column(rows, |it| it.collected_at))
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}

/// A patient's biomarkers, the latest sample first, after a place in that order.
pub async fn list(
    reader: &mut Reader,
    patient_id: &str,
    code: &str,
    after: Option<(Time, Uuid)>,
    limit: i64,
) -> Result<Vec<Biomarker>> {
    let rows: Vec<BiomarkerRow> = sqlx::query_as(
        "SELECT id, patient_id, code, name, comparator, value::text, unit, reference_low::text,
                reference_high::text, status, original_value, original_unit, ruleset, collected_at,
                recorded_at
         FROM clinical.biomarkers
         WHERE brand_id = $1 AND patient_id = $2
           AND ($3 = '' OR code = $3)
           AND ($4::timestamptz IS NULL OR (collected_at, id) < ($4, $5))
         ORDER BY collected_at DESC, id DESC
         LIMIT $6",
    )
    .bind(reader.brand().to_owned())
    .bind(patient_id)
    .bind(code)
    .bind(after.map(|it| it.0))
    .bind(after.map(|it| it.1))
    .bind(limit)
    .fetch_all(reader.conn())
    .await?;
    rows.into_iter().map(BiomarkerRow::read).collect()
}

pub async fn get(reader: &mut Reader, id: BiomarkerId) -> Result<Option<Biomarker>> {
    let row: Option<BiomarkerRow> = sqlx::query_as(
        "SELECT id, patient_id, code, name, comparator, value::text, unit, reference_low::text,
                reference_high::text, status, original_value, original_unit, ruleset, collected_at,
                recorded_at
         FROM clinical.biomarkers
         WHERE brand_id = $1 AND id = $2",
    )
    .bind(reader.brand().to_owned())
    .bind(id.uuid())
    .fetch_optional(reader.conn())
    .await?;
    row.map(BiomarkerRow::read).transpose()
}

/// Numbers travel as text: Postgres' `numeric` and our decimals are exact, floats are not.
#[derive(FromRow)]
struct BiomarkerRow {
    id: Uuid,
    patient_id: String,
    code: String,
    name: String,
    comparator: Option<String>,
    value: String,
    unit: String,
    reference_low: Option<String>,
    reference_high: Option<String>,
    status: Status,
    original_value: String,
    original_unit: String,
    ruleset: String,
    collected_at: Time,
    recorded_at: Time,
}

impl BiomarkerRow {
    fn read(self) -> Result<Biomarker> {
        let decimal = |text: String| text.parse::<Decimal>().map_err(kit::Error::internal);
        Ok(Biomarker {
            id: BiomarkerId::of(self.id),
            patient_id: self.patient_id,
            code: self.code,
            name: self.name,
            comparator: self.comparator,
            value: decimal(self.value)?.into(),
            unit: self.unit,
            reference_low: self.reference_low.map(decimal).transpose()?,
            reference_high: self.reference_high.map(decimal).transpose()?,
            status: self.status.into(),
            original_value: self.original_value.into(),
            original_unit: self.original_unit,
            ruleset: self.ruleset,
            collected_at: self.collected_at,
            recorded_at: self.recorded_at,
        })
    }
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Low => "low",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
