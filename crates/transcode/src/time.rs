//! Timestamps (RFC 3339) and durations (`1.5s`), as proto3 JSON writes them.

use crate::number::write_integer;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// 10,000 years.
const MAX_DURATION: i64 = 315_576_000_000;
const BILLION: i32 = 1_000_000_000;

/// Seconds since 1970 and nanoseconds; for a duration both have its sign.
pub(crate) type Instant = (i64, i32);

/// Parses `2026-01-31T09:30:00.5+02:00`: capital T and Z, up to nine digits of a second.
pub(crate) fn parse_timestamp(text: &str) -> Option<Instant> {
    let (date_and_time, rest) = text.as_bytes().split_at_checked(19)?;
    let seconds = seconds_of(date_and_time)?;
    let (nanos, zone) = match rest.strip_prefix(b".") {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let seconds = seconds - offset_of(zone)?;
    SECONDS.contains(&seconds).then_some((seconds, nanos))
}

fn seconds_of(text: &[u8]) -> Option<i64> {
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..10])?);
    let (hour, minute) = (digits(&text[11..13])?, digits(&text[14..16])?);
    let second = digits(&text[17..])?;
    let valid = year >= 1
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    valid.then(|| days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn offset_of(zone: &[u8]) -> Option<i64> {
    let sign = match zone {
        b"Z" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    if zone.len() != 6 || zone[3] != b':' {
        return None;
    }
    let (hours, minutes) = (digits(&zone[1..3])?, digits(&zone[4..])?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// One to nine digits as nanoseconds, and what follows them.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let value = digits(&text[..length])? as i32;
    Some((value * 10i32.pow(9 - length as u32), &text[length..]))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01, by Howard Hinnant's `days_from_civil`.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day counted from 0001-01-01: year, month, day. By Howard Hinnant's
/// `civil_from_days`.
fn date_of(days: u32) -> (u32, u32, u32) {
    // From 0000-03-01, where the leap day ends the year.
    let days = days + 306;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u32::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Writes a timestamp in quotes, in UTC. None if it is outside of years 1 to 9999.
pub(crate) fn write_timestamp(out: &mut Vec<u8>, (seconds, nanos): Instant) -> Option<()> {
    if !SECONDS.contains(&seconds) || !(0..BILLION).contains(&nanos) {
        return None;
    }
    let since_year_1 = (seconds - SECONDS.start()) as u64;
    let (days, time) = ((since_year_1 / 86_400) as u32, (since_year_1 % 86_400) as u32);
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let two = |value: u32| [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
    let ([a, b], [c, d]) = (two(year / 100), two(year % 100));
    let ([e, f], [g, h]) = (two(month), two(day));
    let ([i, j], [k, l], [m, n]) = (two(hour), two(minute), two(second));
    out.extend_from_slice(&[
        b'"', a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l, b':', m, n,
    ]);
    write_nanos(out, nanos as u32);
    out.extend_from_slice(b"Z\"");
    Some(())
}

/// Parses `-1.5s`: up to nine digits of a second, within 10,000 years.
pub(crate) fn parse_duration(text: &str) -> Option<Instant> {
    let text = text.strip_suffix('s')?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let (seconds, nanos) = match text.split_once('.') {
        Some((seconds, nanos)) => {
            let (nanos, rest) = fraction(nanos.as_bytes())?;
            (seconds, rest.is_empty().then_some(nanos)?)
        }
        None => (text, 0),
    };
    if seconds.is_empty() || seconds.len() > 12 {
        return None;
    }
    let seconds = digits(seconds.as_bytes())?;
    (seconds <= MAX_DURATION).then_some((sign * seconds, sign as i32 * nanos))
}

/// Writes a duration in quotes. None if it is out of range or its parts differ in sign.
pub(crate) fn write_duration(out: &mut Vec<u8>, (seconds, nanos): Instant) -> Option<()> {
    let magnitude = seconds.unsigned_abs();
    let mixed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    if magnitude > MAX_DURATION as u64 || nanos.unsigned_abs() >= BILLION as u32 || mixed {
        return None;
    }
    out.push(b'"');
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    write_integer(out, magnitude);
    write_nanos(out, nanos.unsigned_abs());
    out.extend_from_slice(b"s\"");
    Some(())
}

/// Nothing, or a point and three, six or nine digits.
fn write_nanos(out: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let (length, mut rest) = match nanos {
        _ if nanos.is_multiple_of(1_000_000) => (4, nanos / 1_000_000),
        _ if nanos.is_multiple_of(1000) => (7, nanos / 1000),
        _ => (10, nanos),
    };
    let mut text = *b".000000000";
    for digit in text[1..length].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&text[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn timestamp(instant: Instant) -> Option<String> {
        let mut out = Vec::new();
        write_timestamp(&mut out, instant)?;
        Some(String::from_utf8(out).unwrap().trim_matches('"').to_owned())
    }

    fn duration(instant: Instant) -> Option<String> {
        let mut out = Vec::new();
        write_duration(&mut out, instant)?;
        Some(String::from_utf8(out).unwrap().trim_matches('"').to_owned())
    }

    #[test]
    fn known_instants_are_written_and_read() {
        for (text, instant) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("2000-02-29T12:00:00.500Z", (951_825_600, 500_000_000)),
            ("1969-12-31T23:59:59.999999999Z", (-1, 999_999_999)),
            ("0001-01-01T00:00:00Z", (-62_135_596_800, 0)),
            ("9999-12-31T23:59:59.000001Z", (253_402_300_799, 1000)),
        ] {
            assert_eq!(timestamp(instant).as_deref(), Some(text));
            assert_eq!(parse_timestamp(text), Some(instant), "{text}");
        }
        assert_eq!(parse_timestamp("1970-01-01T02:00:00+02:00"), Some((0, 0)));
        assert_eq!(parse_timestamp("1969-12-31T16:00:00.1-08:00"), Some((0, 100_000_000)));
    }

    #[test]
    fn what_is_not_rfc_3339_or_out_of_range_is_refused() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T09:30:00",
            "2026-01-31t09:30:00Z",
            "2026-01-31T09:30:00z",
            "2026-01-31 09:30:00Z",
            "2026-02-30T09:30:00Z",
            "2100-02-29T09:30:00Z",
            "2026-13-01T09:30:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:30:60Z",
            "2026-01-31T09:30:00.Z",
            "2026-01-31T09:30:00.1234567890Z",
            "2026-01-31T09:30:00+0200",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "10000-01-01T00:00:00Z",
            "２026-01-31T09:30:00Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert_eq!(timestamp((253_402_300_800, 0)), None);
        assert_eq!(timestamp((0, -1)), None);
        assert_eq!(timestamp((0, BILLION)), None);
    }

    #[test]
    fn durations_are_written_and_read() {
        for (text, instant) in [
            ("0s", (0, 0)),
            ("-0.500s", (0, -500_000_000)),
            ("1.000000001s", (1, 1)),
            ("315576000000s", (MAX_DURATION, 0)),
            ("-315576000000.999999999s", (-MAX_DURATION, -999_999_999)),
        ] {
            assert_eq!(duration(instant).as_deref(), Some(text));
            assert_eq!(parse_duration(text), Some(instant), "{text}");
        }
        for text in
            ["", "s", "1", "1.s", ".5s", "+1s", "1.0000000001s", "315576000001s", "1e3s", "--1s"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for instant in [(1, -1), (-1, 1), (MAX_DURATION + 1, 0), (0, BILLION), (i64::MIN, 0)] {
            assert_eq!(duration(instant), None);
        }
    }

    proptest! {
        #[test]
        fn a_timestamp_comes_back(seconds in SECONDS, nanos in 0..BILLION) {
            let text = timestamp((seconds, nanos)).unwrap();
            prop_assert_eq!(parse_timestamp(&text), Some((seconds, nanos)));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text: String, digits in "[0-9TZ:.+s-]{0,30}") {
            for text in [text, digits] {
                let _ = (parse_timestamp(&text), parse_duration(&text));
            }
        }
    }
}
