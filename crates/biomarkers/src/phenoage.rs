//! PhenoAge: biological age from nine blood markers and the calendar age.
//!
//! Levine et al. 2018, "An epigenetic biomarker of aging for lifespan and healthspan", Aging 10(4).
//! A Gompertz model gives the ten-year mortality of a person; PhenoAge is the age at which an
//! average person has that mortality.

use crate::catalogue::marker;
use crate::report::Interpreted;
use crate::unit::{Unit, convert};
use crate::value::Comparator;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

/// The ages that the model was fitted on, in years.
const MIN_AGE: f64 = 20.0;
const MAX_AGE: f64 = 84.0;

/// C-reactive protein above which an acute illness hides the chronic level, in mg/dL.
const ACUTE_CRP: f64 = 1.0;

/// `-ln(1 - mortality)` is this factor times `exp(xb)`: the Gompertz hazard over 120 months.
const HAZARD: f64 = 1.51714 / 0.007692696;

/// The published variants of the formula. They differ by up to a few years, so an answer names its
/// variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// ln(CRP in mg/dL), divisor 0.090165: as most calculators have it.
    #[default]
    LevineLn090165,
    /// ln(CRP in mg/dL), divisor 0.09165: the correction attributed to the author.
    LevineLn09165,
    /// ln(1 + CRP in mg/dL), divisor 0.090165: as the R package BioAge has it.
    BioAgeR,
}

impl Variant {
    /// The name that the API shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::LevineLn090165 => "levine_ln_0_090165",
            Self::LevineLn09165 => "levine_ln_0_09165",
            Self::BioAgeR => "bioage_r",
        }
    }

    fn crp_term(self, crp_mg_per_dl: f64) -> f64 {
        match self {
            Self::LevineLn090165 | Self::LevineLn09165 => crp_mg_per_dl.ln(),
            Self::BioAgeR => crp_mg_per_dl.ln_1p(),
        }
    }

    fn divisor(self) -> f64 {
        match self {
            Self::LevineLn09165 => 0.09165,
            Self::LevineLn090165 | Self::BioAgeR => 0.090165,
        }
    }
}

/// The ten numbers of the formula, each in the unit that its coefficient is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhenoAgeInputs {
    pub age_years: f64,
    pub albumin_g_per_l: f64,
    pub creatinine_umol_per_l: f64,
    pub glucose_mmol_per_l: f64,
    pub crp_mg_per_dl: f64,
    pub lymphocytes_percent: f64,
    pub mcv_fl: f64,
    pub rdw_percent: f64,
    pub alp_u_per_l: f64,
    pub wbc_10e3_per_ul: f64,
}

/// An answer of the formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhenoAge {
    /// Biological age in years.
    pub years: f64,
    /// The probability, 0 to 1, of dying within ten years.
    pub ten_year_mortality: f64,
    pub variant: Variant,
}

/// The person, at the time of the blood draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subject {
    pub age_years: f64,
    pub pregnant: bool,
}

