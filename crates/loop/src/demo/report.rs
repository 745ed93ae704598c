//! A real laboratory report: one person of NHANES.

use anyhow::Context as _;
use serde_json::{Value, json};

/// Rows of NHANES with their PhenoAge answers; the source is named in crates/biomarkers/data.
const ROWS: &str = include_str!("../../../biomarkers/data/nhanes_phenoage_golden.csv");

/// A woman of 63: column, code, name, unit.
const MARKERS: [(&str, &str, &str, &str); 9] = [
    ("albumin_gL", "albumin", "Albumin, serum", "g/L"),
    ("creat_umol", "creatinine", "Creatinine, serum", "umol/L"),
    ("glucose_mmol", "glucose", "Glucose, serum", "mmol/L"),
    ("crp_mg_dL", "crp", "C-reactive protein", "mg/dL"),
    ("lymph", "lymphocytes-percent", "Lymphocytes", "%"),
    ("mcv", "mcv", "Mean cell volume", "fL"),
    ("rdw", "rdw", "Red cell distribution width", "%"),
    ("alp", "alp", "Alkaline phosphatase", "U/L"),
    ("wbc", "wbc", "White blood cells", "10*3/uL"),
];

/// The nine results of the first row, as a laboratory would send them.
pub fn results() -> anyhow::Result<Vec<Value>> {
    let mut lines = ROWS.lines();
    let names: Vec<_> = lines.next().context("a header")?.split(',').collect();
    let values: Vec<_> = lines.next().context("a row")?.split(',').collect();
    MARKERS
        .iter()
        .map(|(column, code, name, unit)| {
            let index = names
                .iter()
                .position(|it| it == column)
                .with_context(|| format!("no column {column}"))?;
            let value: serde_json::Number = serde_json::from_str(values[index])?;
            Ok(json!({
                "code": code, "name": name, "value": value, "unit": unit,
                "collected_at": "2026-03-02T08:15:00Z",
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_report_has_nine_numbers() {
        let results = super::results().unwrap();
        assert_eq!(results.len(), 9);
        assert!(results.iter().all(|it| it["value"].is_number()));
    }
}
