//! Moments: seconds since the epoch and the calendar of UTC, both ways.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::der::{self, Element, NotDer};

/// Seconds in a day.
pub(crate) const DAY: i64 = 24 * 60 * 60;

/// Now, in seconds since the epoch.
#[must_use]
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs().cast_signed())
}

/// `2026-11-22T08:30:00Z`, for programs (RFC 3339).
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    utc(seconds).replacen(' ', "T", 1).replace(" UTC", "Z")
}

/// `2026-11-22 08:30:00 UTC`, for people.
#[must_use]
pub fn utc(seconds: i64) -> String {
    let Civil {
        year,
        month,
        day,
        second,
    } = Civil::of(seconds);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// `Sun, 22 Nov 2026 08:30:00 GMT`, as HTTP has it (RFC 9110 §5.6.7).
pub(crate) fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let civil = Civil::of(seconds);
    // the epoch was a Thursday
    let day = usize::try_from(seconds.div_euclid(DAY).rem_euclid(7)).unwrap_or_default();
    let month = usize::try_from(civil.month - 1).unwrap_or_default();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[day],
        civil.day,
        MONTHS[month],
        civil.year,
        civil.second / 3600,
        civil.second / 60 % 60,
        civil.second % 60
    )
}

/// A moment in the calendar of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// Of the day.
    pub(crate) second: i64,
}

impl Civil {
    /// Counted in eras of 400 years, which all have 146,097 days, and in years that begin in March, so that the leap day is the last
    /// of its year (Hinnant, *chrono-compatible low-level date algorithms*, `civil_from_days`).
    pub(crate) fn of(seconds: i64) -> Self {
        // within the years 0 to 9999, which is all that certificates can say
        let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
        let days = seconds.div_euclid(DAY) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = (march_month + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            second: seconds.rem_euclid(DAY),
        }
    }

    /// The inverse, for a date that exists.
    pub(crate) fn seconds(self) -> Option<i64> {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let march_month = (self.month + 9) % 12;
        let day_of_year = (153 * march_month + 2) / 5 + self.day - 1;
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let seconds = (era * 146_097 + day_of_era - 719_468) * DAY + self.second;
        // the 31st of February and the 25th hour come back as something else
        (Self::of(seconds) == self).then_some(seconds)
    }

    /// `YYYYMMDDHHMMSSZ`.
    pub(crate) fn digits(self) -> [u8; 15] {
        let pairs = [
            self.year / 100,
            self.year % 100,
            self.month,
            self.day,
            self.second / 3600,
            self.second / 60 % 60,
            self.second % 60,
        ];
        let digit = |number: i64| b'0' + number.to_le_bytes()[0];
        let mut digits = [b'Z'; 15];
        for (place, pair) in digits.chunks_exact_mut(2).zip(pairs) {
            place.copy_from_slice(&[digit(pair / 10), digit(pair % 10)]);
        }
        digits
    }
}

/// A time of a certificate, a CRL or an OCSP answer: seconds present, `Z`, no fraction (RFC 5280 §4.1.2.5).
pub(crate) fn read(element: Element<'_>) -> Result<i64, NotDer> {
    let text = std::str::from_utf8(element.contents).map_err(|_| NotDer)?;
    let digits = text.strip_suffix('Z').ok_or(NotDer)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotDer);
    }
    let full = match (element.tag, digits.len()) {
        // two digits: 1950 to 2049
        (der::UTC_TIME, 12) if digits < "5" => format!("20{digits}"),
        (der::UTC_TIME, 12) => format!("19{digits}"),
        (der::GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return Err(NotDer),
    };
    let number = |from: usize, to: usize| full[from..to].parse::<i64>().map_err(|_| NotDer);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    if hour > 23 || minute > 59 || second > 59 {
        return Err(NotDer);
    }
    let civil = Civil {
        year: number(0, 4)?,
        month: number(4, 6)?,
        day: number(6, 8)?,
        second: hour * 3600 + minute * 60 + second,
    };
    civil.seconds().ok_or(NotDer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{Der, write};

    #[test]
    fn the_calendar_is_right_both_ways() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(1_795_000_000), "2026-11-18 11:06:40 UTC");
        assert_eq!(http_date(1_795_000_000), "Wed, 18 Nov 2026 11:06:40 GMT");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        for seconds in (-2_000_000_000..6_000_000_000_i64).step_by(86_399 * 7) {
            assert_eq!(Civil::of(seconds).seconds(), Some(seconds));
            let written = write::generalized_time(seconds);
            assert_eq!(read(Der::new(&written).element().unwrap()), Ok(seconds));
        }
        for bad in [
            "20260230000000Z",
            "20261322000000Z",
            "20260101240000Z",
            "20260101000000",
            "2026010100000aZ",
        ] {
            let element = write::tlv(der::GENERALIZED_TIME, bad.as_bytes());
            assert_eq!(
                read(Der::new(&element).element().unwrap()),
                Err(NotDer),
                "{bad}"
            );
        }
    }
}
