//! What a caller likes best of what is offered (RFC 9110 section 12.5).

use http::{HeaderMap, header};

/// The index of the offered media type that `Accept` weighs highest; of equals the first. None
/// where nothing is said or nothing fits.
pub(crate) fn best(headers: &HeaderMap, offers: &[&str]) -> Option<usize> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    let ranges: Vec<_> = values.flat_map(|it| it.split(',')).filter_map(Range::parse).collect();
    let weighed = offers.iter().enumerate().filter_map(|(index, offer)| {
        // The most specific range decides on an offer, whatever the others say.
        let ranges = ranges.iter().filter_map(|it| Some((it.precision(offer)?, it.weight)));
        let (_, weight) = ranges.max_by_key(|(precision, _)| *precision)?;
        (weight > 0).then_some((index, weight))
    });
    // `max_by_key` takes the last of equals.
    weighed.rev().max_by_key(|(_, weight)| *weight).map(|(index, _)| index)
}

/// The weight of a content coding in `Accept-Encoding`, in thousandths; none if it is not named.
pub(crate) fn weight_of_coding(headers: &HeaderMap, coding: &str) -> Option<u16> {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    let ranges: Vec<_> = values.flat_map(|it| it.split(',')).filter_map(Range::parse).collect();
    let named = |name: &str| ranges.iter().find(|it| it.name.eq_ignore_ascii_case(name));
    named(coding).or_else(|| named("*")).map(|it| it.weight)
}

/// One member of a list with weights.
struct Range<'a> {
    name: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|it| !it.is_empty())?;
        let quality = parts.find_map(|it| it.strip_prefix("q=").or(it.strip_prefix("Q=")));
        let weight = match quality {
            Some(quality) => quality.parse::<f32>().ok().filter(|it| (0.0..=1.0).contains(it))?,
            None => 1.0,
        };
        Some(Self { name, weight: (weight * 1000.0) as u16 })
    }

    /// How exactly the range names the type; none if it does not.
    fn precision(&self, offer: &str) -> Option<u8> {
        let (kind, _) = offer.split_once('/')?;
        let all_of_kind = self.name.strip_suffix("/*");
        match self.name {
            "*/*" => Some(0),
            _ if all_of_kind.is_some_and(|it| it.eq_ignore_ascii_case(kind)) => Some(1),
            name => name.eq_ignore_ascii_case(offer).then_some(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: [&str; 3] = ["application/json", "application/x-ndjson", "text/event-stream"];

    fn chosen(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        best(&headers, &OFFERS).map(|it| OFFERS[it])
    }

    #[test]
    fn the_heaviest_range_wins_and_of_equals_the_first_offer() {
        for (accept, expected) in [
            ("text/event-stream", Some("text/event-stream")),
            ("*/*", Some("application/json")),
            ("application/*;q=0.5, text/*", Some("text/event-stream")),
            ("application/json;q=0.2, application/x-ndjson;q=0.3", Some("application/x-ndjson")),
            ("application/json;q=0, */*;q=0.1", Some("application/x-ndjson")),
            ("Application/X-NDJSON", Some("application/x-ndjson")),
            ("text/csv", None),
            ("", None),
            (";;,q=1", None),
            ("application/json;q=7", None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
        assert_eq!(best(&HeaderMap::new(), &OFFERS), None);
    }

    #[test]
    fn a_coding_weighs_what_it_or_the_star_says() {
        let weight = |accept: &str, coding| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accept.parse().unwrap());
            weight_of_coding(&headers, coding)
        };
        assert_eq!(weight("gzip, br;q=0.5", "br"), Some(500));
        assert_eq!(weight("gzip;q=0, *", "gzip"), Some(0));
        assert_eq!(weight("gzip, *;q=0.1", "zstd"), Some(100));
        assert_eq!(weight("gzip", "br"), None);
    }
}