/// Why the formula does not apply to a person or a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Ineligible {
    #[error("{code} is missing")]
    Missing { code: &'static str },
    #[error("{code} occurs more than once")]
    Ambiguous { code: &'static str },
    #[error("{code} is not known exactly")]
    Imprecise { code: &'static str },
    #[error("{code} is zero")]
    Zero { code: &'static str },
    #[error("the age is outside 20 to 84 years")]
    Age,
    #[error("the formula does not hold in pregnancy")]
    Pregnant,
    #[error("C-reactive protein above 10 mg/L suggests an acute illness: test again later")]
    AcuteInflammation,
}

impl PhenoAge {
    /// The formula alone: defined for any age, and for any CRP above zero.
    pub fn compute(inputs: &PhenoAgeInputs, variant: Variant) -> Self {
        // -ln(1 - mortality), kept in this form because 1 - mortality vanishes at old ages.
        let cumulative_hazard = HAZARD * linear_predictor(inputs, variant).exp();
        Self {
            years: 141.50225 + (0.0055305 * cumulative_hazard).ln() / variant.divisor(),
            ten_year_mortality: -(-cumulative_hazard).exp_m1(),
            variant,
        }
    }

    /// The formula for the results of one blood draw, refused where it does not hold.
    ///
    /// CRP below its limit of detection counts as half that limit; no other comparator is accepted.
    pub fn assess(
        results: &[Interpreted],
        subject: Subject,
        variant: Variant,
    ) -> Result<Self, Ineligible> {
        if !(MIN_AGE..=MAX_AGE).contains(&subject.age_years) {
            return Err(Ineligible::Age);
        }
        if subject.pregnant {
            return Err(Ineligible::Pregnant);
        }
        let inputs = PhenoAgeInputs::from_results(results, subject.age_years)?;
        if inputs.crp_mg_per_dl > ACUTE_CRP {
            return Err(Ineligible::AcuteInflammation);
        }
        Ok(Self::compute(&inputs, variant))
    }
}

impl PhenoAgeInputs {
    fn from_results(results: &[Interpreted], age_years: f64) -> Result<Self, Ineligible> {
        let input = |code, unit| input(results, code, unit);
        Ok(Self {
            age_years,
            albumin_g_per_l: input("albumin", "g/L")?,
            creatinine_umol_per_l: input("creatinine", "umol/L")?,
            glucose_mmol_per_l: input("glucose", "mmol/L")?,
            crp_mg_per_dl: input("crp", "mg/dL")?,
            lymphocytes_percent: input("lymphocytes-percent", "%")?,
            mcv_fl: input("mcv", "fL")?,
            rdw_percent: input("rdw", "%")?,
            alp_u_per_l: input("alp", "U/L")?,
            wbc_10e3_per_ul: input("wbc", "10*3/uL")?,
        })
    }
}

/// The one result of a code, in the formula's unit.
fn input(results: &[Interpreted], code: &'static str, unit: &str) -> Result<f64, Ineligible> {
    let mut found = results.iter().filter(|result| result.marker.code == code);
    let value = found.next().ok_or(Ineligible::Missing { code })?.value;
    if found.next().is_some() {
        return Err(Ineligible::Ambiguous { code });
    }
    if value.magnitude.is_zero() {
        return Err(Ineligible::Zero { code });
    }
    let number = in_unit(code, value.magnitude, unit);
    match value.comparator {
        Comparator::Exactly => Ok(number),
        Comparator::LessThan if code == "crp" => Ok(number / 2.0),
        Comparator::LessThan | Comparator::GreaterThan => Err(Ineligible::Imprecise { code }),
    }
}

fn in_unit(code: &str, magnitude: Decimal, unit: &str) -> f64 {
    let marker = marker(code).expect("the catalogue has the nine markers");
    let unit = Unit::parse(unit).expect("the formula's units are known");
    let converted = convert(marker, magnitude, marker.unit, unit)
        .expect("plausible values convert to the formula's units");
    converted.to_f64().expect("a decimal has a nearest double")
}

/// The weighted sum of the model, with the coefficients of Levine et al. 2018 to the digits that
/// public implementations carry.
fn linear_predictor(inputs: &PhenoAgeInputs, variant: Variant) -> f64 {
    -19.90667 - 0.03359355 * inputs.albumin_g_per_l
        + 0.009506491 * inputs.creatinine_umol_per_l
        + 0.1953192 * inputs.glucose_mmol_per_l
        + 0.09536762 * variant.crp_term(inputs.crp_mg_per_dl)
        - 0.01199984 * inputs.lymphocytes_percent
        + 0.02676401 * inputs.mcv_fl
        + 0.3306156 * inputs.rdw_percent
        + 0.001868778 * inputs.alp_u_per_l
        + 0.05542406 * inputs.wbc_10e3_per_ul
        + 0.08035356 * inputs.age_years
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Sex;
    use crate::report::{LabResult, interpret};

    /// Inputs and the answers of the three variants, of 200 people.
    fn golden() -> impl Iterator<Item = (PhenoAgeInputs, [(Variant, f64); 3])> {
        include_str!("../data/nhanes_phenoage_golden.csv").lines().skip(1).map(|line| {
            let numbers: Vec<f64> = line.split(',').skip(2).map(|n| n.parse().unwrap()).collect();
            let inputs = PhenoAgeInputs {
                age_years: numbers[0],
                albumin_g_per_l: numbers[1],
                creatinine_umol_per_l: numbers[2],
                glucose_mmol_per_l: numbers[3],
                crp_mg_per_dl: numbers[4],
                lymphocytes_percent: numbers[5],
                mcv_fl: numbers[6],
                rdw_percent: numbers[7],
                alp_u_per_l: numbers[8],
                wbc_10e3_per_ul: numbers[9],
            };
            let answers = [
                (Variant::BioAgeR, numbers[10]),
                (Variant::LevineLn090165, numbers[11]),
                (Variant::LevineLn09165, numbers[12]),
            ];
            (inputs, answers)
        })
    }

    #[test]
    fn every_golden_row_is_reproduced_by_every_variant() {
        let mut rows = 0;
        for (inputs, answers) in golden() {
            rows += 1;
            for (variant, expected) in answers {
                let years = PhenoAge::compute(&inputs, variant).years;
                assert!((years - expected).abs() < 1e-6, "row {rows}: {years} is not {expected}");
            }
        }
        assert_eq!(rows, 200);
    }

    #[test]
    fn mortality_follows_the_published_example() {
        let inputs = PhenoAgeInputs {
            age_years: 73.0,
            albumin_g_per_l: 44.0,
            creatinine_umol_per_l: 61.88119,
            glucose_mmol_per_l: 5.1615,
            crp_mg_per_dl: 0.30,
            lymphocytes_percent: 35.0,
            mcv_fl: 86.9,
            rdw_percent: 11.6,
            alp_u_per_l: 60.0,
            wbc_10e3_per_ul: 5.5,
        };
        let answer = PhenoAge::compute(&inputs, Variant::BioAgeR);
        assert!((answer.ten_year_mortality - 0.082253974).abs() < 1e-8);
        assert!((answer.years - 56.6266298004).abs() < 1e-8);
    }

    #[test]
    fn a_certain_death_still_has_an_age() {
        let (mut inputs, _) = golden().next().unwrap();
        inputs.age_years = 120.0;
        inputs.glucose_mmol_per_l = 40.0;
        let answer = PhenoAge::compute(&inputs, Variant::default());
        assert_eq!(answer.ten_year_mortality, 1.0);
        assert!(answer.years.is_finite());
    }

    const MARKERS: [(&str, &str, &str); 9] = [
        ("albumin", "4.4", "g/dL"),
        ("creatinine", "0.7", "mg/dL"),
        ("glucose", "93", "mg/dL"),
        ("crp", "3.0", "mg/L"),
        ("lymphocytes-percent", "35.0", "%"),
        ("mcv", "86.9", "fL"),
        ("rdw", "11.6", "%"),
        ("alp", "60", "U/L"),
        ("wbc", "5500", "/uL"),
    ];

    fn results(markers: &[(&'static str, &str, &str)]) -> Vec<Interpreted> {
        let interpreted = markers.iter().map(|&(code, value, unit)| {
            let result = LabResult { code, value, unit, ..LabResult::default() };
            interpret(&result, Sex::Female).unwrap()
        });
        interpreted.collect()
    }

    fn with(code: &str, value: &'static str) -> Vec<Interpreted> {
        results(
            &MARKERS.map(|(c, v, unit)| if c == code { (c, value, unit) } else { (c, v, unit) }),
        )
    }

    const ADULT: Subject = Subject { age_years: 73.0, pregnant: false };

    fn assess(results: &[Interpreted], subject: Subject) -> Result<PhenoAge, Ineligible> {
        PhenoAge::assess(results, subject, Variant::default())
    }

    /// The same person as above, in the units of a report.
    #[test]
    fn a_report_in_conventional_units_is_assessed() {
        let answer = assess(&results(&MARKERS), ADULT).unwrap();
        assert!((answer.years - 55.075683).abs() < 0.01, "{}", answer.years);
        assert_eq!(answer.variant.name(), "levine_ln_0_090165");
    }

    #[test]
    fn an_undetectable_crp_counts_as_half_the_limit() {
        let undetectable = assess(&with("crp", "<0.6"), ADULT).unwrap();
        let half = assess(&with("crp", "0.3"), ADULT).unwrap();
        assert!((undetectable.years - half.years).abs() < 1e-9);
    }

    #[test]
    fn the_formula_is_refused_where_it_does_not_hold() {
        let all = results(&MARKERS);
        let aged = |age_years| Subject { age_years, ..ADULT };
        for (refused, reason) in [
            (assess(&all[1..], ADULT), Ineligible::Missing { code: "albumin" }),
            (assess(&[&all[..], &all[8..]].concat(), ADULT), Ineligible::Ambiguous { code: "wbc" }),
            (assess(&with("alp", "<10"), ADULT), Ineligible::Imprecise { code: "alp" }),
            (assess(&with("crp", "0"), ADULT), Ineligible::Zero { code: "crp" }),
            (assess(&with("crp", "10.1"), ADULT), Ineligible::AcuteInflammation),
            (assess(&all, aged(19.9)), Ineligible::Age),
            (assess(&all, aged(84.1)), Ineligible::Age),
            (assess(&all, aged(f64::NAN)), Ineligible::Age),
            (assess(&all, Subject { pregnant: true, ..ADULT }), Ineligible::Pregnant),
        ] {
            assert_eq!(refused, Err(reason));
        }
        assert!(assess(&all, aged(20.0)).is_ok() && assess(&all, aged(84.0)).is_ok());
        assert!(assess(&with("crp", "10"), ADULT).is_ok());
    }
}
