//! A moment as RFC 3339 in UTC, with milliseconds. Dates before 1970 are shown as 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-01-31T23:59:59.999Z`.
pub fn rfc3339(moment: SystemTime) -> String {
    let mut out = Vec::with_capacity(24);
    write_rfc3339(moment, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends what [`rfc3339`] gives.
pub fn write_rfc3339(moment: SystemTime, out: &mut Vec<u8>) {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    digits(year, 4, out);
    for (mark, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', seconds / 3600),
        (b':', seconds / 60 % 60),
        (b':', seconds % 60),
    ] {
        out.push(mark);
        digits(value, 2, out);
    }
    out.push(b'.');
    digits(u64::from(since.subsec_millis()), 3, out);
    out.push(b'Z');
}

fn digits(value: u64, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10u64.pow(place) % 10) as u8);
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last of its year; 400 years have 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_known_from_elsewhere() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_798_761_599_123, "2026-12-31T23:59:59.123Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut before = (1970, 1, 0);
        for day in 0..146_097 {
            let now = civil(day);
            let month_before = if now.1 == 1 { 12 } else { now.1 - 1 };
            let next_day = now.0 == before.0 && now.1 == before.1 && now.2 == before.2 + 1;
            let next_month = now.2 == 1 && before.1 == month_before && before.2 >= 28;
            assert!(next_day || next_month, "{before:?} {now:?}");
            before = now;
        }
        assert_eq!(before, (2369, 12, 31));
    }
}
